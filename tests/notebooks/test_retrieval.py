"""The retrieval notebook, run as a person without an account runs it."""

from pathlib import Path

import pytest

from tests.notebooks.running import run


@pytest.mark.long
@pytest.mark.usefixtures("kernel", "unmeasured")
def test_a_question_is_answered_from_the_text_that_is_about_it(tmp_path: Path) -> None:
    """Each question finds its text, and the text reaches the chat model."""
    outputs = run("retrieval", tmp_path)
    assert "emulator answers" in outputs["setup"]
    assert outputs["vectors"].strip() == "5 vectors of 512 numbers"
    found = [line.partition("? ")[2] for line in outputs["search"].splitlines()]
    assert [line.split()[1] for line in found] == ["passport", "swimming", "library"]
    assert "A passport is renewed at the town hall" in outputs["answer"]
    assert not list(tmp_path.rglob("accounts.json")), "the notebook kept a key outside of its temporary folder"
