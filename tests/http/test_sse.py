"""The decoder of event streams: the standard's own cases, any cut, any size."""

import itertools
import re
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qwen_portal
from qwen_portal.answers import chunks, sse
from qwen_portal.answers.sse import Event, EventDecoder, EventTooLargeError
from qwen_portal.errors import QwenStreamError
from tests.reported import SSE, chunk, framed, keep_key, stream_of
from tests.scripted import answering
from tests.ways import STREAMED, Way

_LONG = "x" * 2049
# web-platform-tests, eventsource/format-*: what is sent; the data of the events, with their kind where it is not plain.
FORMATS: dict[str, tuple[str, list[Any]]] = {
    "bom": ("\ufeffdata:1\n\n\ufeffdata:2\n\ndata:3\n\n", ["1", "3"]),
    "bom-2": ("\ufeff\ufeffdata:1\n\ndata:2\n\ndata:3\n\n", ["2", "3"]),
    "comments": (
        f"data:1\r:\0\n:\r\ndata:2\n:{_LONG}\rdata:3\n:data:fail\r:{_LONG}\ndata:4\n\n\n",
        ["1\n2\n3\n4"],
    ),
    "data-before-final-empty-line": ("retry:1000\ndata:test1\n\nid:test\ndata:test2", ["test1"]),
    "field-data": ("data:\n\ndata\ndata\n\ndata:test\n\n", ["", "\n", "test"]),
    "field-event": ("event:test\ndata:x\n\ndata:x\n\n", [("test", "x"), "x"]),
    "field-event-empty": ("event: \ndata:data\n\n", ["data"]),
    "field-parsing": (
        "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
        ["\0\n 2\n1\n3\n\n4"],
    ),
    "field-retry": ("retry:3000\ndata:x\n\n", ["x"]),
    "field-retry-bogus": ("retry:3000\nretry:1000x\ndata:x\n\n", ["x"]),
    "field-retry-empty": ("retry\ndata:test\n\n", ["test"]),
    "field-unknown": (
        "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
        ["test\n\ntest"],
    ),
    "leading-space": ("data:\ttest\rdata: \ndata:test\n\n", ["\ttest\n\ntest"]),
    "newlines": ("data:test\r\ndata\ndata:test\r\n\r", ["test\n\ntest"]),
    "null-character": ("data:\0\n\n\n\n", ["\0"]),
    "utf-8": ("data:ok…\n\n", ["ok…"]),
}


def events_of(data: bytes, cuts: list[int] | None = None) -> list[Event]:
    """Decode bytes that arrive cut at these places."""
    decoder, edges = EventDecoder(), [0, *sorted(cuts or []), len(data)]
    return [event for start, end in itertools.pairwise(edges) for event in decoder.feed(data[start:end])]


def told(events: list[Event]) -> list[Any]:
    """Return what the standard hands on: the data, and the kind where there is one."""
    data = [event for event in events if event.data is not None]
    return [(event.kind, event.data) if event.kind else event.data for event in data]


@pytest.mark.parametrize("name", FORMATS)
def test_the_cases_of_the_web_platform(name: str) -> None:
    """web-platform-tests, eventsource/format-*: as a whole, and byte by byte."""
    sent, expected = FORMATS[name]
    data = sent.encode()
    assert told(events_of(data)) == expected
    assert told(events_of(data, list(range(len(data))))) == expected


@pytest.mark.parametrize("last_id", ["\0\0", "x\0", "\0x", "x\0x", " \0"])
def test_an_id_with_a_null_is_none(last_id: str) -> None:
    """web-platform-tests, eventsource/format-field-id-null; and an id stays until another comes (format-field-id)."""
    events = events_of(f"id: 1\ndata: a\n\nid: {last_id}\ndata: b\n\nid\ndata: c\n\n".encode())
    assert [event.last_id for event in events] == ["1", "1", ""]


_PIECES = st.sampled_from(
    [
        *(b"data:", b"data: ", b"event: error", b"id: 7", b":HTTP_STATUS/429", b"error: {}", b"\r", b"\n", b"\r\n"),
        *(b"\xef\xbb\xbf", "é…😀".encode(), b"\xff", b"x", b" ", b"\0"),
    ]
)


@given(st.lists(_PIECES, max_size=60).map(b"".join), st.data())
@settings(max_examples=500, deadline=None, derandomize=True)
def test_any_split_gives_the_same_events(data: bytes, draw: st.DataObject) -> None:
    """Also within a character, a byte order mark and CR LF."""
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=20))
    assert events_of(data, cuts) == events_of(data)


def test_comments_and_strays_come_with_their_event() -> None:
    """DashScope says the status of an error in a comment; llama.cpp and others have a field of their own."""
    (event,) = events_of(b"id:1\nevent:error\n:HTTP_STATUS/429\nerror: {}\ndata:x\n\n: alone\n\n")
    assert event == Event("x", "error", "1", ("HTTP_STATUS/429",), ("error: {}",))


