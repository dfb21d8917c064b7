"""A stream put together again: the whole answer that its chunks add up to, for who asked for no stream."""

from collections.abc import Iterable
from typing import Any

Answer = dict[str, Any]

_TEXTS = ("content", "reasoning_content")


def collected(chunks: Iterable[Answer]) -> Answer:
    """Return the chat.completion that a stream's chunks add up to.

    Args:
        chunks: As :class:`qwen_portal.answers.completions.StreamedAnswer` hands them on.
    """
    answer: Answer = {}
    choices: dict[int, _Choice] = {}
    for chunk in chunks:
        answer |= {name: value for name, value in chunk.items() if name != "choices"}
        for choice in chunk["choices"]:
            choices.setdefault(choice["index"], _Choice()).add(choice)
    whole = [{"index": index, **choice.whole()} for index, choice in sorted(choices.items())]
    return {**answer, "object": "chat.completion", "choices": whole}


class _Choice:
    """One choice, as far as it has come."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {name: [] for name in _TEXTS}
        self._calls: dict[int, list[Answer]] = {}
        self._reason: str | None = None

    def add(self, choice: Answer) -> None:
        """Take the choice of one chunk."""
        self._reason = choice["finish_reason"] or self._reason
        delta = choice["delta"]
        for name in _TEXTS:
            self._texts[name].append(delta.get(name, ""))
        for piece in delta.get("tool_calls", ()):
            self._calls.setdefault(piece["index"], []).append(piece)

    def whole(self) -> Answer:
        """Return the choice of a whole answer."""
        message: Answer = {"role": "assistant", "content": "".join(self._texts["content"])}
        if reasoning := "".join(self._texts["reasoning_content"]):
            message["reasoning_content"] = reasoning
        if self._calls:
            message["tool_calls"] = [_call(pieces) for _, pieces in sorted(self._calls.items())]
        return {"message": message, "finish_reason": self._reason}


def _call(pieces: list[Answer]) -> Answer:
    function = {name: "".join(piece["function"].get(name) or "" for piece in pieces) for name in ("name", "arguments")}
    return {"id": "".join(piece["id"] or "" for piece in pieces), "type": "function", "function": function}
