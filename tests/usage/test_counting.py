"""Each request is counted once, at its end, whichever way it was asked and however it ended."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import litellm
import pytest

import litellm_qwen_portal
import qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import AsyncPortalClient, PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenError
from tests.quotas import Two, two_accounts
from tests.usage.counted import counted, ledger, switch_on
from tests.ways import ALL, HELLO, STREAMED, Way


@pytest.fixture
def counting() -> None:
    """Switch the ledger on."""
    switch_on()


litellm_qwen_portal.register()


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Two accounts."""
    with two_accounts(monkeypatch) as both:
        yield both


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("ask", ALL)
def test_nothing_is_counted_until_somebody_switches_it_on(ask: Way) -> None:
    """No file, and no thread; from the next request on a running program counts."""
    assert "4" in ask()
    assert not ledger().path.exists()

    switch_on()
    assert "4" in ask()
    ledger().switch(on=False)
    assert "4" in ask()

    assert counted("outcome") == ["ok"]


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("door", ["client", "langchain", "litellm"])
def test_a_key_that_is_not_kept_is_called_by_the_way_it_came(
    door: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the environment's key nobody has to do who passes another."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/compatible-mode/v1")

    def ask(**given: Any) -> None:
        if door == "client":
            PortalClient(**given).chat(HELLO)
        elif door == "langchain":
            ChatQwenPortal(**given).invoke("Hello")
        else:
            plan = {"qwen_plan": given.pop("plan")} if given else {}
            litellm.completion(model="qwen-portal/coder-model", messages=HELLO, **given, **plan)

    ask(api_key="sk-passed", plan="studio-intl")
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-set")
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "studio")
    ask()
    ask(api_key="sk-passed", plan="studio-intl")
    assert counted("account", "plan") == [("api_key=", "studio-intl"), ("env", "studio"), ("api_key=", "studio-intl")]
    asked = [entry.headers["authorization"] for entry in emulator.chats()]
    assert asked == ["Bearer sk-passed", "Bearer sk-set", "Bearer sk-passed"]


@pytest.mark.usefixtures("signed_in", "counting")
@pytest.mark.parametrize("ask", ALL)
def test_a_row_says_who_was_asked_for_what_and_what_it_took(ask: Way) -> None:
    """Account, plan, model, tokens, status; the time is the request's."""
    ask()

    (row,) = qwen_portal.usage()
    assert (row["account"], row["plan"], row["model"], row["status"], row["outcome"]) == (
        *("default", "oauth", "coder-model"),
        *(200, "ok"),
    )
    assert (row["prompt_tokens"], row["completion_tokens"], row["on_quota"]) == (10, 5, None)
    assert 0 < (row["first_milliseconds"] or row["milliseconds"]) <= row["milliseconds"]
    assert (row["first_milliseconds"] is not None) == (ask in STREAMED)


@pytest.mark.usefixtures("counting")
def test_cached_and_reasoning_tokens_are_told_apart(signed_in: Emulator) -> None:
    """As the service reports them."""
    signed_in.scenario("reasoning")
    PortalClient().chat(HELLO)
    PortalClient().chat(HELLO)

    (_, first), (cached, second) = counted("cached_tokens", "reasoning_tokens")
    assert cached > 0
    assert first == second
    assert first > 0


FAILURES = [("error-500", 500, "QwenServerError"), ("moderation", 400, "QwenContentFilterError")]


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize(("scenario", "status", "outcome"), FAILURES)
def test_a_failure_is_counted_with_its_status(
    signed_in: Emulator, ask: Way, scenario: str, status: int, outcome: str
) -> None:
    """Once, whatever was repeated; nobody said what it took."""
    signed_in.scenario(scenario)
    with pytest.raises(QwenError):
        ask(client={"max_retries": 0})

    assert counted("status", "outcome", "prompt_tokens") == [(status, outcome, None)]


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("ask", ALL)
def test_repeats_of_a_request_are_one_row(signed_in: Emulator, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last answer counts."""
    monkeypatch.setattr("qwen_portal.http.retry._FIRST", 0.0)
    signed_in.scenario("error-500", times=2)
    assert "4" in ask()

    assert len(signed_in.chats()) == 3
    assert counted("status", "outcome") == [(200, "ok")]


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("ask", STREAMED)
def test_a_broken_stream_is_counted_without_tokens(signed_in: Emulator, ask: Way) -> None:
    """What it had said before nobody has counted."""
    signed_in.scenario("cut")
    with pytest.raises(QwenError):
        ask()

    assert counted("status", "outcome", "completion_tokens") == [(200, "QwenStreamError", None)]


@pytest.mark.usefixtures("signed_in", "counting")
def test_a_stream_that_is_left_early_is_counted_as_closed() -> None:
    """Closed by its reader, or dropped and found by the garbage collector."""
    closed, dropped = PortalClient().stream(HELLO), PortalClient().stream(HELLO)
    next(closed)
    closed.close()
    closed.close()
    next(dropped)
    del dropped
    gc.collect()

    assert counted("status", "outcome", "prompt_tokens") == [(200, "closed", None)] * 2


@pytest.mark.usefixtures("signed_in", "counting")
def test_a_collected_stream_is_counted_by_no_new_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """To start a thread takes locks, and the collector may run in the thread that holds one."""
    stream = PortalClient().stream(HELLO)
    next(stream)
    monkeypatch.setattr("threading.Thread.start", lambda _: pytest.fail("a finalizer started a thread"))
    del stream
    gc.collect()

    assert counted("outcome") == ["closed"]


@pytest.mark.usefixtures("counting")
async def test_a_cancelled_call_is_counted(signed_in: Emulator) -> None:
    """Its tokens may well have been spent."""
    signed_in.scenario("silence")
    task = asyncio.create_task(AsyncPortalClient().chat(HELLO))
    while not signed_in.chats():  # noqa: ASYNC110 - the emulator tells nobody
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await qwen_portal.aclose()

    assert counted("status", "outcome") == [(None, "cancelled")]


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("ask", ALL)
def test_every_account_that_was_asked_is_counted(two: Two, ask: Way) -> None:
    """The refusal of the first, and the answer of the second."""
    two.a.scenario("quota")
    assert "4" in ask()

    assert counted("account", "status", "outcome") == [
        ("a", 429, "QwenQuotaExceededError"),
        ("b", 200, "ok"),
    ]


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("ask", ALL)
def test_a_degraded_answer_is_marked(signed_in: Emulator, ask: Way) -> None:
    """The refusal, then the short answer of the same account."""
    signed_in.scenario("quota", times=1)
    assert "4" in ask()

    assert counted("outcome", "on_quota") == [("QwenQuotaExceededError", None), ("ok", "degrade")]


@pytest.mark.usefixtures("signed_in", "counting")
def test_odd_counts_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that no ledger takes costs neither the row nor the answer."""
    usage = {"prompt_tokens": 10**30, "completion_tokens": -1, "prompt_tokens_details": {"cached_tokens": 3}}
    monkeypatch.setattr("qwen_portal.answers.completions.usage_of", lambda _: usage)
    PortalClient().chat(HELLO)

    assert counted("prompt_tokens", "completion_tokens", "cached_tokens") == [(None, None, 3)]
