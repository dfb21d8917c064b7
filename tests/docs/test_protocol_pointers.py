"""docs/protocol.md says what the code does: pointers land, and its tables are those of the code."""

import json
import re
from pathlib import Path

import pytest

from qwen_portal.answers.error_responses import error_from_response
from qwen_portal.emulator.scenarios import SCENARIOS
from qwen_portal.requests.chat_request import _PORTAL_FIELDS
from qwen_portal.service.catalogue import EMBEDDING_ROWS, MODEL_ROWS, PLAN_ROWS, WORKSPACE_PLAN
from qwen_portal.service.rows import EmbeddingModel, Model, Plan

ROOT = Path(__file__).parents[2]
PACKAGES = ("qwen_portal", "langchain_qwen_portal", "litellm_qwen_portal")
TEXT = (ROOT / "docs" / "protocol.md").read_text("utf-8")
HEADINGS = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)

# A line break, and the "#" of a comment's next line, may stand between the file and the heading's name.
POINTER = re.compile(r"docs/protocol\.md,?[\s#]+\"([^\"]+)\"")


def section(heading: str) -> str:
    """Return what stands under a heading, up to the next one of the same level or above."""
    level, rest = re.split(rf"^(#+) {re.escape(heading)}$", TEXT, maxsplit=1, flags=re.MULTILINE)[1:]
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of a section's tables, without the lines that head and underline them."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    under = [number for number, row in enumerate(cells) if set(row[0]) == {"-"}]
    return [row for number, row in enumerate(cells) if number not in under and number + 1 not in under]


def code_spans(text: str) -> list[str]:
    """Return what stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


def pointers() -> list[tuple[str, str]]:
    """Return each place of the code that names a heading, with the heading."""
    sources = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [
        (path.relative_to(ROOT).as_posix(), heading)
        for path in sources
        for heading in POINTER.findall(path.read_text("utf-8"))
    ]


def test_every_pointer_of_the_code_lands() -> None:
    """A docstring that names a heading of the document names one that is there."""
    assert {"Sign-in", "Plans", "Chat request", "Chat errors", "Stream"} <= {heading for _, heading in pointers()}
    assert [pointer for pointer in pointers() if pointer[1] not in HEADINGS] == []


def test_links_inside_the_document_land() -> None:
    """Each link to a section is the anchor that its heading gets."""
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in HEADINGS}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors


def test_no_two_headings_are_alike() -> None:
    """A pointer means one section."""
    assert len(HEADINGS) == len(set(HEADINGS))


def names(of: tuple[str, ...]) -> str:
    """Write a list as a cell of a table."""
    return ", ".join(f"`{name}`" for name in of) or "-"


def plan_row(plan: Plan) -> list[str]:
    """Write a plan as the document's table has it."""
    return [
        f"`{plan.name}`",
        plan.base_url,
        names(plan.keys),
        names(plan.foreign_keys),
        f"`{plan.coder}`",
        f"`{plan.vision}`",
        "yes" if plan.for_programs else "no",
        "yes" if plan.embeddings else "no",
        f"{plan.source} ({plan.seen})",
    ]


def model_row(model: Model) -> list[str]:
    """Write a family of models as the document's table has it."""
    thinks: str = model.thinks
    if model.efforts:
        thinks += f"; efforts {', '.join(model.efforts)}"
    if model.always_on:
        thinks += f"; always on {names(model.always_on)}"
    return [
        names(model.ids),
        "?" if model.context is None else f"{model.context:,}",
        "?" if model.output is None else f"{model.output:,}",
        ", ".join(model.inputs) or "?",
        thinks,
        "-"
        if model.thinks in {"never", "always"}
        else " ".join(f"`{model.off[0]}: {json.dumps(model.off[1])}`".split()),
        "-" if model.thinks == "never" else ", ".join(model.refuses),
        "yes" if model.json_schema else "-",
        f"{model.source} ({model.seen})",
    ]


def embedding_row(model: EmbeddingModel) -> list[str]:
    """Write a model that embeds as the document's table has it."""
    lengths = ", ".join(map(str, model.dimensions))
    return [f"`{model.id}`", lengths, str(model.texts), f"{model.tokens:,}", f"{model.source} ({model.seen})"]


def test_the_plans_are_those_of_the_catalogue() -> None:
    """The table holds every plan with its address, keys, models and terms, and no other."""
    assert rows("Plans") == [plan_row(plan) for plan in (*PLAN_ROWS, WORKSPACE_PLAN)]


def test_the_models_are_those_of_the_catalogue() -> None:
    """The tables hold every family of models with all that is known of it, and no other."""
    assert rows("Models") == [model_row(model) for model in MODEL_ROWS]
    assert rows("Models that embed") == [embedding_row(model) for model in EMBEDDING_ROWS]


def test_the_fields_let_through_are_those_of_the_code() -> None:
    """The table names exactly the fields that reach the portal."""
    assert sorted(code_spans(" ".join(row[0] for row in rows("Fields")))) == sorted(_PORTAL_FIELDS)


def test_every_scenario_has_its_section() -> None:
    """The table names each scenario of the emulator once, beside a section that is there."""
    table = rows("What the emulator does of this")
    assert sorted(code_spans(" ".join(row[1] for row in table))) == sorted(SCENARIOS)
    assert [row[0] for row in table if row[0] not in HEADINGS] == []


def answer_of(code: str, message: str) -> tuple[dict[str, str], bytes]:
    """Build the headers and the body that a row of the table of errors describes."""
    if code == "-":
        if message == "(web page)":
            return {"content-type": "text/html"}, b"<!doctype html><html></html>"
        return {"content-type": "text/plain"}, b"" if message == "(empty)" else message.encode()
    known = {name: value for name, value in (("message", message), ("code", code)) if value != "?"}
    return {"content-type": "application/json"}, json.dumps({"error": known, "request_id": "1"}).encode()


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [pytest.param(*row[:4], id=" ".join(row[:3])) for row in rows("Chat errors")],
)
def test_an_error_gets_the_class_that_the_document_says(status: str, code: str, message: str, expected: str) -> None:
    """Each row of the table of errors, sent by a service, becomes the error class in it."""
    headers, body = answer_of(code, message)
    assert type(error_from_response(int(status), headers, body, host="portal.qwen.ai")).__name__ == expected
