"""Danger: a sign-in or a refresh goes wrong, and its code, verifier or tokens show."""

from collections.abc import Callable

import httpx
import pytest

import qwen_portal
from qwen_portal.emulator import SCENARIOS, Emulator, Place
from qwen_portal.errors import QwenError
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import sign_in
from qwen_portal.sign_in.display import default_display
from tests.canaries import DEVICE, REFRESH, assert_none_in, assert_none_in_error
from tests.leaks.echoes import ECHOES, Echo, keep_canaries
from tests.leaks.heard import Heard, secrets_of
from tests.scripted import answering, form
from tests.sign_ins import keep_sign_in

SIGN_IN = (Place.DEVICE, Place.POLL)
# The scenarios of each place, and those of a chat that any server may be in; who holds an answer back is waited for.
FAULTS = [
    (place, name)
    for place in (*SIGN_IN, Place.REFRESH)
    for name, scenario in SCENARIOS.items()
    if (place in scenario.places or name in {"error-500", "html-502", "burst", "drop"}) and name != "held"
]


CONFIDENTIAL = {"device_code", "code_verifier", "refresh_token"}
CODE = {"device_code": DEVICE, "user_code": "AB-12", "verification_uri": "https://chat.qwen.ai/authorize"}


def attempt(act: Callable[[], object]) -> QwenError | None:
    """Do it; give the error that it ends in."""
    try:
        act()
    except QwenError as exc:
        return exc
    return None


def log_in() -> None:
    """Sign in as a person at a terminal does, without the waits between two polls."""
    sign_in(Session(), None, show=default_display(open_browser=False), sleep=lambda _: None)


@pytest.mark.parametrize(("place", "scenario"), FAULTS)
def test_no_sign_in_and_no_refresh_shows_a_secret(
    place: Place, scenario: str, emulator: Emulator, heard: Heard
) -> None:
    """Not the device code, not the PKCE verifier, no token; on the screen, in the log or in a frame."""
    keep_sign_in(emulator)
    emulator.scenario(scenario, times=2, where=place)
    failure = attempt(log_in if place in SIGN_IN else lambda: qwen_portal.get_access_token(force_refresh=True))
    said, secrets = heard.text(), secrets_of(emulator)
    assert said
    assert len(secrets) >= 3
    assert_none_in(said, secrets)
    if failure is not None:
        assert_none_in_error(failure, secrets)


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("act", [log_in, lambda: qwen_portal.get_access_token(force_refresh=True)])
def test_a_sign_in_host_that_repeats_what_it_is_told_is_not_repeated(
    act: Callable[[], object],
    echo: Echo,
    status: int,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever form its answer has, of what it says the error keeps what is no secret, and little of that."""
    keep_canaries()
    told: set[str] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/device/code"):
            return httpx.Response(200, json=CODE)
        secrets = [value for name, value in form(request).items() if name in CONFIDENTIAL]
        told.update(secrets)
        kind, body = echo(" ".join(secrets))
        return httpx.Response(status, content=body, headers={"content-type": kind, "x-request-id": secrets[0]})

    monkeypatch.setattr("qwen_portal.sign_in.device_flow.time.monotonic", iter(range(0, 100_000, 100)).__next__)
    with answering(answer, monkeypatch):
        failure = attempt(act)
    assert told & {DEVICE, REFRESH}
    assert failure is not None
    assert len(str(failure)) < 1000
    assert_none_in(heard.text(), told)
    assert_none_in_error(failure, told)


@pytest.mark.parametrize("act", [log_in, lambda: qwen_portal.get_access_token(force_refresh=True)])
def test_what_the_http_library_quotes_of_a_sign_in_host_is_masked(
    act: Callable[[], object], heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A status line or the size of a chunk that repeats a code or a token stands in its errors' texts."""
    keep_canaries()
    told: set[str] = set()

    def breaks(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/device/code"):
            return httpx.Response(200, json=CODE)
        secrets = [value for name, value in form(request).items() if name in CONFIDENTIAL]
        told.update(secrets)
        raise httpx.RemoteProtocolError(f"illegal chunk header: bytearray(b'{' '.join(secrets)}')", request=request)

    monkeypatch.setattr("qwen_portal.sign_in.device_flow.time.monotonic", iter(range(0, 100_000, 100)).__next__)
    with answering(breaks, monkeypatch):
        failure = attempt(act)
    assert told & {DEVICE, REFRESH}
    assert failure is not None
    assert_none_in(heard.text(), told)
    assert_none_in_error(failure, told)
