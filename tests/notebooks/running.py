"""Running a notebook as a person runs it: every cell, from top to bottom."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SECONDS = 180


def run(name: str, folder: Path) -> dict[str, str]:
    """Run a notebook; return what each cell showed."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {cell.id: "".join(map(_shown, cell.outputs)) for cell in code}


def _shown(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        assert output.name == "stdout", f"a cell wrote to stderr: {output.text}"
        return str(output.text)
    return "".join(str(text) for kind, text in output.data.items() if kind.startswith("text/"))
