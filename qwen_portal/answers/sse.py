"""Server-sent events as WHATWG has them: bytes in, however they are cut, events out.

Two things go beyond the standard, because services say there what went wrong: comments and lines with a field that
the standard does not know come with the event they stand in, and the last event counts without its blank line too.

Source: WHATWG HTML, "Server-sent events"; docs/protocol.md, "Stream".
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

# Of one event, in bytes; the largest answers are a hundredth of it.
LARGEST_EVENT = 32 * 1024 * 1024

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventTooLargeError(Exception):
    """One event is larger than any answer; what has arrived of it is dropped."""


class Event(NamedTuple):
    """What stands between two blank lines.

    Attributes:
        data: The ``data`` lines; ``None`` if there is none, which is no event to the standard.
        kind: The ``event`` field, ``""`` if there is none.
        last_id: The last ``id`` that the stream named.
        comments: What follows the colon of lines that begin with one.
        strays: Lines with another field, as they came.
    """

    data: str | None
    kind: str = ""
    last_id: str = ""
    comments: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()


class EventDecoder:
    r"""Cuts a byte stream into events; every byte is handled a fixed number of times, however small the reads.

    Args:
        largest: Of one event, in bytes.

    Example:
        >>> [event.data for event in EventDecoder().feed(b'data: {"a": 1}\n\ndata: [DO')]
        ['{"a": 1}']
    """

    def __init__(self, largest: int = LARGEST_EVENT) -> None:
        self._largest = largest
        self._size = 0
        self._pieces: list[bytes] = []
        self._is_first_line = True
        self._after_return = False
        self._last_id = ""
        self._begin()

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take bytes as they arrive; yield each event that they complete.

        Raises:
            EventTooLargeError: After the events before it.
        """
        if self._after_return and data:
            data = data.removeprefix(b"\n")
            self._after_return = False
        if not data:
            return
        self._after_return = data.endswith(b"\r")
        *ended, rest = _LINE_END.split(data)
        for piece in ended:
            self._grow(piece)
            yield from self._end_line()
        self._grow(rest)

    def end(self) -> Iterator[Event]:
        """Yield the last event of a stream that ends without a blank line."""
        yield from self._end_line()
        yield from self._dispatch()

    def _begin(self) -> None:
        self._data: list[str] = []
        self._kind = ""
        self._comments: list[str] = []
        self._strays: list[str] = []

    def _grow(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._largest:
            self._pieces.clear()
            raise EventTooLargeError
        if piece:
            self._pieces.append(piece)

    def _end_line(self) -> Iterator[Event]:
        raw = b"".join(self._pieces)
        self._pieces.clear()
        if self._is_first_line:
            raw = raw.removeprefix(_BYTE_ORDER_MARK)
            self._is_first_line = False
        if raw:
            self._take_field(raw.decode("utf-8", "replace"))
        else:
            yield from self._dispatch()

    def _take_field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id":
            self._last_id = self._last_id if "\0" in value else value
        elif not name:
            self._comments.append(value)
        elif name != "retry":  # nothing here connects again by itself
            self._strays.append(line)

    def _dispatch(self) -> Iterator[Event]:
        self._size = 0
        data = "\n".join(self._data) if self._data else None
        event = Event(data, self._kind, self._last_id, tuple(self._comments), tuple(self._strays))
        self._begin()
        if event.data is not None or event.kind or event.strays:
            yield event
