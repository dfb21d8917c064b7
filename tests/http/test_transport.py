"""What a request meets on its way, in all four ways: retries, typed errors, streams that break."""

import asyncio
import itertools
import json
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import (
    QwenAPIError,
    QwenAuthenticationError,
    QwenBadRequestError,
    QwenConnectionError,
    QwenContentFilterError,
    QwenContextLengthError,
    QwenModelNotFoundError,
    QwenQuotaExceededError,
    QwenRateLimitError,
    QwenServerError,
    QwenStreamError,
    QwenTimeoutError,
)
from qwen_portal.http import exchange, pools, retry
from qwen_portal.secrets import Secret
from qwen_portal.service.plans import find_plan
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.connections import busy
from tests.proxy import refusing_proxy
from tests.scripted import answering
from tests.ways import ALL, HELLO, STREAMED, WHOLE, Way


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note the back-off waits instead of waiting; jitter is taken out."""
    noted: list[float] = []
    real_sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        noted.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr("time.sleep", noted.append)
    monkeypatch.setattr("asyncio.sleep", note)
    monkeypatch.setattr("random.uniform", lambda low, high: (low + high) / 2)
    return noted


@pytest.mark.parametrize("ask", ALL)
def test_an_answer_arrives(ask: Way, signed_in: Emulator) -> None:
    """The plain case, in all four ways."""
    assert "4" in ask()


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("scenario", ["error-500", "html-502", "gateway-504", "burst"])
def test_what_passes_is_tried_again(scenario: str, ask: Way, signed_in: Emulator, pauses: list[float]) -> None:
    """Two repeats, half a second and a second apart, then the answer; the same body each time."""
    signed_in.scenario(scenario, times=2)
    assert "4" in ask()
    assert pauses == [0.5, 1.0]
    bodies = [entry.body for entry in signed_in.chats()]
    assert len(bodies) == 3
    assert bodies[0] == bodies[1] == bodies[2]


LASTING = [
    ("error-500", QwenServerError, 3),
    ("html-502", QwenServerError, 3),
    ("gateway-504", QwenServerError, 3),
    ("burst", QwenRateLimitError, 3),
    ("quota", QwenQuotaExceededError, 2),
    ("quota-403", QwenQuotaExceededError, 2),
    ("input-range", QwenContextLengthError, 1),
    ("moderation", QwenContentFilterError, 1),
    ("strict", QwenBadRequestError, 1),
]


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize(("scenario", "expected", "requests"), LASTING)
def test_what_lasts_is_a_typed_error(
    scenario: str, expected: type[QwenAPIError], requests: int, ask: Way, signed_in: Emulator
) -> None:
    """Each with a hint, a status and as many requests as make sense; no refresh is spent on any of them."""
    signed_in.scenario(scenario)
    with pytest.raises(expected) as caught:
        ask()
    assert type(caught.value) is expected
    assert caught.value.status is not None
    assert caught.value.hint or scenario == "strict"
    assert len(signed_in.chats()) == requests
    assert signed_in.log("refresh") == []


@pytest.mark.parametrize("ask", ALL)
def test_an_unknown_model_names_the_command(ask: Way, signed_in: Emulator) -> None:
    """Ids pass through; the service's refusal becomes a typed error."""
    with pytest.raises(QwenModelNotFoundError, match="qwen-portal models"):
        ask(model="qwen-portal/no-such-model")
    assert signed_in.chats()[0].body["model"] == "no-such-model"


@pytest.mark.parametrize("ask", ALL)
def test_retry_after_is_obeyed_up_to_a_minute(ask: Way, signed_in: Emulator, pauses: list[float]) -> None:
    """The service's own figure beats the back-off; a longer one ends the tries at once."""
    signed_in.configure(retry_after=7)
    signed_in.scenario("burst", times=1)
    assert "4" in ask()
    assert pauses == [7.0]
    signed_in.configure(retry_after=61)
    signed_in.scenario("burst")
    with pytest.raises(QwenRateLimitError) as caught:
        ask()
    assert caught.value.retry_after == 61
    assert pauses == [7.0]


