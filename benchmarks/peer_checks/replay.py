"""A service that answers with scripted bytes, and how such bytes are written."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]

SSE, JSON = "text/event-stream", "application/json"
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


@dataclass(frozen=True)
class Reply:
    """What a request gets."""

    body: bytes
    kind: str = SSE
    status: int = 200


@dataclass
class Served:
    """A service.

    Attributes:
        url: Its base URL.
        asked: The bodies of the requests so far.
    """

    url: str
    asked: list[Json] = field(default_factory=list)


@contextmanager
def serving(reply: Callable[[Json], Reply]) -> Iterator[Served]:
    """Answer on loopback with what ``reply`` makes of a request's body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            served.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            answer = reply(served.asked[-1])
            self.send_response(answer.status)
            self.send_header("content-type", answer.kind)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Served(f"http://127.0.0.1:{server.server_port}/v1")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield served
        finally:
            server.shutdown()


def event(data: Any) -> bytes:
    """Write one event."""
    return f"data: {json.dumps(data)}\n\n".encode()


def stream(*frames: Any) -> bytes:
    """Write a stream of these, to its end."""
    return b"".join(map(event, frames)) + b"data: [DONE]\n\n"


def chunk(delta: Any, *, reason: str | None = None, **more: Any) -> Json:
    """Write a chunk of one choice."""
    return _envelope("chat.completion.chunk", {"delta": delta, "finish_reason": reason}) | more


def whole(message: Any, *, reason: str = "stop") -> Reply:
    """Write a whole answer."""
    answer = _envelope("chat.completion", {"message": message, "finish_reason": reason}) | {"usage": USAGE}
    return Reply(json.dumps(answer).encode(), JSON)


def tool_calls(asked: Json, fragments: list[Json], *, reason: str = "tool_calls") -> Reply:
    """Answer a request with tool calls: as these fragments in a stream, or as whole ones where none was asked for."""
    if not asked.get("stream"):
        return whole({"role": "assistant", "content": None, "tool_calls": fragments}, reason=reason)
    deltas = [{"role": "assistant", "content": ""}, *({"tool_calls": [each]} for each in fragments)]
    return Reply(stream(*map(chunk, deltas), chunk({}, reason=reason)))


def _envelope(kind: str, choice: Json) -> Json:
    choice = {"index": 0, "logprobs": None, **choice}
    return {"id": "c-1", "object": kind, "created": 1, "model": "coder-model", "choices": [choice]}
