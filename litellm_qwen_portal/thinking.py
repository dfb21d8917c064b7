"""LiteLLM's two ways of asking for reasoning, in the fields that Qwen's models take.

Source: docs/protocol.md, "Chat request". Tokens per effort are those LiteLLM uses for other providers.
"""

from collections.abc import Mapping
from typing import Any

from qwen_portal.errors import QwenBadRequestError

_OFF = {"enable_thinking": False}
_ON = {"enable_thinking": True}
_EFFORTS: Mapping[str, Mapping[str, Any]] = {
    # as the model does by itself
    "default": {},
    "none": _OFF,
    "disable": _OFF,
    "minimal": _ON | {"thinking_budget": 128},
    "low": _ON | {"thinking_budget": 1_024},
    "medium": _ON | {"thinking_budget": 2_048},
    "high": _ON | {"thinking_budget": 4_096},
    # as much as the model likes
    "xhigh": _ON,
    "max": _ON,
}
_TYPES: Mapping[str, Mapping[str, Any]] = {"enabled": _ON, "adaptive": _ON, "disabled": _OFF}


def map_thinking(params: Mapping[str, Any]) -> dict[str, Any]:
    """Turn ``reasoning_effort`` and ``thinking`` into ``enable_thinking`` and ``thinking_budget``.

    Args:
        params: OpenAI's parameters. ``reasoning_effort`` is a word or ``{"effort": word}``, ``thinking`` is
            Anthropic's ``{"type": "enabled", "budget_tokens": int}``. What says it in Qwen's fields already wins; to
            send ``reasoning_effort`` itself, put it into ``extra_body``.

    Returns:
        The parameters without the two.

    Raises:
        QwenBadRequestError: One of the two is none of these.
    """
    rest = dict(params)
    effort, thinking = rest.pop("reasoning_effort", None), rest.pop("thinking", None)
    if isinstance(effort, Mapping):
        effort = effort.get("effort")
    wanted: Mapping[str, Any] = {}
    if effort is not None:
        wanted = _effort(effort)
    if thinking is not None:
        wanted = _thinking(thinking)
    return {**wanted, **rest}


def _effort(effort: Any) -> Mapping[str, Any]:
    fields = _EFFORTS.get(effort) if isinstance(effort, str) else None
    if fields is None:
        raise QwenBadRequestError(f"reasoning_effort is {effort!r}.", hint=f"It takes one of {', '.join(_EFFORTS)}.")
    return fields


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
