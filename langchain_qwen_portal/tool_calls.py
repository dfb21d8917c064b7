"""Tool calls as Qwen sends them, made such as LangChain can put together.

Fragments of a streamed call may come with an empty id, without an index, under the index of a call that is already
complete, or with their name repeated; arguments may end before their JSON does (docs/protocol.md, "Stream").
LangChain joins fragments by index alone and drops those without one.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from qwen_portal.errors import QwenAPIError

Chunk = dict[str, Any]
Fragment = Mapping[str, Any]

_CUT = "length"  # arguments that the limit cut are not whole, whatever brackets are added
_PAIRS = {"{": "}", "[": "]"}


def mend_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chat.completion whose tool calls all have an id and, if brackets were all that lacked, whole JSON."""
    choices = answer.get("choices")
    return {**answer, "choices": [_mend_choice(choice) for choice in choices]} if choices else dict(answer)


class StreamMender:
    """Mends the tool calls of one stream.

    What comes out has one index per call, the id and the name of a call once, and at the end what was lacking.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def mend(self, chunk: Chunk) -> Chunk:
        """Return the chunk with its fragments sorted to their calls; other chunks as they are."""
        choices: list[Chunk] = chunk.get("choices") or []
        if len(choices) != 1:
            return chunk
        choice, reason = choices[0], choices[0].get("finish_reason")
        delta = choice.get("delta") or {}
        fragments = delta.get("tool_calls") or ()
        mended = [new for old in fragments if (new := self._sort(old)) is not None]
        if reason:
            mended += [ending for call in self._calls if (ending := call.ending(cut=reason == _CUT)) is not None]
        if not (fragments or mended):
            return chunk
        return {**chunk, "choices": [{**choice, "delta": {**delta, "tool_calls": mended}}]}

    @contextmanager
    def completing_errors(self) -> Iterator[None]:
        """Give an error that breaks the stream off the calls as they were put together here."""
        try:
            yield
        except QwenAPIError as error:
            error.partial_tool_calls = [call.so_far() for call in self._calls]
            raise

    def _sort(self, fragment: Fragment) -> Chunk | None:
        function = fragment.get("function") or {}
        if not any((fragment.get("id"), function.get("name"), function.get("arguments"))):
            return None
        call = self._call_of(fragment, function)
        if call is None:
            call = _Call(len(self._calls))
            self._calls.append(call)
        return call.add(fragment, function)

    def _call_of(self, fragment: Fragment, function: Fragment) -> "_Call | None":
        """Find the call that a fragment continues; ``None`` if it begins one."""
        call_id, index = fragment.get("id"), fragment.get("index")
        known = next((call for call in self._calls if call_id and call.id == call_id), None)
        if known is not None or not self._calls:
            return known
        last = self._calls[-1]
        same_index = (call for call in reversed(self._calls) if index is not None and call.wire_index == index)
        at_index = next(same_index, None)
        if at_index is None and index is not None and (call_id or function.get("name") or last.is_whole):
            return None
        call = at_index or last
        return None if call.is_ended_by(call_id, function) else call


class _Call:
    """One call, put together from its fragments."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.wire_index: int | None = None
        self.id = ""
        self._name = ""
        self._arguments = ""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing from the arguments."""
        return _closing(self._arguments) == ""

    def is_ended_by(self, call_id: str | None, function: Fragment) -> bool:
        """Whether a fragment with this id and function cannot belong to this call."""
        if call_id and self.id:
            return True  # a known id was looked for before
        name = function.get("name")
        return bool(name and self._name and (name != self._name or self.is_whole))

    def add(self, fragment: Fragment, function: Fragment) -> Chunk:
        """Take a fragment; return it with only what is new."""
        new_id = "" if self.id else fragment.get("id") or ""
        new_name = "" if self._name else function.get("name") or ""
        arguments = _text(function.get("arguments"))
        self.id, self._name = self.id or new_id, self._name or new_name
        self._arguments += arguments
        if fragment.get("index") is not None:
            self.wire_index = fragment["index"]
        return _fragment(self.index, new_id, new_name, arguments)

    def so_far(self) -> Chunk:
        """Return what has arrived, as an entry of OpenAI's ``tool_calls``."""
        function = {"name": self._name, "arguments": self._arguments}
        return {"id": self.id, "type": "function", "function": function}

    def ending(self, *, cut: bool) -> Chunk | None:
        """Return what the call lacks when the answer is over, if it is anything that can be given."""
        lacking = "" if cut or not self._arguments else _closing(self._arguments) or ""
        new_id = "" if self.id else _new_id()
        self.id, self._arguments = self.id or new_id, self._arguments + lacking
        return _fragment(self.index, new_id, "", lacking) if new_id or lacking else None


def _fragment(index: int, call_id: str, name: str, arguments: str) -> Chunk:
    return {
        "index": index,
        "id": call_id or None,
        "type": "function",
        "function": {"name": name or None, "arguments": arguments},
    }


def _mend_choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    message = choice.get("message") or {}
    calls = message.get("tool_calls")
    if not calls:
        return dict(choice)
    cut = choice.get("finish_reason") == _CUT
    return {**choice, "message": {**message, "tool_calls": [_mend_call(call, cut=cut) for call in calls]}}


def _mend_call(call: Fragment, *, cut: bool) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments = _text(function.get("arguments")) or "{}"
    if not cut:
        arguments += _closing(arguments) or ""
    return {**call, "id": call.get("id") or _new_id(), "function": {**function, "arguments": arguments}}


def _text(arguments: Any) -> str:
    # Some gateways send the object itself.
    return arguments if isinstance(arguments, str) else "" if arguments is None else json.dumps(arguments)


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex[:22]}"


def _closing(arguments: str) -> str | None:
    """Return the quotes and brackets that end these arguments, ``""`` if none lack; ``None`` if no ending helps."""
    ends: list[str] = []
    in_string = escaped = False
    for char in arguments:
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in _PAIRS:
            ends.append(_PAIRS[char])
        elif char in "}]" and (not ends or ends.pop() != char):
            return None
    closing = '"' * in_string + "".join(reversed(ends))
    try:
        whole = json.loads(arguments + closing, strict=False)
    except (ValueError, RecursionError):
        return None
    return closing if isinstance(whole, dict) else None
