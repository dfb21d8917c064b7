"""Calls that no tool can be called with: LangChain has a place of their own for them, invalid_tool_calls.

A whole answer's are sorted out here. A streamed one's LangChain sorts itself, by arguments that are no object; a call
without a name, which it would take for a good one, gets its arguments quoted.
"""

import json
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import InvalidToolCall
from langchain_core.messages.tool import invalid_tool_call

from qwen_portal.answers.call_arguments import is_object

Chunk = dict[str, Any]


def readable_calls(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chat.completion without the calls that :func:`unreadable_calls` returns."""
    return {**answer, "choices": [_readable(choice) for choice in answer["choices"]]}


def unreadable_calls(message: Mapping[str, Any]) -> list[InvalidToolCall]:
    """Return the calls of a message that have no name, or arguments that are no object."""
    return [_invalid(call) for call in message.get("tool_calls") or () if not _is_callable(call)]


class NamelessCalls:
    """Marks the calls of one stream that have no name; the core hands such a call on in one piece."""

    def __init__(self) -> None:
        self._named: set[int] = set()

    def mark(self, chunk: Chunk) -> Chunk:
        """Return the chunk with the arguments of nameless calls quoted."""
        choices: list[Chunk] = chunk.get("choices") or []
        if len(choices) != 1 or not (fragments := choices[0]["delta"].get("tool_calls")):
            return chunk
        marked = [self._mark(fragment) for fragment in fragments]
        return {**chunk, "choices": [{**choices[0], "delta": {**choices[0]["delta"], "tool_calls": marked}}]}

    def _mark(self, fragment: Chunk) -> Chunk:
        if fragment["function"]["name"]:
            self._named.add(fragment["index"])
        if fragment["index"] in self._named:
            return fragment
        return {**fragment, "function": {"name": None, "arguments": _quoted(fragment["function"]["arguments"])}}


def _readable(choice: Mapping[str, Any]) -> dict[str, Any]:
    message = choice["message"]
    calls = message.get("tool_calls")
    if not calls:
        return dict(choice)
    return {**choice, "message": {**message, "tool_calls": [call for call in calls if _is_callable(call)]}}


def _is_callable(call: Mapping[str, Any]) -> bool:
    return bool(call["function"]["name"]) and is_object(call["function"]["arguments"])


def _invalid(call: Mapping[str, Any]) -> InvalidToolCall:
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    what = "its arguments are not a JSON object" if name else "it names no function"
    shown = arguments if name else _quoted(arguments)
    return invalid_tool_call(name=name or None, args=shown, id=call["id"], error=f"The call cannot be made: {what}.")


def _quoted(arguments: str) -> str:
    return json.dumps(arguments, ensure_ascii=False) if is_object(arguments) else arguments
