"""Compare the catalogue of plans and models with what others publish, and print where they differ.

    python scripts/check_catalogue.py
    npm pack @qwen-code/qwen-code && tar xzf qwen-code-qwen-code-*.tgz
    python scripts/check_catalogue.py --qwen-code package

Compared are LiteLLM's price table, of the version that is installed or of --litellm FILE, and the presets in an
unpacked package of the vendor's CLI. A difference that the catalogue explains (DIFFERENCES) is not printed. It reports,
and never fails: the facts are theirs, and what to make of them is a person's decision.
"""

import argparse
import importlib.util
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from qwen_portal.service.catalogue import DIFFERENCES, PLAN_ROWS
from qwen_portal.service.models import family, model_on
from qwen_portal.service.plans import PLANS

_TABLE = "model_prices_and_context_window_backup.json"
_OURS = re.compile(r"(qwen|qwq|qvq)")
# The variables of the bundle, and a plan that has what stands in them.
_PRESETS = {"MODELSTUDIO_MODELS": "coding", "TOKEN_PLAN_MODELS": "token", "alibabaStandardProvider": "studio"}
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|[A-Za-z_]\w*(?=\s*:)')


class Found(NamedTuple):
    """A fact that somebody else publishes, beside ours.

    Attributes:
        whose: Who publishes it.
        model: The model's id, or the plan's address.
        field: What it is about.
        theirs: Their value.
        ours: Ours.
    """

    whose: str
    model: str
    field: str
    theirs: Any
    ours: Any

    def explained(self) -> bool:
        """Whether the catalogue says why the two differ."""
        return any(
            row.whose == self.whose
            and row.field == self.field
            and row.theirs == self.theirs
            and any(fnmatchcase(self.model, pattern) for pattern in row.ids)
            for row in DIFFERENCES
        )


def of_litellm(table: dict[str, Any]) -> Iterator[Found]:
    """Compare the chat models of Model Studio and QwenCloud in LiteLLM's price table."""
    for name, row in table.items():
        provider, _, model = name.partition("/")
        if provider not in {"dashscope", "qwencloud"} or row.get("mode") != "chat" or not _OURS.match(model):
            continue
        ours = family(model)
        if ours.context is None or ours.output is None:
            yield Found("LiteLLM", model, "limits", "known", "unknown")
            continue
        yield Found("LiteLLM", model, "context", row.get("max_input_tokens"), ours.context)
        yield Found("LiteLLM", model, "output", row.get("max_output_tokens"), ours.output)
        yield Found("LiteLLM", model, "sees", bool(row.get("supports_vision")), "image" in ours.inputs)
        yield Found("LiteLLM", model, "thinks", bool(row.get("supports_reasoning")), ours.thinks != "never")
        yield Found("LiteLLM", model, "json_schema", bool(row.get("supports_response_schema")), ours.json_schema)


def of_qwen_code(package: Path) -> Iterator[Found]:
    """Compare the presets of the vendor's CLI; what a preset leaves out says nothing."""
    bundle = next((text for text in _sources(package) if all(f"var {name} = " in text for name in _PRESETS)), None)
    if bundle is None:
        yield Found("qwen-code", str(package), "presets", "not found", "expected")
        return
    known = {plan.base_url for plan in PLAN_ROWS}
    for address in sorted(set(re.findall(r'"(https://[^"]+\.aliyuncs\.com/[^"]*v1)"', bundle))):
        yield Found("qwen-code", address, "address", "a plan's", "a plan's" if address in known else "unknown")
    for name, plan in _PRESETS.items():
        for model in _models(bundle, name):
            if _OURS.match(model["id"]):
                yield from _preset(plan, model)


def _preset(plan: str, theirs: dict[str, Any]) -> Iterator[Found]:
    model, reasoning = theirs["id"], theirs.get("capabilities", {}).get("reasoning", {})
    ours = model_on(PLANS[plan], model)
    yield Found("qwen-code", model, "context", theirs["contextWindowSize"], ours.context)
    for kind, is_taken in theirs.get("modalities", {}).items():
        yield Found("qwen-code", model, kind, is_taken, kind in ours.inputs)
    if not reasoning:
        return
    yield Found("qwen-code", model, "thinks", reasoning["thinking"], ours.thinks != "never")
    yield Found("qwen-code", model, f"always on {plan}", reasoning.get("canDisable") is False, ours.thinks == "always")
    yield Found("qwen-code", model, "efforts", tuple(reasoning.get("efforts", ())), ours.efforts)
    if ours.thinks != "always":
        yield Found("qwen-code", model, "off", reasoning["disableField"], ours.off[0])


def _sources(package: Path) -> Iterator[str]:
    for path in sorted(package.rglob("*.js")):
        yield path.read_text("utf-8", errors="replace")


def _models(bundle: str, name: str) -> list[dict[str, Any]]:
    """Read the list of models that a variable holds, a literal of JavaScript."""
    start = bundle.index(f"var {name} = ")
    begin = bundle.index("[", bundle.index("models: [", start) if name.endswith("Provider") else start)
    depth, end = 0, begin
    for end in range(begin, len(bundle)):
        depth += {"[": 1, "]": -1}.get(bundle[end], 0)
        if depth == 0:
            break
    models: list[dict[str, Any]] = json.loads(_TOKEN.sub(_as_json, bundle[begin : end + 1]))
    return models


def _as_json(token: re.Match[str]) -> str:
    text = token[0]
    return "" if text.startswith("//") else text if text.startswith('"') else f'"{text}"'


def _installed_table() -> Path | None:
    # importing LiteLLM takes seconds and may fetch a newer table
    spec = importlib.util.find_spec("litellm")
    return None if spec is None or spec.origin is None else Path(spec.origin).with_name(_TABLE)


def report(litellm: Path | None, qwen_code: Path | None) -> list[str]:
    """Compare, and return the lines to print.

    Args:
        litellm: LiteLLM's price table.
        qwen_code: The folder of an unpacked package.
    """
    found: list[Found] = []
    if litellm is not None:
        found += of_litellm(json.loads(litellm.read_text("utf-8")))
    if qwen_code is not None:
        found += of_qwen_code(qwen_code)
    differing = [each for each in dict.fromkeys(found) if each.theirs != each.ours]
    lines = [
        f"{each.whose}: {each.model}: {each.field}: theirs {each.theirs!r}, ours {each.ours!r}"
        for each in differing
        if not each.explained()
    ]
    return [*lines, f"{len(found)} facts compared; {len(differing)} differ, {len(lines)} without an explanation."]


def main() -> None:
    """Print the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm", type=Path, metavar="FILE", default=_installed_table())
    parser.add_argument("--qwen-code", type=Path, metavar="FOLDER")
    wanted = parser.parse_args()
    print("\n".join(report(wanted.litellm, wanted.qwen_code)))


if __name__ == "__main__":
    main()
