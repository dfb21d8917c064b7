"""Nobody is signed in, and whatever is asked for: no sign-in begins by itself."""

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenTokenNotAvailableError
from tests.cli.program import run
from tests.leaks.roads import ROADS, Road
from tests.litellm.conftest import own_litellm

__all__ = ["own_litellm"]


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
def test_no_request_starts_a_sign_in(road: Road, emulator: Emulator) -> None:
    """It fails at once, and names the command."""
    with pytest.raises(Exception, match="qwen-portal login"):
        road()
    assert emulator.log() == []


def test_no_call_and_no_command_but_login_starts_one(emulator: Emulator) -> None:
    """Neither a token, nor a check, nor a conversation."""
    with pytest.raises(QwenTokenNotAvailableError):
        qwen_portal.get_access_token()
    with pytest.raises(QwenTokenNotAvailableError), qwen_portal.keep_alive():
        pass
    for args in (
        ("token", "--refresh"),
        ("status", "--check"),
        ("check",),
        ("chat", "Hello"),
        ("accounts",),
        ("models",),
    ):
        run(*args)
    assert emulator.log() == []
