"""Server-sent events, as far as a chat stream has them: ``data:`` lines, one event per blank line.

Source: WHATWG HTML, "Server-sent events"; docs/protocol.md, "Stream".
"""

DONE = b"[DONE]"


class EventDecoder:
    r"""Cuts a byte stream into the data of its events.

    Example:
        >>> EventDecoder().feed(b'data: {"a": 1}\n\ndata: [DO')
        [b'{"a": 1}']
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes as they arrive; return the data of each event they complete."""
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        events = []
        for raw in lines:
            line = raw.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data.clear()
        return events

    def flush(self) -> list[bytes]:
        """Return the last event of a stream that ends without a blank line."""
        return self.feed(b"\n\n")
