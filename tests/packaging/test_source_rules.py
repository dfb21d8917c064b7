"""The rules that keep the source easy to walk through: small rooms, short modules, no neighbour's private name."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "qwen_portal"
PACKAGES = (CORE, ROOT / "langchain_qwen_portal", ROOT / "litellm_qwen_portal")
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))

# A room beyond these is two rooms. One file per command, and per part of the service, may be many.
MOST_IN_A_FOLDER, MOST_AT_THE_TOP = 12, 14
UNLIMITED = {CORE / "cli", CORE / "emulator"}
NOT_COUNTED = {"__init__.py", "__main__.py", "_version.py"}
MOST_LINES = 350
# "What the service says when …" makes a reader guess at the thing; a noun names it.
QUESTIONS = ("What ", "Which ", "How ", "Where ", "When ", "Whether ", "Who ", "Why ")

# Words that only their author understood; a term of OAuth or HTTP has taken the place of each.
RETIRED = {"Course", "Turn", "Glance", "told", "rehearse", "usable", "serves", "judge_401", "obtain", "ring", "Begun"}
# A turn of a conversation is what chat models call it: a question and what has been said on it since.
KEPT = {("qwen_portal/emulator", "Turn")}


def tree(path: Path) -> ast.Module:
    """Parse a module."""
    return ast.parse(path.read_text("utf-8"), str(path))


def identifiers(module: ast.Module) -> Iterator[str]:
    """Yield every name that a module uses or defines, without leading underscores."""
    for node in ast.walk(module):
        for field in ("id", "attr", "name", "asname", "arg", "rest"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield from (part.lstrip("_") for part in name.split("."))


def private_uses(module: ast.Module) -> Iterator[str]:
    """Yield the private names that a module takes from another one of ours, by import or as an attribute."""
    imported: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0].endswith("qwen_portal"):
            imported |= {alias.asname or alias.name for alias in node.names}
            yield from (alias.name for alias in node.names if is_private(alias.name))
    for node in ast.walk(module):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            continue
        if node.value.id in imported and is_private(node.attr):
            yield f"{node.value.id}.{node.attr}"


def is_private(name: str) -> bool:
    """Tell whether a name is for its own module; `__version__` and its like are not."""
    return name.startswith("_") and not name.endswith("__")


def name_of(path: Path) -> str:
    """Return a path as the repository has it."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES if CORE in path.parents}), ids=name_of)
def test_a_folder_of_the_core_can_be_taken_in_at_a_glance(folder: Path) -> None:
    """Who opens a room sees at once what is in it."""
    modules = [path for path in folder.glob("*.py") if path.name not in NOT_COUNTED]
    most = MOST_AT_THE_TOP if folder == CORE else MOST_IN_A_FOLDER
    assert folder in UNLIMITED or len(modules) <= most


def test_no_module_is_longer_than_what_one_reads_in_one_go() -> None:
    """A module that grows beyond this has two subjects."""
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_a_modules_first_line_names_the_thing() -> None:
    """A list of first lines is a table of contents."""
    opened = {name_of(path): ast.get_docstring(tree(path)) or "" for path in MODULES}
    assert [name for name, docstring in opened.items() if docstring.startswith(QUESTIONS)] == []


def test_no_module_takes_a_neighbours_private_name() -> None:
    """What begins with an underscore may change without a look at the other modules."""
    assert [(name_of(path), name) for path in MODULES for name in private_uses(tree(path))] == []


@pytest.mark.parametrize(
    "line",
    [
        "from qwen_portal.storage.index import _read",
        "from qwen_portal.storage import index\nindex._read()",
        "from qwen_portal.storage import index as kept\nkept._read()",
    ],
)
def test_a_private_name_is_recognised(line: str) -> None:
    """Both ways to take one are seen."""
    assert list(private_uses(ast.parse(line)))


def test_the_retired_names_are_gone() -> None:
    """A reader who knows OAuth and HTTP needs no vocabulary of ours."""
    left = [
        (name_of(path), name)
        for path in MODULES
        for name in sorted(RETIRED.intersection(identifiers(tree(path))))
        if (name_of(path.parent), name) not in KEPT
    ]
    assert left == []


@pytest.mark.parametrize(
    "line",
    ["class Course: ...", "def _obtain(): ...", "self._told = 1", "f(ring=1)", "import glance as Glance", "x = serves"],
)
def test_a_retired_name_is_recognised(line: str) -> None:
    """As a class, a function, an attribute, an argument, an alias and a variable."""
    assert RETIRED.intersection(identifiers(ast.parse(line)))
