"""Danger: a stream is dropped half read, and the garbage collector ends it wherever it happens to run."""

import asyncio
import gc
import itertools
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import litellm
import pytest

import litellm_qwen_portal
import qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import AsyncPortalClient, PortalClient, QwenError
from qwen_portal.emulator import Emulator
from qwen_portal.http.pools import async_pool, sync_pool
from qwen_portal.quota.attempts import Attempt, Attempts
from tests.connections import busy, until
from tests.quotas import two_accounts
from tests.ways import HELLO

litellm_qwen_portal.register()


def _core() -> Iterator[Any]:
    return iter(PortalClient().stream(HELLO))


def _langchain() -> Iterator[Any]:
    return ChatQwenPortal().stream("What is 2+2?")


def _litellm() -> Iterator[Any]:
    stream: Any = litellm.completion("qwen-portal/coder-model", HELLO, stream=True)
    return iter(stream)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Let the collector run when the test says so, and not before."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("signed_in", "uncollected")
@pytest.mark.parametrize("ask", [_core, _langchain, _litellm])
def test_a_stream_is_collected_by_a_thread_that_holds_the_pool_s_lock(ask: Callable[[], Iterator[Any]]) -> None:
    """The collector runs a finalizer anywhere, in the middle of the pool's own work too, and its lock is not reentrant.

    Broken, the collection never ends, and no request of any thread after it.
    """
    stream = ask()
    next(stream)
    assert len(busy(sync_pool())) == 1
    cycle: list[Any] = [stream]
    cycle.append(cycle)
    del stream, cycle
    collected = threading.Event()

    def collect() -> None:
        with sync_pool()._transport._pool._optional_thread_lock:  # type: ignore[attr-defined]
            gc.collect()
            collected.set()

    threading.Thread(target=collect, daemon=True).start()
    assert collected.wait(30)
    assert until(lambda: not busy(sync_pool()))


@pytest.mark.usefixtures("signed_in", "uncollected")
def test_an_async_stream_that_is_collected_is_closed_by_its_loop() -> None:
    """Collected in another thread, even."""

    async def watch() -> None:
        stream = AsyncPortalClient().stream(HELLO)
        await anext(stream)
        assert len(busy(async_pool())) == 1
        cycle: list[Any] = [stream]
        cycle.append(cycle)
        del stream, cycle
        await asyncio.to_thread(gc.collect)
        async with asyncio.timeout(30):
            while busy(async_pool()):  # noqa: ASYNC110 - the pool tells nobody
                await asyncio.sleep(0.005)
        await qwen_portal.aclose()

    asyncio.run(watch())


def _whole() -> None:
    PortalClient(max_retries=1, on_quota="error").chat(HELLO)


def _streamed() -> None:
    list(PortalClient(max_retries=1, on_quota="error").stream(HELLO))


async def _awhole() -> None:
    await AsyncPortalClient(max_retries=1, on_quota="error").chat(HELLO)


async def _astreamed() -> None:
    async for _ in AsyncPortalClient(max_retries=1, on_quota="error").stream(HELLO):
        pass


def _error(ask: Callable[[], None]) -> "weakref.ref[QwenError]":
    try:
        ask()
    except QwenError as exc:
        return weakref.ref(exc)
    pytest.fail("no error came")


async def _aerror(ask: Callable[[], Awaitable[None]]) -> "weakref.ref[QwenError]":
    try:
        await ask()
    except QwenError as exc:
        return weakref.ref(exc)
    pytest.fail("no error came")


REFUSALS = ["quota", "error-500", "html-502"]
BROKEN_STREAMS = ["cut", "not-sse"]


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    ("ask", "scenario"),
    [*itertools.product([_whole, _streamed], REFUSALS), *itertools.product([_streamed], BROKEN_STREAMS)],
)
def test_an_error_keeps_nothing_alive(signed_in: Emulator, ask: Callable[[], None], scenario: str) -> None:
    """An error that is part of a cycle with its frames keeps the stream in them until the collector comes by."""
    signed_in.scenario(scenario)
    assert _error(ask)() is None


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    ("ask", "scenario"),
    [*itertools.product([_awhole, _astreamed], REFUSALS), *itertools.product([_astreamed], BROKEN_STREAMS)],
)
async def test_an_error_keeps_nothing_alive_on_a_loop(
    signed_in: Emulator, ask: Callable[[], Awaitable[None]], scenario: str
) -> None:
    """The same for event loops."""
    signed_in.scenario(scenario)
    died = await _aerror(ask)
    await qwen_portal.aclose()
    # the thread that decided what follows lets go of its work after it handed the result over
    assert until(lambda: died() is None)


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("ask", [_whole, _streamed])
def test_a_refresh_that_fails_keeps_nothing_alive(signed_in: Emulator, ask: Callable[[], None]) -> None:
    """Its error comes from another thread."""
    signed_in.revoke(refresh_too=True)
    assert _error(ask)() is None


@pytest.mark.usefixtures("uncollected")
def test_a_refusal_that_another_account_makes_good_keeps_nothing_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept for the case that all refuse, without its frames, which hold what keeps it."""
    refusals, after = list["weakref.ref[QwenError]"](), Attempts.after

    def noted(attempts: Attempts, attempt: Attempt, error: QwenError) -> Attempt:
        refusals.append(weakref.ref(error))
        return after(attempts, attempt, error)

    monkeypatch.setattr(Attempts, "after", noted)
    with two_accounts(monkeypatch) as two:
        two.a.set_quota(0)
        PortalClient().chat(HELLO)
    assert [refusal() for refusal in refusals] == [None]


@pytest.mark.usefixtures("signed_in")
def test_a_stream_that_was_closed_is_at_its_end() -> None:
    """To close it twice, or to read on, is no error."""
    stream = PortalClient().stream(HELLO)
    next(stream)
    stream.close()
    stream.close()
    # what had arrived before
    list(stream)
    with pytest.raises(StopIteration):
        next(stream)
