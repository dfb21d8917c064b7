"""Fuzz target: the decoder of event streams, and what makes chunks of its events.

The first eight bytes say where the rest is cut.
"""

import json
import re
from collections.abc import Iterator
from itertools import pairwise

from qwen_portal.answers.chunks import ChunkReader
from qwen_portal.answers.collected import collected
from qwen_portal.answers.sse import EventDecoder
from qwen_portal.errors import QwenAPIError
from qwen_portal.secrets import Secret
from tests.canaries import ACCESS, assert_none_in
from tests.reported import REFUSED, chunk, framed
from tests.screens import assert_shows_itself

_CUTS = 8
_LONGEST_ERROR = 1000

WORDS = (
    *("data: ", "event: error", "id: 1", "retry: 1", ":HTTP_STATUS/429", "error: {}", "[DONE]", "\r\n", "\n\n"),
    *('{"choices": [', '{"delta": {', '"content": "', '"reasoning_content"', '"tool_calls": [{', '"index": 0', '"id"'),
    *('"function": {', '"name": "', '"arguments": "', '"finish_reason": "stop"', '"usage": {', '"total_tokens": 1'),
    *('"error": {', '"message": "', '"code": "', '"type"', "null", "\\ud83d", "\\ude00", "\ufeff", ACCESS),
)
_CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
_STREAMS = [
    *(refused.content for refused in REFUSED.values()),
    framed(chunk({"content": "4"}, reason="stop", usage={"total_tokens": 3})) + b"data: [DONE]\n\n",
    framed(chunk({"tool_calls": [_CALL]})) + framed(chunk({}, reason="tool_calls")) + b"data: [DONE]\r\n\r\n",
    framed(chunk({"content": f"\x1b[31m{ACCESS}"}, reason="error_finish")),
    b"\xef\xbb\xbf: comment\rid: 7\revent: x\rdata: 1\rdata: 2\r\rdata",
]
SEEDS = [bytes(range(3, 24, 3)) + b"\0" + stream for stream in _STREAMS]


def check(data: bytes) -> None:
    """Read a stream whole and cut: the same comes of both, and nothing but chunks and typed errors."""
    stream = data[_CUTS:]
    pieces = list(_cut(stream, data[:_CUTS]))
    whole = _decoded([stream])
    assert _decoded(pieces) == whole
    assert [event[0] for event in whole if event[0] is not None] == list(_standard(stream))
    chunks, error = _chunks([stream])
    again, same_error = _chunks(pieces)
    assert repr((again, str(same_error), type(same_error))) == repr((chunks, str(error), type(error)))
    if error is None:
        json.dumps(collected(chunks), ensure_ascii=False).encode()
        return
    shown = f"{error} {error.code} {error.request_id}"
    assert_shows_itself(shown)
    assert_none_in(shown, [ACCESS])
    assert len(shown) < _LONGEST_ERROR
    json.dumps([error.partial_text, error.partial_tool_calls], ensure_ascii=False).encode()


def _cut(stream: bytes, places: bytes) -> Iterator[bytes]:
    edges = sorted({0, len(stream), *(place * max(1, len(stream) // 256) % (len(stream) + 1) for place in places)})
    yield from (stream[start:end] for start, end in pairwise(edges))


def _decoded(pieces: list[bytes]) -> list[tuple[str | None, ...]]:
    decoder = EventDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return [(event.data, event.kind, event.last_id, *event.comments, *event.strays) for event in events]


def _standard(stream: bytes) -> Iterator[str]:
    """Yield the data of the events, as the standard has it: WHATWG HTML 9.2.6, written down a second time."""
    lines = re.split("\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace"))
    data: list[str] = []
    for line in lines[:-1]:
        if not line and data:
            yield "\n".join(data)
            data = []
        if line == "data" or line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))


def _chunks(pieces: list[bytes]) -> tuple[list[dict[str, object]], QwenAPIError | None]:
    reader, chunks = ChunkReader("portal.qwen.ai", f"r-{ACCESS}", [Secret(ACCESS)]), []
    try:
        for piece in pieces:
            chunks += reader.feed(piece)
        chunks += reader.end()
    except QwenAPIError as exc:
        return chunks, exc
    return chunks, None
