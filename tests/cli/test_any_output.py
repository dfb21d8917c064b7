"""Danger: a server's text steers the terminal that a command writes to. Every field, every answer, every command."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qwen_portal.sign_in import device_flow
from tests.cli.program import run
from tests.screens import assert_shows_itself
from tests.scripted import answering
from tests.sign_ins import keep_tokens

ANY = settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
# What the commands themselves say to a terminal: colours, and a line that is written again.
_OURS = re.compile(r"\x1b\[(\?25[lh]|K|[0-9;]*m)")
_STEERING = [
    "\x1b[7h",
    "\x1b]0;title\x07",
    "\x9b2J",
    "\u202e",
    "\u2066",
    "\x08",
    "\r",
    "\0",
    "\x1bc",
    "\u2028",
    "\ud800",
]
texts = st.lists(
    st.sampled_from([*_STEERING, "a", "[bold]x[/bold]", "é", "\x1b", "https://"]), min_size=1, max_size=6
).map("".join)
statuses = st.sampled_from([200, 400, 401, 403, 404, 405, 429, 500, 503])
KINDS = ["answer", "stream", "error", "event", "device", "tokens", "words"]


def body(kind: str, text: str) -> bytes:
    """Write an answer of which every field is the text."""
    error = {"message": text, "code": text, "type": text, "error_description": text, "request_id": text}
    choice = {"index": 0, "message": {"content": text}, "delta": {"content": text}, "finish_reason": text}
    answer = {"id": text, "model": text, "choices": [choice], "usage": {text: 1}, text: text}
    device = {"device_code": "d", "user_code": text, "verification_uri": text, "verification_uri_complete": text}
    records: dict[str, Any] = {
        "answer": answer,
        "error": {"error": error, **error},
        "device": device,
        "tokens": {"access_token": "a", "refresh_token": "r", "resource_url": text, "expires_in": text},
    }
    if kind in records:
        return json.dumps(records[kind]).encode()
    said = json.dumps(error if kind == "event" else answer)
    return {
        "stream": f"data: {said}\n\ndata: [DONE]\n\n",
        "event": f"event: error\n:HTTP_STATUS/429 {text}\ndata: {said}\n\n",
        "words": text,
    }[kind].encode("utf-8", "replace")


def answer_with(request: httpx.Request, kind: str, status: int, text: str) -> httpx.Response:
    """Answer a request so; a sign-in gets its device code, or it would be over before there is anything to show."""
    if request.url.path.endswith("/device/code") and kind != "device" and status == 200:
        kind = "device"
    headers = [
        (b"content-type", b"text/event-stream" if kind in {"stream", "event"} else b"application/json"),
        (b"x-request-id", text.encode("utf-8", "replace")),
        (b"retry-after", b"0"),
    ]
    return httpx.Response(status, headers=headers, content=body(kind, text))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Let commands write to a terminal, and every host answer with what stands in the dictionary."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: self.name != "<stdin>", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(device_flow, "_SHORTEST_INTERVAL", 0.0)
    monkeypatch.setenv("COLUMNS", "200")
    given_: dict[str, Any] = {}
    with answering(lambda request: answer_with(request, **given_), monkeypatch):
        yield given_


COMMANDS = [
    ("chat", "Hello"),
    ("chat", "Hello", "--no-stream"),
    ("chat", "Hello", "--json"),
    ("status", "--check"),
    ("check", "-m", "coder-model"),
    ("token", "--refresh"),
    ("login", "work", "--no-browser", "--no-qr"),
    ("login", "work", "--json"),
    ("doctor",),
]


@pytest.mark.parametrize("args", COMMANDS, ids=" ".join)
def test_nothing_of_a_server_s_steers_the_terminal(terminal: dict[str, Any], args: tuple[str, ...]) -> None:
    """Whatever it answers: an answer, a refusal, a device code, a stream that breaks off."""

    @ANY
    @given(kind=st.sampled_from(KINDS), status=statuses, text=texts)
    @example(kind="answer", status=200, text="".join(_STEERING))
    @example(kind="stream", status=200, text="".join(_STEERING))
    @example(kind="device", status=200, text="".join(_STEERING))
    @example(kind="error", status=400, text="".join(_STEERING))
    def check(kind: str, status: int, text: str) -> None:
        terminal.update(kind=kind, status=status, text=text)
        keep_tokens()
        result = run(*args)
        assert "unexpected" not in result.stderr
        for shown in (result.stdout, result.stderr):
            # a bar that is drawn again begins with a return
            assert_shows_itself(
                _OURS.sub("", shown).replace("\r\x1b", ""), allowed="\n\t" + "\r" * (args[0] == "check")
            )

    check()
