"""A server whose answers drip, and a clock by which its clients' limits are soon over."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from qwen_portal.http import deadlines, retry

# Then the connection is closed: who is still there did not keep to any limit.
DROPS = 600


class Clock:
    """A clock on which every step at a socket takes five seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def step(self) -> float:
        """Return the time at a socket."""
        self.now += 5
        return self.now

    def read(self) -> float:
        """Return the time elsewhere."""
        return self.now


def stepping_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Have limits go by a clock that no machine's speed has a part in."""
    made = Clock()
    monkeypatch.setattr(deadlines, "time", type("Time", (), {"monotonic": staticmethod(made.step)}))
    monkeypatch.setattr(retry, "time", type("Time", (), {"monotonic": staticmethod(made.read)}))
    return made


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Answer each request of each connection so; yield the address."""

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while _request(connection):
                answer(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _request(connection: socket.socket) -> bytes:
    """Read one request; nothing if there is none any more."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += (more := connection.recv(65536))
        if not more:
            return b""
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return head


def dripping(first: bytes, drop: bytes, drops: int = DROPS, last: bytes = b"") -> Callable[[socket.socket], None]:
    """Say something, then drop by drop, then the last."""

    def answer(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(first)
        for _ in range(drops):
            # so that each is a read of its own; how long it takes, no limit here asks
            time.sleep(0.001)
            connection.sendall(drop)
        connection.sendall(last)
        connection.shutdown(socket.SHUT_RDWR)

    return answer
