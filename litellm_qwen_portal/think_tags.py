"""Reasoning inside the text, for interfaces that know no other place for it.

LiteLLM does this with ``merge_reasoning_content_in_choices`` for the providers built into it, not for custom ones.
"""

from typing import Any

Choice = dict[str, Any]


class ThinkTags:
    """Moves one stream's reasoning into its text, between ``<think>`` and ``</think>``."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def merge(self, choice: Choice) -> Choice:
        """Return a chunk's choice with its reasoning in its content."""
        delta, index = dict(choice.get("delta") or {}), choice.get("index") or 0
        reasoning, content = delta.pop("reasoning_content", None), delta.get("content") or ""
        text = ""
        if reasoning:
            text = reasoning if index in self._open else f"<think>{reasoning}"
            self._open.add(index)
        if index in self._open and (content or delta.get("tool_calls") or choice.get("finish_reason")):
            text += "</think>"
            self._open.discard(index)
        return {**choice, "delta": {**delta, "content": text + content} if text else delta}
