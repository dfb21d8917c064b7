"""How notebooks are kept in the repository."""

from pathlib import Path

import nbformat
import pytest

from tests.notebooks.running import NOTEBOOKS


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: str(path.stem))
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    """No outputs, no execution counts, no traces of somebody's machine: a diff shows what was written."""
    text = path.read_text("utf-8")
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert {(cell.execution_count, len(cell.outputs), len(cell.metadata)) for cell in code} == {(None, 0, 0)}
    assert nbformat.writes(notebook) == text.removesuffix("\n")  # type: ignore[no-untyped-call]
    assert set(notebook.metadata.language_info) == {"name"}