def test_the_last_event_needs_no_blank_line() -> None:
    """Beyond the standard: gateways leave the blank line out, and a tail without its end of line too."""
    decoder = EventDecoder()
    assert list(decoder.feed(b"data: 1\ndata: 2")) == []
    assert [event.data for event in decoder.end()] == ["1\n2"]


class _Counting:
    """Stands in for the pattern of line ends, and counts the bytes that are searched."""

    def __init__(self) -> None:
        self.searched = 0

    def split(self, data: bytes) -> list[bytes]:
        """Split as the real one does."""
        self.searched += len(data)
        return re.split(rb"\r\n|\r|\n", data)


@pytest.mark.reported("openai-python#3819, #2722; mistral-vibe#793; lathe#131")
def test_every_byte_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """lathe#131, mistral-vibe#793: one long line in small reads was quadratic; here each byte is searched one time."""
    line, size = framed({"a": "x" * 200_000}), 1_400
    counting = _Counting()
    monkeypatch.setattr(sse, "_LINE_END", counting)
    decoder = EventDecoder()
    events = [event for at in range(0, len(line), size) for event in decoder.feed(line[at : at + size])]
    assert len(events) == 1
    assert counting.searched == len(line)
    assert decoder._pieces == []


def test_an_event_has_a_largest_size() -> None:
    """Events before it are handed on; nothing of it is kept; small ones without end are no reason."""
    decoder = EventDecoder(largest=100)
    assert [event.data for _ in range(50) for event in decoder.feed(b"data: 1\n\n")] == ["1"] * 50
    arriving = decoder.feed(b"data: 2\n\ndata: " + b"x" * 100)
    assert next(arriving).data == "2"
    with pytest.raises(EventTooLargeError):
        next(arriving)
    with pytest.raises(EventTooLargeError):
        list(EventDecoder(largest=100).feed(b": and comments count too\n" * 5))
    assert decoder._pieces == []


@pytest.mark.parametrize("ask", STREAMED)
def test_an_event_that_is_too_large_is_said_so(ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typed error with the text so far, rather than all of the machine's memory."""
    keep_key()
    monkeypatch.setattr(chunks, "EventDecoder", lambda: EventDecoder(largest=1_000))
    response = stream_of(chunk({"content": "before"}), chunk({"content": "x" * 1_000}))
    with answering(lambda request: response, monkeypatch), pytest.raises(QwenStreamError, match="32 MB") as caught:
        ask(client={"max_retries": 0})
    assert caught.value.partial_text == "before"


_GOOD = framed(chunk({"role": "assistant", "content": "4"})) + framed(chunk({}, reason="stop"))
_ODD_STREAMS: dict[str, bytes] = {
    "byte order mark": b"\xef\xbb\xbf" + _GOOD + b"data: [DONE]\n\n",
    "CR alone": (_GOOD + b"data: [DONE]\n\n").replace(b"\n", b"\r"),
    "CR LF": (_GOOD + b"data: [DONE]\n\n").replace(b"\n", b"\r\n"),
    "a space after the end mark": _GOOD + b"data: [DONE] \n\n",
    "spaces around the end mark": _GOOD + b"data:   [DONE]\t\n\n",
    "empty data before the end": _GOOD + b"data:\n\ndata: [DONE]\n\n",
    "empty data in between": b"data: \n\n" + _GOOD + b"data\n\n",
    "comments": b": OPENROUTER PROCESSING\n\n:keep-alive\n" + _GOOD + b"data: [DONE]\n\n",
    "ids and names": b"id: 1\nevent: message\n" + _GOOD + b"id: 2\nevent: done\ndata: [DONE]\n\n",
    "no blank line at the end": _GOOD + b"data: [DONE]",
    "no end mark": _GOOD,
    "no last blank line": _GOOD.rstrip(b"\n"),
    "unknown lines": b"hello\nfoo: bar\n\n" + _GOOD + b"data: [DONE]\n\n",
    "more after the end mark": _GOOD + b"data: [DONE]\n\ndata: nonsense\n\n",
}


@pytest.mark.reported("openai-python#3819, #2722; mistral-vibe#793; lathe#131")
@pytest.mark.parametrize("ask", STREAMED)
@pytest.mark.parametrize("name", _ODD_STREAMS)
def test_a_stream_is_read_however_it_is_written(ask: Way, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """openai-python#3819, #2722; mistral-vibe#793; lathe#131: nothing of it makes a whole answer an error."""
    keep_key()
    response = httpx.Response(200, content=_ODD_STREAMS[name], headers={"content-type": SSE})
    with answering(lambda request: response, monkeypatch) as asked:
        assert ask(client={"max_retries": 0}) == "4"
    assert len(asked) == 1


@pytest.mark.parametrize("kind", ["text/event-stream;charset=UTF-8", "Text/Event-Stream", "text/event-stream;"])
def test_the_type_of_a_stream_is_told_by_its_name(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """web-platform-tests, eventsource/format-mime-*: parameters and capitals do not matter."""
    keep_key()
    response = httpx.Response(200, content=_GOOD, headers={"content-type": kind})
    with answering(lambda request: response, monkeypatch):
        assert [each["choices"] for each in qwen_portal.PortalClient().stream([{"role": "user", "content": "Hi"}])]
