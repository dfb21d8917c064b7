"""LiteLLM's two ways of asking for reasoning, in the fields that Qwen's models take.

Source: docs/protocol.md, "Chat request". Tokens per effort are those LiteLLM uses for other providers.
"""

from collections.abc import Mapping
from typing import Any

_BUDGETS = {"minimal": 128, "low": 1_024, "medium": 2_048, "high": 4_096}
_OFF = {"none", "disable", "disabled"}


def map_thinking(params: Mapping[str, Any]) -> dict[str, Any]:
    """Turn ``reasoning_effort`` and ``thinking`` into ``enable_thinking`` and ``thinking_budget``.

    Args:
        params: OpenAI's parameters. ``reasoning_effort`` is a word or ``{"effort": word}``, ``thinking`` is
            Anthropic's ``{"type": "enabled", "budget_tokens": int}``. What says it in Qwen's fields already wins; to
            send ``reasoning_effort`` itself, put it into ``extra_body``.

    Returns:
        The parameters without the two.
    """
    rest = dict(params)
    effort, thinking = rest.pop("reasoning_effort", None), rest.pop("thinking", None)
    if isinstance(effort, Mapping):
        effort = effort.get("effort")
    wanted: dict[str, Any] = {}
    if effort is not None:
        wanted = _fields(on=effort not in _OFF, budget=_BUDGETS.get(str(effort)))
    if isinstance(thinking, Mapping):
        wanted = _fields(on=thinking.get("type") not in _OFF, budget=thinking.get("budget_tokens"))
    return wanted | rest


def _fields(*, on: bool, budget: int | None) -> dict[str, Any]:
    if not on:
        return {"enable_thinking": False}
    return {"enable_thinking": True} if budget is None else {"enable_thinking": True, "thinking_budget": budget}
