"""Danger: asyncio cancels a call wherever it stands, more than once, and its connection never comes back."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

import qwen_portal
from qwen_portal import AsyncPortalClient
from qwen_portal.http.cancel_safe import CancelSafeTransport
from qwen_portal.http.pools import async_pool
from tests.connections import busy
from tests.ways import HELLO

# Steps of the event loop after which a call is cancelled; a whole call takes some 25.
STEPS = [*range(36)] * (max(1, int(os.environ.get("TORTURE", "20")) // 5))
AGAIN = [None, 1, 2, 4]
CHUNK = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
)
WHOLE = (
    b'{"id":"1","object":"chat.completion","created":1,"model":"m",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            body = await reader.readexactly(int(length.split(b":")[1]))
            if b'"stream":true' in body:
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                for chunk in (CHUNK, CHUNK, CHUNK.replace(b"null}", b'"stop"}') + b"data: [DONE]\n\n"):
                    writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    await writer.drain()
                    await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n")
            else:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(b"content-length: %d\r\n\r\n%s" % (len(WHOLE), WHOLE))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


async def _chat() -> None:
    await AsyncPortalClient().chat(HELLO)


async def _stream() -> None:
    async for _ in AsyncPortalClient().stream(HELLO):
        pass


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Run a host of our own on this loop, so that its steps are the loop's."""
    async with await asyncio.start_server(_serve, "127.0.0.1", 0) as running:
        port = running.sockets[0].getsockname()[1]
        monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"http://127.0.0.1:{port}/v1")
        monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-x")
        yield
        await qwen_portal.aclose()


async def _cancel(call: Callable[[], Awaitable[None]], steps: int, again: int | None) -> bool:
    task = asyncio.ensure_future(call())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    if again is not None:
        for _ in range(again):
            await asyncio.sleep(0)
        task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    assert outcome is None or isinstance(outcome, asyncio.CancelledError), outcome
    return outcome is not None


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("again", AGAIN, ids=["once", "again at once", "again soon", "again later"])
@pytest.mark.parametrize("call", [_chat, _stream])
async def test_a_call_cancelled_at_any_step_gives_its_connection_back(
    call: Callable[[], Awaitable[None]], again: int | None
) -> None:
    """Before, during and after the request; while the answer is read; while that is being cleaned up."""
    await call()
    cancelled = [await _cancel(call, steps, again) for steps in STEPS]
    assert sum(cancelled) > len(cancelled) // 3
    async with asyncio.timeout(60):
        while busy(async_pool()):  # noqa: ASYNC110 - the pool tells nobody
            await asyncio.sleep(0.005)
    assert not async_pool()._transport._pool._requests  # type: ignore[attr-defined]
    await call()
    assert len(async_pool()._transport._pool.connections) <= 20  # type: ignore[attr-defined]


@pytest.mark.usefixtures("server")
async def test_many_calls_cancelled_together_leave_nothing() -> None:
    """Connections are made and lost side by side."""
    await _chat()
    for steps in STEPS[:36:4]:
        await asyncio.gather(
            *[_cancel(call, steps + each, each % 3 or None) for call in (_chat, _stream) for each in range(10)]
        )
    async with asyncio.timeout(60):
        while busy(async_pool()):  # noqa: ASYNC110 - the pool tells nobody
            await asyncio.sleep(0.005)
    assert not async_pool()._transport._pool._requests  # type: ignore[attr-defined]


@pytest.mark.usefixtures("server")
async def test_what_is_used_of_httpcore_is_there() -> None:
    """Private names: an update that renames them would make the mending silent."""
    async with AsyncPortalClient().stream(HELLO) as chunks:
        await anext(chunks)
        transport = async_pool()._transport
        assert isinstance(transport, CancelSafeTransport)
        assert len(transport._connections) == 1
        (pool_request,) = transport._pool_requests
        assert pool_request.connection is transport._connections[0]
