"""The quickstart notebook, run as a person without an account runs it."""

import json
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from qwen_portal.emulator import Emulator
from tests.children import loopback_only

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
SECONDS = 180


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the running Python the kernel, in a home of its own and without a way to the network."""
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    for name, folder in {
        "HOME": "home",
        "IPYTHONDIR": "ipython",
        "JUPYTER_PATH": "jupyter",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "QWEN_PORTAL_HOME": "state",
    }.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("PYTHONPATH", loopback_only()["PYTHONPATH"])


@pytest.mark.usefixtures("kernel")
def test_notebook_runs_without_an_account(tmp_path: Path) -> None:
    """Every cell runs, and each part shows what it promises."""
    outputs = run(tmp_path)
    assert "emulator answers" in outputs["setup"]
    assert "default oauth oauth (active)" in outputs["sign-in"]
    assert "kept in a file" in outputs["sign-in"]
    assert_answers(outputs)
    assert "default: plan oauth, store file, good until" in outputs["accounts"]
    assert "['coder-model', 'vision-model']" in outputs["accounts"]
    assert not list(tmp_path.rglob("accounts.json")), "the notebook signed in outside of its temporary folder"


@pytest.mark.usefixtures("kernel")
def test_notebook_runs_with_a_key(tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has an account is not signed in to the emulator: the account answers."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-placeholder")
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    outputs = run(tmp_path)
    assert "Your own account" in outputs["setup"]
    assert_answers(outputs)
    assert {entry.headers["authorization"] for entry in emulator.log()} == {"Bearer sk-placeholder"}


def test_notebook_is_kept_without_outputs() -> None:
    """No outputs, no execution counts, no traces of somebody's machine: a diff shows what was written."""
    text = NOTEBOOK.read_text("utf-8")
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert {(cell.execution_count, len(cell.outputs), len(cell.metadata)) for cell in code} == {(None, 0, 0)}
    assert nbformat.writes(notebook) == text.removesuffix("\n")  # type: ignore[no-untyped-call]
    assert set(notebook.metadata.language_info) == {"name"}


def assert_answers(outputs: dict[str, str]) -> None:
    """Check what does not depend on who answers."""
    assert "42" in outputs["langchain-chain"].replace("|", "")
    assert outputs["langchain-chain"].count("|") > 2
    assert "5" in outputs["langchain-async"]
    assert "the model calls multiply {'a': 6, 'b': 7}" in outputs["langchain-tool"]
    assert "42" in outputs["langchain-tool"].splitlines()[-1]
    assert "8x8" in outputs["langchain-image"]
    assert "vision-model" in outputs["langchain-image"].partition("refused:")[2]
    assert "42" in outputs["litellm"]


def run(folder: Path) -> dict[str, str]:
    """Run the notebook; return what each cell showed."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {cell.id: "".join(map(_shown, cell.outputs)) for cell in code}


def _shown(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        assert output.name == "stdout", f"a cell wrote to stderr: {output.text}"
        return str(output.text)
    return "".join(str(text) for kind, text in output.data.items() if kind.startswith("text/"))
