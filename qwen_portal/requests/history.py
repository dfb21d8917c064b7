"""The messages of a conversation so far, as the service takes them back.

It reads the arguments of every call in them, and refuses the whole conversation for one that is no JSON object: a call
that the token limit cut would end every later turn (docs/protocol.md, "Messages").
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qwen_portal.answers.call_arguments import readable_arguments

Message = Mapping[str, Any]

# In place of a tool's answer, which the service wants for each call.
_NOT_CALLED = "The call was cut off before its arguments were complete, so the tool was not called."


def sendable(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with the arguments of every call a JSON object.

    A call that was mended and that no tool answered gets an answer that says so. Messages without calls, and calls
    that are right, are handed on as they are.

    Args:
        messages: OpenAI-style messages; they are not changed.
    """
    return list(_mended(messages))


def _mended(messages: Sequence[Message]) -> Iterator[Message]:
    waiting: list[Any] = []  # ids of mended calls whose answers have not come
    for message in messages:
        if message.get("role") == "tool":
            waiting = [call_id for call_id in waiting if call_id != message.get("tool_call_id")]
        else:
            yield from _missing(waiting)
            waiting = []
        calls = message.get("tool_calls")
        if not isinstance(calls, Sequence) or all(_is_right(call) for call in calls):
            yield message
            continue
        waiting = [call.get("id") for call in calls if isinstance(call, Mapping) and not _is_right(call)]
        yield {**message, "tool_calls": [_mend(call) for call in calls]}
    yield from _missing(waiting)


def _missing(call_ids: Sequence[Any]) -> Iterator[Message]:
    for call_id in call_ids:
        yield {"role": "tool", "tool_call_id": call_id, "content": _NOT_CALLED}


def _is_right(call: Any) -> bool:
    arguments = _arguments(call)
    return isinstance(arguments, str) and _parsed(arguments) is not None


def _arguments(call: Any) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    return function.get("arguments") if isinstance(function, Mapping) else None


def _mend(call: Any) -> Any:
    if not isinstance(call, Mapping) or not isinstance(call.get("function"), Mapping) or _is_right(call):
        return call
    return {**call, "function": {**call["function"], "arguments": _object(_arguments(call))}}


def _object(arguments: Any) -> str:
    """Return the arguments as the text of a JSON object: what they are, or what they were going to be, or ``{}``."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    found = _parsed(readable_arguments(text, cut=False), strict=False)
    return "{}" if found is None else json.dumps(found, ensure_ascii=False)


def _parsed(arguments: str, *, strict: bool = True) -> dict[str, Any] | None:
    try:
        found = json.loads(arguments, strict=strict)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