def test_the_back_off_doubles_to_eight_seconds_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.5, 1, 2, 4, 8, 8 seconds, each a quarter more or less."""
    seen: list[tuple[float, float]] = []

    def middle(low: float, high: float) -> float:
        seen.append((low, high))
        return 1.0

    monkeypatch.setattr("random.uniform", middle)
    tries = retry.Retries(6, 600)
    waits = [tries.wait_after(QwenServerError("x", status=500)) for _ in range(7)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, None]
    assert set(seen) == {(0.75, 1.25)}


def test_no_retry_starts_after_the_time_is_up() -> None:
    """A wait longer than the whole answer may take is not begun."""
    assert retry.Retries(5, 0.1).wait_after(QwenServerError("x", status=500)) is None


@pytest.mark.parametrize("ask", ALL)
def test_an_unreachable_host_is_a_connection_error(
    ask: Way, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    """Nothing was sent, so it is tried again, then said plainly."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(QwenConnectionError, match=r"127\.0\.0\.1:9 could not be reached") as caught:
        ask()
    assert not caught.value.sent
    assert len(pauses) == 2


def test_a_kept_alive_connection_that_dies_is_tried_again_once(signed_in: Emulator, pauses: list[float]) -> None:
    """The server closed an idle connection just as the request went out: repeat at once, without a back-off."""
    client = qwen_portal.PortalClient()
    client.chat(HELLO)
    signed_in.scenario("drop", times=1)
    assert client.chat(HELLO)["choices"]
    assert pauses == [0.0]
    signed_in.scenario("drop")
    with pytest.raises(QwenConnectionError):
        client.chat(HELLO)


def test_a_new_connection_that_dies_is_not_repeated(signed_in: Emulator, pauses: list[float]) -> None:
    """The request may have been worked on, so it is not sent twice."""
    qwen_portal.close()
    signed_in.scenario("drop", times=1)
    with pytest.raises(QwenConnectionError):
        qwen_portal.PortalClient().chat(HELLO)
    assert pauses == []


def test_an_async_kept_alive_connection_that_dies_is_tried_again_once(signed_in: Emulator) -> None:
    """The same on an event loop."""

    async def ask() -> None:
        client = qwen_portal.AsyncPortalClient()
        await client.chat(HELLO)
        signed_in.scenario("drop", times=1)
        assert (await client.chat(HELLO))["choices"]
        await qwen_portal.aclose()

    asyncio.run(ask())
    assert len([entry for entry in signed_in.chats() if entry.status == 200]) == 2


@pytest.mark.parametrize("ask", STREAMED)
@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("cut", QwenStreamError),
        ("reset", QwenStreamError),
        ("error-finish", QwenAPIError),
        ("error-frame", QwenAPIError),
    ],
)
def test_a_stream_that_breaks_keeps_what_came(
    scenario: str, expected: type[QwenAPIError], ask: Way, signed_in: Emulator
) -> None:
    """After the first content there is no second try, and the error carries the text so far."""
    signed_in.scenario(scenario)
    with pytest.raises(expected) as caught:
        ask([{"role": "user", "content": "Tell me a long story about rivers and the sea"}])
    assert caught.value.partial_text
    assert caught.value.request_id
    assert len(signed_in.chats()) == 1


@pytest.mark.parametrize("ask", STREAMED)
def test_a_silent_stream_ends_in_a_timeout(
    ask: Way, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, over_when_silent: list[float]
) -> None:
    """No chunk within the limit: a typed error with the text so far."""
    monkeypatch.setattr(exchange, "CHUNK_TIMEOUT", 20.0)
    signed_in.scenario("silence")
    with pytest.raises(QwenTimeoutError, match="no chunk for 20 s") as caught:
        ask()
    assert caught.value.partial_text
    (limit,) = over_when_silent
    assert 0 < limit <= 20


@pytest.mark.parametrize("ask", WHOLE)
def test_a_silent_answer_ends_in_a_timeout(ask: Way, signed_in: Emulator, over_when_silent: list[float]) -> None:
    """The caller's limit holds for the whole answer."""
    signed_in.scenario("silence")
    with pytest.raises(QwenTimeoutError, match="no answer for 30 s"):
        ask(timeout=30)
    (limit,) = over_when_silent
    assert 10 < limit <= 30


