"""Recorded sign-ins, replayed with sockets off."""

import socket

import pytest
from pytest_socket import SocketBlockedError
from vcr.errors import CannotOverwriteExistingCassetteException  # type: ignore[import-untyped]

import qwen_portal
from qwen_portal import oauth
from qwen_portal.secrets import Secret
from tests.cassettes.conftest import Replay
from tests.cassettes.tape import CASSETTES, replaying

pytestmark = pytest.mark.disable_socket


def test_sockets_are_off() -> None:
    """What these tests hear can only come from a cassette: not even this machine can be reached."""
    with pytest.raises(SocketBlockedError):
        socket.create_connection(("127.0.0.1", 80))


def test_device_flow_signs_in(replay: Replay) -> None:
    """A code, a pending poll and a token make a signed-in account."""
    account = replay("sign_in/device_flow")
    assert (account.label, account.kind, account.active) == ("default", "oauth", True)
    assert qwen_portal.get_access_token() == "access-token-1"


def test_denied_sign_in_leaves_nothing(replay: Replay) -> None:
    """Who is refused in the browser is told so, and no account is there."""
    assert "refused in the browser" in replay("sign_in/denied")
    assert qwen_portal.accounts() == []


def test_refresh_sends_the_token_of_the_sign_in_and_keeps_the_new_one(replay: Replay) -> None:
    """The request matches only with the refresh token that the sign-in's answer gave."""
    assert replay("sign_in/refresh") == ["access-token-1", "access-token-2"]
    assert qwen_portal.get_access_token() == "access-token-2"


def test_refused_token_is_renewed_and_the_request_repeated(replay: Replay) -> None:
    """A chat with a dead token costs a refresh, and is answered."""
    assert "42" in replay("sign_in/renewal")
    assert qwen_portal.get_access_token() == "access-token-2"


@pytest.mark.parametrize("token", ["refresh-token-2", "of-somebody-else"])
def test_refresh_with_another_token_is_refused(token: str) -> None:
    """A client that sends the wrong refresh token does not get the recorded answer."""
    with (
        replaying(CASSETTES / "sign_in/refresh.yaml"),
        pytest.raises(CannotOverwriteExistingCassetteException, match="No match for the request"),
    ):
        oauth.refresh(Secret(token))
