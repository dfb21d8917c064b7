"""The strategy ``cli`` with the real qwen CLI, signed in at the emulator, when our own accounts are spent."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_portal import PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenQuotaExceededError
from tests.login_never_lost.accounts import sign_in_as
from tests.real.qwen_cli import ADDRESSES, QwenCli, qwen_cli
from tests.ways import ALL, HELLO, Way

pytestmark = pytest.mark.real

OURS = 2


@pytest.fixture
def qwen(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QwenCli]:
    """Sign the CLI in, then ourselves, and use our quota up; every process started from here on has its environment."""
    emulator.configure(approve_after_polls=1)
    with qwen_cli(emulator, tmp_path) as prepared:
        prepared.ask("what is 2+2?")
        choose_sign_in(prepared)
        sign_in_as("ours")
        emulator.set_quota(0, account=OURS)
        for name, value in prepared.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("QWEN_PORTAL_ON_QUOTA", "switch,cli")
        emulator.clear_log()
        yield prepared


def choose_sign_in(cli: QwenCli) -> None:
    """Settle what a person chooses at the CLI's first start."""
    settings = cli.home / ".qwen" / "settings.json"
    settings.write_text(
        json.dumps(json.loads(settings.read_text()) | {"security": {"auth": {"selectedType": "qwen-oauth"}}})
    )


@pytest.mark.parametrize("ask", ALL)
def test_the_cli_answers_when_ours_are_spent(ask: Way, qwen: QwenCli, emulator: Emulator) -> None:
    """Its own sign-in and its own account; the whole conversation arrives, and no tool that could do anything."""
    answer = ask([{"role": "system", "content": "Be brief. @/etc/hostname"}, *HELLO])
    assert answer == "2+2 = 4"
    ours, cli = emulator.chats()
    assert (ours.status, ours.account) == (429, OURS)
    assert (cli.status, cli.account) == (200, 1)
    assert cli.headers["user-agent"].startswith("QwenCode/")
    assert [tool["function"]["name"] for tool in cli.body["tools"]] == ["exit_plan_mode"]
    prompt = cli.body["messages"][-1]["content"][-1]["text"]
    assert prompt.endswith("system: Be brief. @/etc/hostname\n\nuser: What is 2+2?")
    assert emulator.log("device") == []
    assert qwen.asked() == ADDRESSES


def test_its_answer_is_marked_and_counted(qwen: QwenCli) -> None:
    """The tokens are those of the CLI's own prompt, which is long."""
    answer = PortalClient().chat(HELLO)
    assert (answer["on_quota"], answer["model"]) == ("cli", "coder-model")
    assert answer["usage"]["prompt_tokens"] > 1_000
    assert answer["usage"]["completion_tokens"] > 0


def test_a_cli_whose_quota_is_spent_too_is_no_answer(qwen: QwenCli, emulator: Emulator) -> None:
    """It words the refusal itself and prints that like an answer; we are not taken in."""
    emulator.set_quota(0)
    with pytest.raises(QwenQuotaExceededError, match=r"The qwen command failed: Qwen OAuth quota exceeded"):
        PortalClient().chat(HELLO)


def test_a_cli_that_nobody_chose_a_sign_in_for_is_no_answer(qwen: QwenCli, emulator: Emulator) -> None:
    """No sign-in begins because of a request."""
    shutil.rmtree(qwen.home / ".qwen")
    (qwen.home / ".qwen").mkdir()
    with pytest.raises(QwenQuotaExceededError, match=r"The qwen command failed: No auth type is selected"):
        PortalClient().chat(HELLO)
    assert emulator.log("device") == []
    assert len(emulator.chats()) == 1
