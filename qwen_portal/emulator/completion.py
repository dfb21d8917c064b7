"""One answer in the two shapes of the wire: a completion, or the frames of a stream."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from qwen_portal.emulator import tokens

FinishReason = Literal["stop", "tool_calls", "length"]


@dataclass(frozen=True)
class ToolCall:
    """A call of an offered tool; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Choice:
    """What the model says in one choice."""

    content: str
    finish_reason: FinishReason
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True)
class Completion:
    """A whole answer, ready for either shape.

    Attributes:
        request_id: Also the uuid of the answer's id.
        model: What the answer says it comes from.
        created: Seconds since the epoch.
        choices: At least one.
        prompt: What the prompt cost.
    """

    request_id: str
    model: str
    created: int
    choices: tuple[Choice, ...]
    prompt: tokens.PromptTokens
    usage: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        written = sum(_written(choice) for choice in self.choices)
        reasoned = sum(len(tokens.split(choice.reasoning or "")) for choice in self.choices)
        object.__setattr__(self, "usage", tokens.usage(self.prompt, written, reasoned))

    def as_dict(self) -> dict[str, Any]:
        """The body of an answer that is no stream, in the field order of the wire."""
        return {
            "model": self.model,
            "usage": self.usage,
            "choices": [
                {
                    "message": _message(choice),
                    "finish_reason": choice.finish_reason,
                    "index": index,
                    "logprobs": None,
                }
                for index, choice in enumerate(self.choices)
            ],
            "object": "chat.completion",
            "created": self.created,
            "system_fingerprint": None,
            "id": f"chatcmpl-{self.request_id}",
        }

    def frames(self, *, include_usage: bool, usage_together: bool = False) -> Iterator[dict[str, Any]]:
        """The frames of a stream, in the order and the odd shapes of the wire.

        Args:
            include_usage: Whether the request asked for the usage frame.
            usage_together: Whether the usage rides on the (last) finish frame instead.
        """
        for index, choice in enumerate(self.choices):
            for delta in _deltas(choice):
                yield self.frame(delta, index)
        last = len(self.choices) - 1
        for index, choice in enumerate(self.choices):
            together = include_usage and usage_together and index == last
            delta = {} if choice.tool_calls else {"content": ""}
            yield self.frame(delta, index, choice.finish_reason, self.usage if together else None)
        if include_usage and not usage_together:
            yield self._envelope([], self.usage)

    def frame(
        self,
        delta: dict[str, Any],
        index: int = 0,
        finish_reason: str | None = None,
        usage: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One frame around one delta."""
        choice = {"delta": delta, "finish_reason": finish_reason, "index": index, "logprobs": None}
        return self._envelope([choice], usage)

    def _envelope(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "choices": choices,
            "object": "chat.completion.chunk",
            "usage": usage,
            "created": self.created,
            "system_fingerprint": None,
            "model": self.model,
            "id": f"chatcmpl-{self.request_id}",
        }


def _written(choice: Choice) -> int:
    calls = sum(len(tokens.split(call.name + call.arguments)) for call in choice.tool_calls)
    return calls + len(tokens.split(choice.content))


def _message(choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {"content": choice.content, "role": "assistant"}
    if choice.reasoning is not None:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["tool_calls"] = [
            {
                "function": {"arguments": call.arguments, "name": call.name},
                "index": index,
                "id": call.id,
                "type": "function",
            }
            for index, call in enumerate(choice.tool_calls)
        ]
    return message


def _deltas(choice: Choice) -> Iterator[dict[str, Any]]:
    thinks = choice.reasoning is not None
    # Models that do not think leave reasoning_content out; those that do send it as null beside the text.
    yield {"content": ""} | ({"reasoning_content": ""} if thinks else {}) | {"role": "assistant"}
    for piece in tokens.split(choice.reasoning or ""):
        yield {"content": None, "reasoning_content": piece}
    for piece in tokens.split(choice.content):
        yield {"content": piece, "reasoning_content": None} if thinks else {"content": piece}
    for index, call in enumerate(choice.tool_calls):
        yield from _tool_deltas(index, call)


def _tool_deltas(index: int, call: ToolCall) -> Iterator[dict[str, Any]]:
    function: dict[str, str] = {"name": call.name, "arguments": ""}
    yield {"content": None, "tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]}
    # Later fragments carry an empty string where other services repeat the id or leave it out.
    for piece in _fragments(call.arguments):
        fragment = {"index": index, "id": "", "type": "function", "function": {"arguments": piece}}
        yield {"content": None, "tool_calls": [fragment]}


def _fragments(arguments: str) -> Iterator[str]:
    # At least two, even for "{}", so that a client which forgets to join them fails.
    size = max(1, min(8, len(arguments) // 2))
    for start in range(0, len(arguments), size):
        yield arguments[start : start + size]