@pytest.mark.parametrize(("ask", "read"), [(ask, 600) for ask in WHOLE] + [(ask, 120) for ask in STREAMED])
def test_a_host_that_is_not_there_is_given_up_sooner_than_one_that_thinks(
    ask: Way, read: float, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds to connect; the whole time for an answer, two minutes for each piece of a streamed one."""
    limits: list[dict[str, float]] = []

    def note(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"])
        return httpx.Response(400, json={})

    with answering(note, monkeypatch), pytest.raises(QwenBadRequestError):
        ask(timeout=600)
    (limit,) = limits
    assert limit["connect"] == 10
    assert limit["read"] == pytest.approx(read, rel=0.1)


@pytest.mark.parametrize("ask", STREAMED)
def test_a_stream_that_never_ends_is_limited_too(
    ask: Way, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks that keep coming do not stretch the limit for the whole answer."""
    left = iter([60.0, 60.0, 1.0])
    monkeypatch.setattr(retry.Retries, "remaining", lambda tries: next(left, 0.0))
    with pytest.raises(QwenTimeoutError, match="not complete after 60 s"):
        ask([{"role": "user", "content": "Tell me a long story"}], timeout=60)


@pytest.mark.parametrize("ask", STREAMED)
def test_json_in_place_of_a_stream_is_said_so(ask: Way, signed_in: Emulator) -> None:
    """A 200 that is no event stream is no answer."""
    signed_in.scenario("not-sse")
    with pytest.raises(QwenAPIError):
        ask()
    assert len(signed_in.chats()) == 1


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"error":' + "[" * 100_000,
        '{"choices": 5}',
        '{"choices": {"delta": {}}}',
        '{"choices": [null]}',
        '{"choices": [{"delta": 5, "message": 5}]}',
        '{"choices": [{"delta": {"content": 5}, "message": {"content": 5}}]}',
        '{"choices": [{"delta": {"tool_calls": 5}, "message": {"tool_calls": 5}}]}',
        '{"choices": [{"delta": {"tool_calls": [5]}, "message": {"tool_calls": [5]}}]}',
        '{"choices": [{"delta": {"tool_calls": [{"function": 5}]}}]}',
        '{"choices": [{"delta": {"tool_calls": [{"index": "x"}]}}]}',
        '{"choices": [{"delta": {"tool_calls": [{"function": {"arguments": 5}}]}}]}',
        '{"choices": [{"delta": {"content": "4"}}], "usage": 5}',
    ],
    ids=itertools.count(),
)
@pytest.mark.parametrize("streamed", [True, False])
def test_json_that_is_no_answer_is_a_typed_error(
    body: str, streamed: bool, monkeypatch: pytest.MonkeyPatch, signed_in: Emulator
) -> None:
    """Whatever a gateway makes of an answer, nobody has to catch a TypeError; a stream keeps what came before."""
    good = '{"choices": [{"delta": {"content": "before"}}]}'
    sse = httpx.Response(200, text=f"data: {good}\n\ndata: {body}\n\n", headers={"content-type": "text/event-stream"})
    whole = httpx.Response(200, text=body, headers={"content-type": "application/json"})
    with answering(lambda request: sse if streamed else whole, monkeypatch):
        client = qwen_portal.PortalClient(max_retries=0)
        with pytest.raises(QwenAPIError) as caught:
            list(client.stream(HELLO)) if streamed else client.chat(HELLO)
        assert caught.value.partial_text == ("before" if streamed else "")


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize(
    ("content", "params"), [("\ud83d", {}), ("Hi", {"temperature": float("nan")}), ("Hi", {"stop": {"END"}})]
)
def test_what_json_cannot_hold_is_a_bad_request(
    content: str, params: dict[str, Any], ask: Way, signed_in: Emulator
) -> None:
    """Nothing is sent, and the error is one of ours."""
    with pytest.raises(QwenBadRequestError, match="cannot be written as JSON"):
        ask([{"role": "user", "content": content}], **params)
    assert signed_in.chats() == []


