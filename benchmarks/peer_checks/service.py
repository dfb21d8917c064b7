"""The other side: the emulator's control calls, and a service whose tool calls come in odd pieces."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.peer_checks.models import URL

_CONTROL = f"{URL.removesuffix('/v1')}/_emulator/"


def log() -> list[dict[str, Any]]:
    """Return every chat request so far."""
    return [entry for entry in _call("log") if entry["place"] == "chat"]


def scenario(name: str, *, on: bool = True) -> None:
    """Turn a scenario on or off."""
    _call("scenario", {"name": name, "on": on})


def calm() -> None:
    """Turn every scenario off."""
    for name in _call("scenario")["active"]:
        scenario(name, on=False)


def _call(name: str, order: Any = None) -> Any:
    data = None if order is None else json.dumps(order).encode()
    request = urllib.request.Request(_CONTROL + name, data, {"content-type": "application/json"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
        return json.load(answer)


@contextmanager
def odd_service(fragments: list[dict[str, Any]]) -> Iterator[str]:
    """Serve one answer to every question: these fragments of tool calls, or all of them whole; yield its address."""

    class Odd(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            data = _stream(fragments) if body.get("stream") else json.dumps(_answer(fragments)).encode()
            self.send_response(200)
            self.send_header("content-type", "text/event-stream" if body.get("stream") else "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def _envelope(kind: str, choice: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": None, "logprobs": None, **choice}
    return {"id": "odd", "object": kind, "created": 1, "model": "coder-model", "choices": [choice]}


def _answer(fragments: list[dict[str, Any]]) -> dict[str, Any]:
    message = {"role": "assistant", "content": None, "tool_calls": fragments}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {**_envelope("chat.completion", {"message": message, "finish_reason": "tool_calls"}), "usage": usage}


def _stream(fragments: list[dict[str, Any]]) -> bytes:
    kind = "chat.completion.chunk"
    frames = [_envelope(kind, {"delta": {"role": "assistant", "content": ""}})]
    frames += [_envelope(kind, {"delta": {"tool_calls": [fragment]}}) for fragment in fragments]
    frames.append(_envelope(kind, {"delta": {}, "finish_reason": "tool_calls"}))
    return b"".join(f"data: {json.dumps(frame)}\n\n".encode() for frame in frames) + b"data: [DONE]\n\n"
