"""Danger: an answer that is small on the wire and vast in memory, or one that never ends."""

import functools
import gzip
import itertools
import json
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from qwen_portal import oauth
from qwen_portal.errors import QwenAPIError, QwenConnectionError, QwenError, QwenStreamError
from qwen_portal.http import bodies
from qwen_portal.secrets import Secret
from tests.ways import ALL, STREAMED, WHOLE, Way

MIB = 1024 * 1024
ANSWER = {
    "id": "1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}],
}
Body = Callable[[], Iterable[bytes]]


@contextmanager
def answering(status: int, headers: dict[str, str], body: Body) -> Iterator[str]:
    """Answer every request so; yield the chat address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for piece in body():
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                pass
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def client(address: str, **more: Any) -> dict[str, Any]:
    """Return the settings of a client for that address."""
    return {"base_url": address, "api_key": "sk-x", "max_retries": 0} | more


@functools.cache  # packing takes longer than all that is tested
def bomb(size: int) -> bytes:
    """Pack a completion of that many bytes."""
    packer = zlib.compressobj(9, wbits=31)
    head, tail = json.dumps(ANSWER).split("4", 1)
    parts = [packer.compress(head.encode())]
    parts += [packer.compress(b"x" * MIB) for _ in range(size // MIB)]
    return b"".join([*parts, packer.compress(tail.encode()), packer.flush()])


@pytest.mark.parametrize("ask", ALL)
def test_a_small_answer_that_unpacks_to_hundreds_of_megabytes_is_refused(ask: Way) -> None:
    """Nothing above the limit is unpacked."""
    packed = bomb(256 * MIB)
    assert len(packed) < MIB
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    with answering(200, headers, lambda: [packed]) as address, pytest.raises(QwenError):
        ask(client=client(address))


def test_a_sign_in_s_answer_has_a_megabyte_at_most() -> None:
    """Once it is unpacked, a pair of tokens is far smaller."""
    packed = gzip.compress(json.dumps({"access_token": "x" * 2 * MIB, "refresh_token": "y"}).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    with answering(200, headers, lambda: [packed]) as address, pytest.raises(QwenConnectionError, match="1,048,576"):
        oauth.refresh(Secret("r"), oauth_url=address.removesuffix("/v1"))


@pytest.mark.parametrize("ask", WHOLE)
@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_of_an_error_s_body_its_beginning_is_read(ask: Way, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut before anything looks at it."""
    read = 0
    feed = bodies._Meter.feed

    def count(self: Any, data: bytes) -> Iterator[bytes]:
        nonlocal read
        for piece in feed(self, data):
            read += len(piece)
            yield piece

    monkeypatch.setattr(bodies._Meter, "feed", count)
    endless = itertools.repeat(b"no " * 10_000, 400)
    with (
        answering(status, {"content-type": "text/plain"}, lambda: endless) as address,
        pytest.raises(QwenAPIError) as caught,
    ):
        ask(client=client(address, on_quota="error"))
    assert caught.value.status == status
    assert read == 64 * 1024


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "packed"])
def test_a_stream_is_limited_as_a_whole(packed: bool, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small its events; of what came before, nothing is lost."""
    monkeypatch.setattr(bodies, "_LARGEST_ANSWER", MIB)
    chunk = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"' + b"x" * 10_000 + b'"}}]}\n\n'
    headers = {"content-type": "text/event-stream"}
    body: Body = lambda: itertools.repeat(chunk, 400)  # noqa: E731 - named for what it is
    if packed:
        headers["content-encoding"] = "gzip"
        body = lambda: [gzip.compress(chunk * 400)]  # noqa: E731 - as above
    with answering(200, headers, body) as address, pytest.raises(QwenAPIError, match="larger than 1,048,576") as caught:
        ask(client=client(address))
    assert "max_tokens" in caught.value.hint
    if ask in STREAMED:
        assert isinstance(caught.value, QwenStreamError)
        assert MIB * 0.9 < len(caught.value.partial_text) <= MIB


PACKED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("identity", bytes),
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("gzip", lambda data: gzip.compress(data[:20]) + gzip.compress(data[20:])),
]


@pytest.mark.parametrize("ask", WHOLE)
@pytest.mark.parametrize(("name", "pack"), PACKED, ids=["identity", "gzip", "x-gzip", "deflate", "two parts"])
def test_a_packed_answer_is_read(ask: Way, name: str, pack: Callable[[bytes], bytes]) -> None:
    """In pieces of any size."""
    data = pack(json.dumps(ANSWER).encode())
    headers = {"content-type": "application/json", "content-encoding": name}
    with answering(200, headers, lambda: (data[at : at + 7] for at in range(0, len(data), 7))) as address:
        assert ask(client=client(address)) == "4"


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize(("name", "data"), [("br", b"\x0b\x02"), ("gzip, gzip", b""), ("gzip", b"no gzip")])
def test_what_cannot_be_unpacked_is_an_error_of_ours(ask: Way, name: str, data: bytes) -> None:
    """An encoding that nobody asked for, and a body that is not in the one it names."""
    headers = {"content-type": "application/json", "content-encoding": name}
    with answering(200, headers, lambda: [data]) as address, pytest.raises(QwenAPIError):
        ask(client=client(address))
