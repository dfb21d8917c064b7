"""Danger: Ctrl-C or a signal's handler ends a request, and the exception carries the HTTP library's frames along."""

from collections.abc import Callable
from traceback import walk_tb

import httpx
import pytest

from qwen_portal import oauth
from qwen_portal.secrets import Secret
from tests import ways
from tests.canaries import DEVICE, KEY, REFRESH, assert_none_in_error
from tests.scripted import answering

# A frame that is not of the tests, which may hold secrets, and has what the HTTP library's have.
_SENDING = """
def send(request, interruption):
    headers, content = list(request.headers.raw), request.content
    try:
        raise OSError("interrupted system call")
    except OSError:
        raise interruption from None
"""
_WITH_KEY = {"api_key": KEY, "base_url": "http://127.0.0.1:9/v1", "max_retries": 0, "on_quota": "error"}
SIGN_INS: dict[str, Callable[[], object]] = {
    "poll": lambda: oauth.poll(Secret(DEVICE), Secret(REFRESH)),
    "refresh": lambda: oauth.refresh(Secret(REFRESH)),
}
CHATS: dict[str, Callable[[], object]] = {
    way.__name__: lambda way=way: way(client=_WITH_KEY)  # type: ignore[misc]
    for way in ways.ALL
}


class AlarmError(Exception):
    """What a signal's handler raises."""


@pytest.mark.parametrize("kind", [AlarmError, KeyboardInterrupt])
@pytest.mark.parametrize("act", (SIGN_INS | CHATS).values(), ids=SIGN_INS | CHATS)
def test_who_interrupts_a_request_gets_no_secret(
    act: Callable[[], object], kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the form of a sign-in nor the bearer, in no frame of the exception or of what it came from."""
    elsewhere: dict[str, Callable[..., httpx.Response]] = {}
    exec(compile(_SENDING, "elsewhere.py", "exec"), elsewhere)  # noqa: S102 - a frame of nobody's file
    interruption = kind("enough")
    with answering(lambda request: elsewhere["send"](request, interruption), monkeypatch) as asked:
        with pytest.raises(kind) as raised:
            act()
        assert asked
    assert any(entry.name == "send" for entry in raised.traceback)
    assert_none_in_error(raised.value)


def test_frames_of_before_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is handling an error of their own when they ask can still look into it afterwards."""
    elsewhere: dict[str, Callable[[], None]] = {}
    exec(compile("def fail():\n    mine = 1\n    raise ValueError\n", "elsewhere.py", "exec"), elsewhere)  # noqa: S102 - as above

    def interrupted(_: httpx.Request) -> httpx.Response:
        raise AlarmError

    def ask() -> None:
        try:
            elsewhere["fail"]()
        except ValueError:
            oauth.refresh(Secret(REFRESH))

    with answering(interrupted, monkeypatch), pytest.raises(AlarmError) as raised:
        ask()
    before = raised.value.__context__
    assert before is not None
    frames = [frame.f_locals for frame, _ in walk_tb(before.__traceback__)]
    assert {"mine": 1} in frames
