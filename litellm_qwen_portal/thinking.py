"""LiteLLM's two ways of asking for reasoning, as the core takes them.

The core writes them in the words of the model.
"""

from collections.abc import Mapping
from typing import Any

from qwen_portal.errors import QwenBadRequestError

_OFF = {"enable_thinking": False}
_ON = {"enable_thinking": True}
_TYPES: Mapping[str, Mapping[str, Any]] = {"enabled": _ON, "adaptive": _ON, "disabled": _OFF}


def map_thinking(params: Mapping[str, Any]) -> dict[str, Any]:
    """Unwrap ``reasoning_effort``, and turn ``thinking`` into ``enable_thinking`` and ``thinking_budget``.

    Args:
        params: OpenAI's parameters. ``reasoning_effort`` is a word or ``{"effort": word}``, ``thinking`` is
            Anthropic's ``{"type": "enabled", "budget_tokens": int}`` and wins over it. What says it in Qwen's fields
            already wins over both.

    Returns:
        The parameters without ``thinking``.

    Raises:
        QwenBadRequestError: ``thinking`` is none of these.
    """
    rest = dict(params)
    effort, thinking = rest.pop("reasoning_effort", None), rest.pop("thinking", None)
    if thinking is not None:
        return {**_thinking(thinking), **rest}
    if isinstance(effort, Mapping):
        effort = effort.get("effort")
    return rest if effort is None else {**rest, "reasoning_effort": effort}


def _thinking(thinking: Any) -> Mapping[str, Any]:
    kind, budget = (
        (thinking.get("type"), thinking.get("budget_tokens")) if isinstance(thinking, Mapping) else (None, None)
    )
    fields = _TYPES.get(kind) if isinstance(kind, str) else None
    if fields is None or not (budget is None or (type(budget) is int and budget > 0)):
        raise QwenBadRequestError(
            f"thinking is {thinking!r}.",
            hint="It takes {'type': 'enabled', 'budget_tokens': 2048}, with or without the tokens, "
            "or {'type': 'disabled'}.",
        )
    return fields if fields is _OFF or budget is None else {**fields, "thinking_budget": budget}
