"""The agents notebook, run as a person without an account runs it."""

from pathlib import Path

import pytest

from tests.notebooks.running import run


@pytest.mark.long
@pytest.mark.usefixtures("kernel", "unmeasured")
def test_agents_work_without_an_account(tmp_path: Path) -> None:
    """Ten steps, data, a summary, and a file: each cell shows what it promises."""
    outputs = run("agents", tmp_path)
    assert "emulator answers" in outputs["setup"]
    steps = [line.split()[0] for line in outputs["agent"].splitlines() if "{" in line]
    assert steps == ["add", "multiply"] * 5
    assert outputs["structured"].strip() == "value=42"
    assert "window: 1,000,000 tokens" in outputs["summary"]
    assert "answer: 2+2 = 4" in outputs["summary"]
    assert "['write_file']" in outputs["deep"]
    assert outputs["deep"].splitlines()[-1] == "The sum is 42"
    assert not list(tmp_path.rglob("accounts.json")), "the notebook signed in outside of its temporary folder"
