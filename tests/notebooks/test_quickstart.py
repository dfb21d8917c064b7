"""The quickstart notebook, run as a person without an account runs it."""

from pathlib import Path

import pytest

from qwen_portal.emulator import Emulator
from tests.notebooks.running import run


@pytest.mark.long
@pytest.mark.usefixtures("kernel", "unmeasured")
def test_notebook_runs_without_an_account(tmp_path: Path) -> None:
    """Every cell runs, and each part shows what it promises."""
    outputs = run("quickstart", tmp_path)
    assert "emulator answers" in outputs["setup"]
    assert "default oauth oauth (active)" in outputs["sign-in"]
    assert "kept in a file" in outputs["sign-in"]
    assert_answers(outputs)
    assert "default: plan oauth, store file, good until" in outputs["accounts"]
    assert "['coder-model', 'vision-model']" in outputs["accounts"]
    assert not list(tmp_path.rglob("accounts.json")), "the notebook signed in outside of its temporary folder"


@pytest.mark.long
@pytest.mark.usefixtures("kernel", "unmeasured")
def test_notebook_runs_with_a_key(tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has an account is not signed in to the emulator: the account answers."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-placeholder")
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    outputs = run("quickstart", tmp_path)
    assert "Your own account" in outputs["setup"]
    assert_answers(outputs)
    assert {entry.headers["authorization"] for entry in emulator.log()} == {"Bearer sk-placeholder"}


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
