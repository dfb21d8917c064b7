"""Answers made whole before anybody sees them: one form, whatever the service or a gateway left out or said twice.

Frameworks add up what a stream says, so its reason to finish, its model, its id and its usage are handed on once.
Source: docs/protocol.md, "Answer" and "Stream".
"""

from typing import Any

from qwen_portal.answers.fields import (
    UnreadableError,
    clean,
    entries,
    index_of,
    known_fields,
    raw_texts,
    record,
    split_half,
    usage_of,
)
from qwen_portal.answers.tool_calls import StreamedCalls, whole_calls

Answer = dict[str, Any]

# The limit on output tokens ended the answer.
CUT = "length"
_TEXTS = ("content", "reasoning_content")
_READ_APART = frozenset(
    {"choices", "usage", "index", "message", "delta", "finish_reason", "tool_calls", "role", *_TEXTS}
)
# What is the same in all chunks of a stream; the first that came counts.
_SAME = ("id", "object", "created", "model", "system_fingerprint", "service_tier")


def whole_answer(body: Answer) -> Answer:
    """Return a chat.completion with nothing missing that its readers rely on.

    Raises:
        UnreadableError: What is there cannot be read.
    """
    choices = entries(body.get("choices"), "choices")
    if not choices:
        raise UnreadableError("choices", choices)
    usage = usage_of(body.get("usage"))
    answer = known_fields(body, without=_READ_APART)
    answer["choices"] = [_whole_choice(_choice(raw), place) for place, raw in enumerate(choices)]
    return answer if usage is None else {**answer, "usage": usage}


def _whole_choice(choice: Answer, place: int) -> Answer:
    said = record(choice.get("message") or choice.get("delta"), "a message")
    reason, index = _reason(choice), index_of(choice.get("index"))
    texts = {name: clean(text) for name, text in raw_texts(said).items()}
    message = {"role": "assistant", **_other_fields(said), "content": texts["content"]}
    if texts["reasoning_content"]:
        message["reasoning_content"] = texts["reasoning_content"]
    if calls := _calls(said):
        message["tool_calls"] = whole_calls(calls, cut=reason == CUT)
    rest = known_fields(choice, without=_READ_APART)
    return {**rest, "index": place if index is None else index, "message": message, "finish_reason": reason}


def _other_fields(said: Answer) -> Answer:
    """Return what a message or a delta has beside its texts and calls."""
    is_read = {"reasoning"} if isinstance(said.get("reasoning"), str) else set()
    return known_fields(said, without=_READ_APART | is_read)


def _choice(raw: object) -> Answer:
    # nothing else may be null and still be read: an empty choice would be an empty answer
    if raw is None:
        raise UnreadableError("a choice", raw)
    return record(raw, "a choice")


def _reason(choice: Answer) -> str | None:
    reason = choice.get("finish_reason")
    return clean(reason) if isinstance(reason, str) and reason else None


def _calls(said: Answer) -> list[Any]:
    return [call for call in entries(said.get("tool_calls"), "tool_calls") if call is not None]


class StreamedAnswer:
    """Makes the chunks of one answer whole, and keeps what was said.

    Attributes:
        text: Of all choices, as far as it came.
        is_finished: Whether a choice said why it ended.
        has_content: Whether anything was said that a second try would say again.
    """

    def __init__(self) -> None:
        self._same: Answer = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: Answer | None = None
        self.text: list[str] = []
        self.is_finished = False
        self.has_content = False

    def add(self, chunk: Answer) -> Answer | None:
        """Take a chunk; return what may be handed on now.

        Raises:
            UnreadableError: What is there cannot be read.
        """
        usage = usage_of(chunk.get("usage"))
        choices = [
            self._add_choice(_choice(raw), place) for place, raw in enumerate(entries(chunk.get("choices"), "choices"))
        ]
        self._usage = usage or self._usage
        fields = known_fields(chunk, without=_READ_APART)
        self._same = {name: fields[name] for name in _SAME if name in fields} | self._same
        passing = [choice for choice in choices if choice is not None]
        more = {name: value for name, value in fields.items() if name not in self._same}
        # what has no choice is passed on unless it was usage, which comes at the end, or nothing
        return self._chunk(passing, more) if passing or (more and not choices) else None

    def end(self) -> list[Answer]:
        """Return what was kept back until the answer is over: for each choice why it ended, then the usage."""
        closing = [self._chunk([choice.end(index)]) for index, choice in sorted(self._choices.items())]
        return closing if self._usage is None else [*closing, self._chunk([], {"usage": self._usage})]

    def tool_calls(self) -> list[Answer]:
        """Return the calls so far, as entries of OpenAI's ``tool_calls``."""
        return [call for _, choice in sorted(self._choices.items()) for call in choice.calls.so_far()]

    def _add_choice(self, raw: Answer, place: int) -> Answer | None:
        index = index_of(raw.get("index"))
        index = place if index is None else index
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        delta, has_content = choice.add(raw)
        self.text.append(delta["content"])
        self.has_content = self.has_content or has_content
        self.is_finished = self.is_finished or choice.reason is not None
        rest = known_fields(raw, without=_READ_APART)
        if not rest and delta == {"content": ""}:
            return None
        return {**rest, "index": index, "delta": delta, "finish_reason": None}

    def _chunk(self, choices: list[Answer], more: Answer | None = None) -> Answer:
        return {**self._same, **(more or {}), "choices": choices}


class _Choice:
    """One choice of a streamed answer."""

    def __init__(self) -> None:
        self.calls = StreamedCalls()
        self.reason: str | None = None
        self._halves = dict.fromkeys(_TEXTS, "")
        self._has_begun = self._has_said = False

    def add(self, raw: Answer) -> tuple[Answer, bool]:
        """Take the choice of a chunk; return the delta that may be handed on, and whether anything was said."""
        # some end a stream with the message as a whole, some have nothing else in it
        said = record(raw.get("delta") or (None if self._has_said else raw.get("message")), "a delta")
        self.reason = _reason(raw) or self.reason
        raw_said = raw_texts(said)
        texts = {name: self._joined(name, text) for name, text in raw_said.items()}
        fragments = _calls(said)
        calls = [piece for fragment in fragments for piece in self.calls.add(fragment)]
        delta = _other_fields(said)
        if not self._has_begun:
            delta["role"] = "assistant"
            self._has_begun = True
        delta["content"] = texts["content"]
        if texts["reasoning_content"]:
            delta["reasoning_content"] = texts["reasoning_content"]
        if calls:
            delta["tool_calls"] = calls
        self._has_said = self._has_said or bool(fragments or any(raw_said.values()))
        return delta, self._has_said or self.reason is not None

    def end(self, index: int) -> Answer:
        """Return the choice of the last chunk: why it ended, and what was lacking until then."""
        delta: Answer = {"content": ""} | {name: clean(half) for name, half in self._halves.items() if half}
        calls = self.calls.end(cut=self.reason == CUT)
        if calls:
            delta["tool_calls"] = calls
        return {"index": index, "delta": delta, "finish_reason": self.reason}

    def _joined(self, name: str, text: str) -> str:
        whole, self._halves[name] = split_half(self._halves[name] + text)
        return whole
