"""Danger: a request fails, and its token shows in the log, on the screen, or in the frames that the error carries."""

import httpx
import pytest

import qwen_portal
from qwen_portal.emulator import SCENARIOS, Emulator, Place
from qwen_portal.secrets import MASK
from tests import ways
from tests.canaries import ACCESS, REFRESH, assert_none_in, assert_none_in_error
from tests.leaks.echoes import ECHOES, Echo, keep_canaries
from tests.leaks.heard import Heard
from tests.leaks.roads import LITELLMS_OWN, ROADS, Road
from tests.litellm.conftest import finish_logging
from tests.reported import SSE, chunk, event_error, framed
from tests.scripted import Handler, answering

pytestmark = LITELLMS_OWN
# Who falls silent would be waited for; what then is raised, its tests elsewhere see.
CHATS = [name for name, scenario in SCENARIOS.items() if Place.CHAT in scenario.places and name != "silence"]
BY_ROAD = pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)


CHAT, BEARER = "/chat/completions", f"Bearer {ACCESS}"
FRAMES: dict[str, Echo] = {
    "a chunk without an answer": lambda told: (SSE, framed({"id": told, "model": told, "object": told})),
    "an error's event": lambda told: (SSE, event_error(400, told, told)),
    "an error after a chunk": lambda told: (SSE, framed(chunk({"content": "4"})) + framed({"error": told})),
    "no part of an answer": lambda told: (SSE, framed({"choices": told})),
    "no JSON": lambda told: (SSE, f"data: {told}\n\n".encode()),
    "a comment": lambda told: (SSE, f": {told}\n{told}\n\n".encode()),
}


def failure_of(road: Road) -> Exception | None:
    """Go a road; give the error that it ends in."""
    try:
        road()
    except Exception as exc:  # noqa: BLE001 - whatever it is, somebody prints it
        return exc
    finally:
        finish_logging()
    return None


def fails(road: Road, emulator: Emulator, heard: Heard) -> bool:
    """Go a road and tell whether it ended in an error; no token may show on it."""
    failure = failure_of(road)
    said, tokens = heard.text(), emulator.issued_tokens()
    assert said
    assert_none_in(said, tokens)
    if failure is not None:
        assert_none_in_error(failure, tokens)
    return failure is not None


@BY_ROAD
def test_no_answer_and_no_failure_shows_a_token(road: Road, signed_in: Emulator, heard: Heard) -> None:
    """Each way in which the service answers or fails, with all loggers of the process at DEBUG."""
    failed = set()
    for scenario in CHATS:
        # ends what the scenario before has left: a cool-down, the memory of an ended service
        qwen_portal.use("default")
        signed_in.scenario(scenario)
        if fails(road, signed_in, heard):
            failed.add(scenario)
        signed_in.scenario(scenario, on=False)
    assert {"ended", "quota", "moderation", "error-500", "drop"} <= failed
    assert not {"revoked", "holes"} & failed


@BY_ROAD
def test_a_sign_in_that_is_over_shows_no_token(road: Road, signed_in: Emulator, heard: Heard) -> None:
    """The refresh on the way fails: each time with another of the sign-in host's answers."""
    for scenario in ("error-500", "firewall", "empty", "error-in-200", "lost-answer"):
        signed_in.revoke()
        signed_in.scenario(scenario, times=1, where="refresh")
        assert fails(road, signed_in, heard), scenario
        qwen_portal.use("default")


# OpenAI's client reads its answers by itself, and quotes them; SECURITY.md says so.
OURS = {name: road for name, road in ROADS.items() if not name.startswith("openai")}


@pytest.mark.parametrize("echo", (ECHOES | FRAMES).values(), ids=ECHOES | FRAMES)
@pytest.mark.parametrize("road", OURS.values(), ids=OURS)
def test_a_service_that_repeats_the_bearer_is_not_repeated(
    road: Road, echo: Echo, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever form its refusal has, whole or in a stream: what it says goes on without the bearer, and cut."""
    keep_canaries()
    for status in (200, 400, 401, 429, 500):
        qwen_portal.use("default")
        with answering(repeating(echo, status), monkeypatch) as asked:
            failure = failure_of(road)
        assert [request.headers["authorization"] for request in asked if CHAT in request.url.path] == [BEARER]
        assert_none_in(heard.text())
        assert failure is not None
        assert_none_in_error(failure)


def repeating(echo: Echo, status: int) -> Handler:
    """Make a service that repeats the bearer in its answers, and has no other token to give."""

    def answer(request: httpx.Request) -> httpx.Response:
        if CHAT not in request.url.path:
            return httpx.Response(503)
        kind, body = echo(request.headers["authorization"].removeprefix("Bearer "))
        headers = {"content-type": kind, "x-request-id": ACCESS, "x-note": f"for {ACCESS}"}
        return httpx.Response(status, content=body, headers=headers)

    return answer


@pytest.mark.parametrize("way", ways.ALL)
def test_what_the_http_library_quotes_of_a_service_is_masked(
    way: ways.Way, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A status line or the size of a chunk that repeats the bearer stands in its errors' texts."""
    keep_canaries()

    def breaks(request: httpx.Request) -> httpx.Response:
        told = request.headers["authorization"]
        raise httpx.RemoteProtocolError(f"illegal status line: bytearray(b'{told} {told[7:]}')", request=request)

    with answering(breaks, monkeypatch):
        failure = failure_of(lambda: way(client={"max_retries": 0, "on_quota": "error"}))
    assert_none_in(heard.text())
    assert isinstance(failure, qwen_portal.QwenConnectionError)
    assert f"illegal status line: bytearray(b'Bearer {MASK}" in str(failure)
    assert_none_in_error(failure)


@pytest.mark.parametrize("way", ways.ALL)
def test_every_token_of_the_account_is_masked(way: ways.Way, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was refused and replaced a moment ago, and both refresh tokens, as much as the bearer."""
    keep_canaries()
    renewed = {"access_token": "CANARY-AT-renewed", "refresh_token": "CANARY-RT-renewed"}
    tokens = (ACCESS, REFRESH, *renewed.values())

    def answer(request: httpx.Request) -> httpx.Response:
        if CHAT not in request.url.path:
            return httpx.Response(200, json=renewed)
        is_old = request.headers["authorization"] == BEARER
        return httpx.Response(401 if is_old else 400, json={"error": {"message": " ".join(tokens)}})

    with answering(answer, monkeypatch):
        failure = failure_of(lambda: way(client={"max_retries": 0, "on_quota": "error"}))
    assert_none_in(heard.text(), tokens)
    assert " ".join([MASK] * 4) in str(failure)
    assert failure is not None
    assert_none_in_error(failure, tokens)
