"""Danger: a server whose bytes drip: each begins the HTTP library's limits anew, and a call lasts for ever."""

import gzip
import socket
import threading
from collections.abc import Callable
from typing import Any

import httpcore
import httpx
import pytest

from qwen_portal import PortalClient, oauth
from qwen_portal.errors import QwenTimeoutError
from qwen_portal.http import deadlines
from qwen_portal.http.bodies import LimitedTransport
from qwen_portal.http.cancel_safe import CancelSafeTransport
from qwen_portal.http.deadlines import Deadline, keep_deadlines
from qwen_portal.http.pools import close_sync_pool, lone_async_client, lone_client
from qwen_portal.secrets import Secret
from tests.dripping import DROPS, Clock, dripping, serving, stepping_clock
from tests.ways import ALL, HELLO, STREAMED, Way

JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
CHUNK = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"4"},"finish_reason":null}]}\n\n'
LAST = b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
ANSWER = b'{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"4"},"finish_reason":"stop"}]}'
GZIP = b"content-encoding: gzip\r\n\r\n"
NAMED = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03"

# What comes first, and what then drips.
DRIPS = {
    "a header": (b"HTTP/1.1 200 OK\r\nx-a: ", b"x"),
    "answers before the answer": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "the extension of a chunk": (JSON + b"transfer-encoding: chunked\r\n\r\n1;a=", b"x"),
    "a trailer": (JSON + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nx: ", b"x"),
    "the file name of an archive": (JSON + GZIP + NAMED, b"x"),
    "the file name of an archive, in a stream": (SSE[:-2] + GZIP + NAMED, b"x"),
    "empty blocks": (JSON + GZIP + gzip.compress(b"")[:10], b"\0\0\0\xff\xff"),
    "a body": (JSON + b"\r\n{", b" "),
    "the body of an error": (b"HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\n\r\n{", b" "),
    "the body of a refusal": (b"HTTP/1.1 401 Bad\r\ncontent-type: application/json\r\n\r\n{", b" "),
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Have limits go by a clock of the test's own."""
    return stepping_clock(monkeypatch)


def client(address: str, **more: Any) -> dict[str, Any]:
    """Return the settings of a client for that address."""
    return {"base_url": f"{address}/v1", "api_key": "sk-x", "max_retries": 0} | more


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_an_answer_that_drips_ends_with_its_time(drip: tuple[bytes, bytes], ask: Way, clock: Clock) -> None:
    """Wherever it does: before the answer, in it, after it, or in what it is packed in."""
    with serving(dripping(*drip)) as address, pytest.raises(QwenTimeoutError):
        ask(client=client(address, timeout=60))
    assert clock.now <= 90


@pytest.mark.parametrize(
    "call",
    [
        lambda address: oauth.refresh(Secret("r"), oauth_url=address, timeout=60),
        lambda address: oauth.poll(Secret("d"), Secret("v"), oauth_url=address, timeout=60),
        lambda address: oauth.request_device_code("c", oauth_url=address, timeout=60),
    ],
    ids=["refresh", "poll", "device code"],
)
@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_a_sign_in_host_that_drips_is_left_in_time(
    drip: tuple[bytes, bytes], call: Callable[[str], Any], clock: Clock
) -> None:
    """The account's lock is held meanwhile."""
    with serving(dripping(*drip)) as address, pytest.raises(QwenTimeoutError):
        call(address)
    assert clock.now <= 90


def test_a_pair_of_tokens_that_has_arrived_is_kept_however_its_connection_ends(clock: Clock) -> None:
    """The token that was sent for it is spent."""
    pair = b'{"access_token":"a-token","refresh_token":"r-token","expires_in":3600}'
    for drop, drops in ((b" ", DROPS), (b"", 0)):
        head = JSON + b"content-length: 9999\r\n\r\n"
        with serving(dripping(head + pair, drop, drops)) as address:
            assert oauth.refresh(Secret("r"), oauth_url=address, timeout=60).access_token.reveal() == "a-token"


@pytest.mark.parametrize("ask", STREAMED)
def test_what_brings_no_chunk_does_not_stretch_the_silence_of_a_stream(ask: Way, clock: Clock) -> None:
    """Comments show that somebody is there, not that an answer comes."""
    with (
        serving(dripping(SSE + CHUNK, b": still here\n\n")) as address,
        pytest.raises(QwenTimeoutError, match="no chunk for 120 s") as caught,
    ):
        ask(client=client(address))
    assert caught.value.partial_text == "4"
    assert 120 <= clock.now <= 180


@pytest.mark.parametrize("ask", STREAMED)
def test_until_the_first_chunk_a_comment_is_a_sign_of_life(ask: Way, clock: Clock) -> None:
    """A service that has a queue says so for minutes."""
    ended = CHUNK + LAST + b"data: [DONE]\n\n"
    with serving(dripping(SSE, b": in the queue\n\n", 60, ended)) as address:
        assert ask(client=client(address)) == "4"


def test_the_time_that_a_reader_takes_is_no_silence_of_the_service(clock: Clock) -> None:
    """Only waiting for it counts."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(SSE + CHUNK)
        read.wait(30)
        dripping(CHUNK, b"", 0, LAST + b"data: [DONE]\n\n")(connection)

    read = threading.Event()
    with serving(answer) as address, PortalClient(**client(address)).stream(HELLO) as chunks:
        next(chunks)
        clock.now += 300
        read.set()
        assert len(list(chunks)) == 2


@pytest.mark.parametrize("ask", STREAMED)
def test_after_its_end_a_stream_is_not_waited_for(ask: Way, clock: Clock) -> None:
    """Its connection is closed if it does not end by itself."""
    with serving(dripping(SSE + CHUNK + LAST + b"data: [DONE]\n\n", b": and so on\n\n")) as address:
        assert ask(client=client(address)) == "4"
    assert clock.now <= 60


def test_a_request_on_a_kept_connection_has_a_time_of_its_own(clock: Clock) -> None:
    """What the one before left, or did not, is of no account."""

    def answer(connection: socket.socket) -> None:
        seen.append(connection)
        connection.sendall(JSON + b"content-length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))

    seen: list[socket.socket] = []
    close_sync_pool()
    with serving(answer) as address:
        for _ in range(3):
            assert PortalClient(**client(address, timeout=60)).chat(HELLO)
            clock.now += 1000
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_a_server_that_takes_a_request_in_drops_is_left_in_time(clock: Clock) -> None:
    """Each drop begins the library's limit of a write anew."""
    with serving(lambda _: None) as address, pytest.raises(QwenTimeoutError):
        PortalClient(**client(address, timeout=60)).chat([{"role": "user", "content": "x" * 1024 * 1024}])
    assert clock.now <= 90


# the library leaves it to the collector to close this socket
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_silent_socks_proxy_is_left_in_time() -> None:
    """The library waits for it without any limit."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        pool = httpcore.SOCKSProxy(f"socks5://127.0.0.1:{proxy.getsockname()[1]}")
        keep_deadlines(pool)
        # who is still there then is turned away, which is another error
        end = threading.Timer(5, proxy.close)
        end.start()
        with pool, pytest.raises(httpcore.TimeoutException):
            pool.request("GET", "http://host.test/", extensions={"timeout": {"connect": Deadline(0.1)}})
        end.cancel()


async def test_the_sockets_of_all_pools_keep_deadlines() -> None:
    """A private name of the libraries': an update that renames it would make the mending silent."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(JSON + b"content-length: 2\r\n\r\n{}")

    with serving(answer) as address:
        with lone_client() as pool:
            response = pool.post(address, content=b"")
            assert isinstance(response.extensions["network_stream"], deadlines._Stream)
        async with lone_async_client() as apool:
            response = await apool.post(address, content=b"")
            assert isinstance(response.extensions["network_stream"], deadlines._AsyncStream)
    for proxy in (httpx.Proxy("http://127.0.0.1:9"), httpx.Proxy("socks5://127.0.0.1:9")):
        assert isinstance(_backend(LimitedTransport(proxy=proxy)), deadlines._Backend)
        assert isinstance(_backend(CancelSafeTransport(proxy=proxy)), deadlines._AsyncBackend)


def _backend(transport: Any) -> Any:
    """Return what a transport's next connection opens its socket with."""
    connection = transport._pool.create_connection(httpcore.Origin(b"https", b"host.test", 443))
    return (connection._connection or connection)._network_backend
