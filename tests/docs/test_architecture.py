"""docs/architecture.md shows the house as it is: the picture is the contract's, and every file it names is there."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "qwen_portal"
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]

PICTURE = TEXT.split("```mermaid\n")[1].split("```")[0]
INSIDE = PICTURE.split("    subgraph core")[1].split("    end\n")[0]
# What stands between backticks and looks like a path: a folder, or a file with an ending.
PATHS = sorted(set(re.findall(r"`([A-Za-z0-9_.]+/[A-Za-z0-9_./]*|\.?[A-Za-z_]+\.(?:py|toml|md|sh|example))`", TEXT)))


def is_there(path: str) -> bool:
    """Tell whether a file or folder is in the core or, with its top folder, in the repository."""
    return (CORE / path).exists() or (ROOT / path).exists()


def test_the_picture_has_the_layers_of_the_contract() -> None:
    """One node per layer, from top to bottom, with the names that `lint-imports` checks."""
    drawn = re.findall(r'^ +(\w+)\["([^<"]+)', INSIDE, re.MULTILINE)
    (layers,) = (contract["layers"] for contract in CONTRACTS if contract["type"] == "layers")

    assert [names.split(" · ") for _, names in drawn] == [layer.split(" : ") for layer in layers]
    assert " --> ".join(node for node, _ in drawn) in INSIDE


def test_the_picture_has_the_three_packages_and_what_stands_apart() -> None:
    """The integrations above the core, and the emulator, which no contract joins to it."""
    (integrations,) = (contract["modules"] for contract in CONTRACTS if contract["type"] == "independence")
    for package in integrations:
        assert re.search(rf'\["{package}"\] --> core', PICTURE)
    assert '["qwen_portal.emulator<' in PICTURE.split("    end\n")[1]


def test_the_paths_are_found() -> None:
    """The search sees folders, modules and files at the top of the repository."""
    assert {"quota/", "http/retry.py", "auth.py", ".env.example", "docs/protocol.md"} <= set(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_every_file_it_names_is_there(path: str) -> None:
    """Whoever follows the page finds what it names."""
    assert is_there(path)


def test_every_module_of_the_core_has_its_place() -> None:
    """Each module is named; of the commands, the stores and the parts of the emulator a few stand for all."""
    many = {CORE / "cli", CORE / "emulator", CORE / "storage" / "stores"}
    modules = [path for path in CORE.rglob("*.py") if path.name[0] != "_" and path.parent not in many]
    assert [name for path in modules if (name := path.relative_to(CORE).as_posix()) not in PATHS] == []