@pytest.mark.parametrize("ask", ALL)
def test_a_firewall_page_is_told_apart(ask: Way, signed_in: Emulator) -> None:
    """HTML with status 200 where an answer should be."""
    signed_in.scenario("firewall", where="chat")
    with pytest.raises(QwenConnectionError) as caught:
        ask()
    assert caught.value.kind == "firewall"
    assert "firewall" in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_web_page_is_no_verdict_on_the_token(
    status: int, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall that answers 401 costs no refresh and ends no service."""
    page = httpx.Response(status, text="<!doctype html>", headers={"content-type": "text/html"})
    with answering(lambda request: page, monkeypatch) as asked, pytest.raises(QwenConnectionError) as caught:
        qwen_portal.PortalClient().chat(HELLO)
    assert caught.value.kind == "firewall"
    assert len(asked) == 1


@pytest.mark.parametrize("ask", ALL)
def test_a_refused_token_is_renewed_once_and_the_request_repeated(ask: Way, signed_in: Emulator) -> None:
    """The server sees the same body twice, with another bearer."""
    signed_in.revoke()
    assert "4" in ask()
    first, second = signed_in.chats()
    assert (first.status, second.status) == (401, 200)
    assert first.body == second.body
    assert first.headers["authorization"] != second.headers["authorization"]
    assert len(signed_in.log("refresh")) == 1


@pytest.mark.parametrize("ask", ALL)
def test_a_gateway_timeout_refreshes_an_old_token_only_once(ask: Way, signed_in: Emulator) -> None:
    """A token younger than a minute is not the reason; an older one is renewed once, not at every 504."""
    signed_in.scenario("gateway-504", times=1)
    ask()
    assert signed_in.log("refresh") == []
    _age_the_token(61)
    signed_in.scenario("gateway-504")
    with pytest.raises(QwenServerError):
        ask()
    assert len(signed_in.log("refresh")) == 1


def _age_the_token(seconds: float) -> None:
    session = Session()
    account = session.choose()
    old = session.accounts.load(account)
    aged = replace(old, issued_at=old.issued_at - seconds, generation=old.generation + 1)
    session.accounts.keep(account.label, aged)


def test_a_bad_key_is_not_refreshed(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key's 401 is an authentication error at once."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-bad")
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/compatible-mode/v1")
    with pytest.raises(QwenAuthenticationError, match="QWEN_PORTAL_API_KEY to the whole key, and QWEN_PORTAL_PLAN"):
        qwen_portal.PortalClient().chat(HELLO)
    assert len(emulator.log()) == 1


WRONG_KEY = [
    (401, "invalid_api_key", "invalid access token or token expired"),
    (401, "invalid_api_key", "Incorrect API key provided."),
    (403, "", "invalid api-key"),
]
NOT_ALLOWED = [
    (403, "Model.AccessDenied", "Model access denied."),
    (403, "", "The team's rule forbids this model."),
]


@pytest.mark.parametrize(("status", "code", "message"), WRONG_KEY + NOT_ALLOWED)
def test_a_wrong_key_and_one_that_may_not_are_told_apart(
    status: int, code: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of another plan is explained; another 403 keeps the service's words. Both name the account."""
    Session().accounts.add("my team", Credential.from_key(Secret("sk-x"), plan="studio"))
    answer = httpx.Response(status, json={"error": {"code": code, "message": message}})
    with answering(lambda request: answer, monkeypatch), pytest.raises(QwenAuthenticationError) as caught:
        qwen_portal.PortalClient().chat(HELLO)
    if (status, code, message) in WRONG_KEY:
        assert "refused the API key of account 'my team'" in caught.value.message
        assert "of another plan" in caught.value.message
        assert "`qwen-portal login --plan PLAN 'my team'`" in caught.value.hint
    else:
        assert message in caught.value.message
        assert "another plan" not in str(caught.value)
        assert "'my team'" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (429, "insufficient_quota", "concurrency allocated quota exceeded"),
        (429, "limit_requests", "Concurrency limit exceeded"),
        (429, "Throttling.AllocationQuota", "Concurrency allocated quota exceeded, please try again later."),
        (429, "", "concurrency allocated quota exceeded"),
        (403, "insufficient_quota", "concurrency allocated quota exceeded"),
        (200, "insufficient_quota", "concurrency allocated quota exceeded"),
    ],
)
def test_too_many_requests_at_once_are_a_burst_whatever_the_code(
    status: int, code: str, message: str, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    """Waiting a moment is all it takes: it backs off, and no account is left alone."""
    Session().accounts.add("key", Credential.from_key(Secret("sk-x"), plan="studio"))
    body = {"error": {"code": code, "message": message}}
    refused = httpx.Response(status, json=body)
    if status == 200:
        frame = f"data: {json.dumps(body)}\n\n"
        refused = httpx.Response(200, text=frame, headers={"content-type": "text/event-stream"})
    with answering(lambda request: refused, monkeypatch) as asked, pytest.raises(QwenRateLimitError):
        qwen_portal.PortalClient().stream(HELLO).open()
    assert len(asked) == 3
    assert pauses == [0.5, 1.0]
    assert Session().choose().cool_downs == ()


def test_a_400_that_speaks_of_quotas_is_about_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its code makes a quota of it."""
    Session().accounts.add("key", Credential.from_key(Secret("sk-x"), plan="studio"))
    body = {"error": {"code": "invalid_parameter_error", "message": "tools: quota exceeded"}}
    with (
        answering(lambda request: httpx.Response(400, json=body), monkeypatch) as asked,
        pytest.raises(QwenBadRequestError),
    ):
        qwen_portal.PortalClient().chat(HELLO)
    assert len(asked) == 1


@pytest.mark.parametrize("ask", ALL)
def test_a_key_from_the_environment_just_works(ask: Way, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sign-in, no OAuth header, nothing stored."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-good")
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "studio-intl")
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/compatible-mode/v1")
    assert "4" in ask(model="qwen3-coder-plus")
    sent = emulator.chats()[0]
    assert sent.headers["authorization"] == "Bearer sk-good"
    assert "x-dashscope-authtype" not in sent.headers
    assert "max_tokens" not in sent.body


def test_leaving_a_stream_early_closes_the_connection(signed_in: Emulator) -> None:
    """The server notices that nobody listens any more."""
    signed_in.scenario("silence")
    stream = qwen_portal.PortalClient().stream(HELLO)
    next(stream)
    assert busy(pools.sync_pool())
    stream.close()
    assert not busy(pools.sync_pool())
    signed_in.scenario("silence", on=False)
    assert qwen_portal.PortalClient().chat(HELLO)["choices"]


def test_one_async_client_serves_many_event_loops(signed_in: Emulator) -> None:
    """Four loops that live side by side, each with a pool of its own that it keeps: eight requests."""
    client = qwen_portal.AsyncPortalClient()

    async def pool() -> httpx.AsyncClient:
        return pools.async_pool()

    async def ask() -> dict[str, Any]:
        return await client.chat(HELLO)

    with ExitStack() as stack:
        loops = [stack.enter_context(asyncio.Runner()) for _ in range(4)]
        own = [loop.run(pool()) for loop in loops]
        assert len(set(own)) == 4
        assert all(loop.run(ask())["choices"] for loop in loops * 2)
        assert [loop.run(pool()) for loop in loops] == own
        for loop in loops:
            loop.run(qwen_portal.aclose())
    assert len(signed_in.chats()) == 8


@pytest.mark.parametrize("ask", STREAMED)
def test_usage_comes_with_every_stream(ask: Way, signed_in: Emulator) -> None:
    """include_usage is always asked for, and only for streams."""
    ask()
    assert signed_in.chats()[0].body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("ask", ALL)
def test_a_proxy_is_not_used_for_loopback(ask: Way, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxy variables are honoured, but this machine is never reached through one."""
    qwen_portal.close()
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert "4" in ask()


@pytest.mark.parametrize("ask", ALL)
def test_other_hosts_go_through_the_proxy(ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY holds for Qwen's hosts: the proxy is asked for the way, and its refusal is what is told."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-sp-x")
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding")
    with refusing_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(QwenConnectionError, match="403 Forbidden"):
            ask(client={"max_retries": 0})
    assert proxy.asked == [f"CONNECT {urlsplit(find_plan('coding').base_url).hostname}:443 HTTP/1.1"]
