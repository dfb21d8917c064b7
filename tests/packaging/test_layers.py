"""The contracts of `[tool.importlinter]`: each is kept, and an import planted against it is found."""

import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("qwen_portal", "langchain_qwen_portal", "litellm_qwen_portal")
CONTRACTS: dict[str, dict[str, Any]] = {
    contract["name"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
}

(LAYERED,) = (name for name, contract in CONTRACTS.items() if contract["type"] == "layers")
LAYERS = [layer.split(" : ") for layer in CONTRACTS[LAYERED]["layers"]]

# A contract's first words, the module that gets an import, and the import.
PLANTED = [
    *[("A room of the core", lower[0], f"import qwen_portal.{upper[0]}") for upper, lower in pairwise(LAYERS)],
    ("The integrations know the core", "client", "import langchain_qwen_portal.errors"),
    ("The integrations know the core", "http.exchange", "import litellm_qwen_portal"),
    ("The integrations know the core", "errors", "import langchain_core"),
    ("The integrations know the core", "quota.attempts", "import langchain_openai"),
    ("The integrations know the core", "cli.status", "import langchain_openai"),
    ("The integrations know the core", "settings", "import litellm"),
    ("The two integrations", "langchain_qwen_portal.errors", "import litellm_qwen_portal.errors"),
    ("The two integrations", "litellm_qwen_portal.errors", "import langchain_qwen_portal"),
    ("The emulator shares no code", "emulator.wire", "import qwen_portal.text"),
    ("The emulator shares no code", "emulator.oauth", "from qwen_portal.oauth import refresh"),
    ("The HTTP library", "quota.attempts", "import httpx"),
    ("The HTTP library", "tokens.refresh", "import httpx"),
    ("The HTTP library", "sign_in.device_flow", "import httpcore"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the three packages and their contracts."""
    folder = tmp_path_factory.mktemp("layers")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def source(tree: Path, module: str) -> Path:
    """Return the file of a module; one of the core is named without its package."""
    path = (
        tree.joinpath(*module.split("."))
        if module.startswith(PACKAGES)
        else tree.joinpath("qwen_portal", *module.split("."))
    )
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def lint_imports(tree: Path) -> tuple[int, str]:
    """Check a tree; return the exit code and what was printed."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=tree, capture_output=True, text=True, check=False
    )
    return done.returncode, click.unstyle(done.stdout + done.stderr)


def test_an_untouched_copy_keeps_every_contract(tree: Path) -> None:
    """What the other tests plant is the only reason why they see a contract broken."""
    code, printed = lint_imports(tree)

    assert code == 0, printed
    assert [name for name in CONTRACTS if f"{name} KEPT" not in printed] == []


@pytest.mark.parametrize(("contract", "module", "line"), PLANTED, ids=lambda value: value.split(" import ")[0])
def test_a_planted_import_breaks_its_contract(tree: Path, contract: str, module: str, line: str) -> None:
    """The check sees each floor of the core, each integration, the emulator and the HTTP library's rooms."""
    (name,) = (name for name in CONTRACTS if name.startswith(contract))
    path = source(tree, module)
    before = path.read_text("utf-8")
    path.write_text(f"{before}\n{line}\n", "utf-8")

    code, printed = lint_imports(tree)
    path.write_text(before, "utf-8")

    assert code == 1, printed
    assert f"{name} BROKEN" in printed


def test_every_contract_is_tried() -> None:
    """A new contract comes with an import that breaks it."""
    assert [name for name in CONTRACTS if not name.startswith(tuple(contract for contract, _, _ in PLANTED))] == []


def test_the_emulator_is_kept_from_every_room_of_the_core() -> None:
    """A room that is added to the layers is added to the emulator's contract; the version it may know."""
    (contract,) = (contract for name, contract in CONTRACTS.items() if name.startswith("The emulator"))
    rooms = {f"qwen_portal.{room}" for layer in LAYERS for room in layer}
    assert set(contract["forbidden_modules"]) == rooms - {"qwen_portal._version"}
