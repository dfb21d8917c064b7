"""Families of models: when each thinks, and what it refuses meanwhile; one row per family of ids.

Sources, by row:

- ``coder-model`` is qwen3.6-plus by now; ``vision-model`` does not think (docs/protocol.md, "Plans").
- Thinking-only ids, and hybrid ones that think by default from qwen3.5 on, by request before: the vendor's pages "Deep
  thinking" and "Visual reasoning".
- A forced tool call while thinking is refused by all that were tried (cloudwego/eino#994,
  agentscope-ai/agentscope#1608, can1357/oh-my-pi#886). JSON mode is by qwen3 and older (presenton/presenton#184,
  yigit353/langchain-qwq#23); the newer ones take it (QwenLM/Qwen#2329).
- Open weights think by default (langchain4j/langchain4j#3974, QuantumNous/new-api#1109).
- qwen3.8: the vendor's CLI takes thinking for mandatory on the preview (QwenLM/qwen-code#7659); on flash
  ``reasoning_effort`` "none" switches it off (QwenLM/qwen-code#8472).
"""

import re
from typing import Any, Literal, NamedTuple

Thinks = Literal["never", "on request", "by default", "always"]


class Family(NamedTuple):
    """How the models of one family think.

    Attributes:
        ids: A regular expression for the beginning of their ids.
        thinks: When they reason before they answer.
        takes_json: Whether JSON mode and thinking go together.
        off: The field that switches thinking off, and its value.
    """

    ids: str
    thinks: Thinks
    takes_json: bool = False
    off: tuple[str, Any] = ("enable_thinking", False)


# The first row that fits counts.
_FAMILIES = (
    Family(r"coder-model$", "by default", takes_json=True),
    Family(r"vision-model$", "never"),
    Family(r"qwen3-coder|qwen-vl-|qwen-coder|qwen2|.*-instruct", "never"),
    Family(r"qwq|qvq|.*-thinking", "always"),
    Family(r"qwen3\.8-max-preview", "always", takes_json=True),
    Family(r"qwen3\.8-flash", "by default", takes_json=True, off=("reasoning_effort", "none")),
    Family(r"qwen3\.[5-9]", "by default", takes_json=True),
    Family(r"qwen3-(max|vl-(plus|flash)|omni)|qwen-", "on request"),
    Family(r"qwen3-", "by default"),
)
_UNKNOWN = Family("", "on request")


def thinking_family(model: str) -> Family:
    """Return the family of a model by the name that is sent; one that only thinks on request if it is not known."""
    return next((family for family in _FAMILIES if re.match(family.ids, model.lower())), _UNKNOWN)
