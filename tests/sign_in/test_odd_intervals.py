"""Danger: a sign-in host names an interval or a lifetime that could not be meant."""

import json
import time
from typing import Any

import httpx
import pytest

from qwen_portal.errors import QwenLoginTimeoutError
from qwen_portal.session import Session
from qwen_portal.sign_in import device_flow
from qwen_portal.sign_in.device_flow import sign_in
from tests.scripted import answering

ODD = [1e9, 1e308, 1e-9, 0, -5, "soon", "1e400", None, True, [], 0.2]


class Clock:
    """A clock that sleeping alone moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds


def _sign_in_until_the_code_is_void(monkeypatch: pytest.MonkeyPatch, device: dict[str, Any]) -> tuple[Clock, int]:
    polls = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal polls
        if request.url.path.endswith("/device/code"):
            page = "https://chat.qwen.ai/authorize"
            body = {"device_code": "d", "user_code": "u", "verification_uri": page} | device
            return httpx.Response(200, content=json.dumps(body))
        polls += 1
        return httpx.Response(400, json={"error": "authorization_pending"})

    clock = Clock()
    monkeypatch.setattr(device_flow, "time", clock)
    with answering(handler, monkeypatch), pytest.raises(QwenLoginTimeoutError):
        sign_in(Session(), None, show=lambda event: None, sleep=clock.sleep)
    return clock, polls


@pytest.mark.parametrize("interval", ODD, ids=repr)
def test_the_interval_is_a_second_at_least_and_no_more_than_is_left(
    monkeypatch: pytest.MonkeyPatch, interval: object
) -> None:
    """Neither hundreds of polls in a second, nor a wait without end; the last poll comes when the code is void."""
    clock, polls = _sign_in_until_the_code_is_void(monkeypatch, {"interval": interval, "expires_in": 60})
    assert 1 <= polls <= 60
    assert clock.now == pytest.approx(60)
    assert all(seconds >= 1 for seconds in clock.slept[:-1])


@pytest.mark.parametrize("life", [1e9, 1e308, "1e400", -1, 0, None], ids=repr)
def test_a_code_is_good_for_a_day_at_most(monkeypatch: pytest.MonkeyPatch, life: object) -> None:
    """A host that says otherwise is not believed."""
    started = time.monotonic()
    clock, _ = _sign_in_until_the_code_is_void(monkeypatch, {"interval": 1e9, "expires_in": life})
    assert clock.now <= 86_400
    assert time.monotonic() - started < 60
