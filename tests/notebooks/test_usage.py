"""The usage notebook, run as a person without an account runs it."""

from pathlib import Path

import pytest

from tests.notebooks.running import run


@pytest.mark.long
@pytest.mark.usefixtures("kernel", "unmeasured")
def test_what_was_used_is_plotted_without_an_account(tmp_path: Path) -> None:
    """Each plot has the bars of what the cell before asked for."""
    outputs = run("usage", tmp_path)
    assert "emulator answers" in outputs["setup"]
    assert "after a quota error: degrade" in outputs["ask"]
    assert "18 requests in 30 days" in outputs["ask"]
    assert "Tokens per day and model" in outputs["tokens"]
    assert outputs["tokens"].count("<tr>") == 2
    assert "coder-model" in outputs["tokens"]
    assert "vision-model" in outputs["tokens"]
    assert "1 times" in outputs["cool-downs"]
    assert "default rests until" in outputs["cool-downs"]
    assert outputs["first-token"].count("<tr>") == 1
    assert not list(tmp_path.rglob("ledger.sqlite3")), "the notebook counted outside of its temporary folder"
