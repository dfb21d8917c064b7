"""Answers replayed from a server on loopback, byte by byte, and what there is to read in them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from qwen_portal import errors

SSE, JSON = "text/event-stream", "application/json"

Json = dict[str, Any]


@dataclass(frozen=True)
class Good:
    """What an answer says, however it came.

    Attributes:
        calls: Name and arguments of each tool call.
        tokens: All tokens that the answer cost, if it said so.
    """

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, Json], ...] = ()
    tokens: int | None = None


@dataclass(frozen=True)
class Bad:
    """What a refusal is.

    Attributes:
        error: Its class.
        words: Of the service, which may not be lost.
        text: What the answer had said before.
        tries: Requests until it is handed on, of the three that are allowed.
    """

    error: type[errors.QwenAPIError]
    words: str
    text: str = ""
    tries: int = 1


@dataclass(frozen=True)
class Report:
    """One report.

    Attributes:
        source: ``owner/repository#number``.
        body: What the service answers.
        means: What there is to read in it.
        streamed: Whether it is the answer to a request for a stream; ``None`` if to either.
    """

    source: str
    body: bytes
    means: Good | Bad
    streamed: bool | None = True
    status: int = 200
    kind: str = SSE


@dataclass
class Replay:
    """A server on loopback that gives one answer to whatever is asked.

    Attributes:
        url: Its base URL.
        asked: The bodies of the requests so far.
    """

    url: str
    asked: list[Json] = field(default_factory=list)


@contextmanager
def replaying(report: Report, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    """Answer with a report's bytes on loopback, and sign every request with a key for that address.

    Args:
        report: What to answer.
        monkeypatch: Sets the environment, and takes the pauses between two tries away.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            replay.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(report.status)
            self.send_header("content-type", report.kind)
            self.send_header("content-length", str(len(report.body)))
            self.end_headers()
            self.wfile.write(report.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        replay = Replay(f"http://127.0.0.1:{server.server_port}/v1")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with monkeypatch.context() as patch:
            patch.setenv("QWEN_PORTAL_BASE_URL", replay.url)
            patch.setenv("QWEN_PORTAL_API_KEY", "sk-replay")
            patch.setattr("qwen_portal.http.retry._FIRST", 0.0)
            try:
                yield replay
            finally:
                server.shutdown()
                thread.join()
