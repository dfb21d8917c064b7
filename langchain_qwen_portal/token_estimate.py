"""An estimate of a text's tokens, without a tokenizer's vocabulary and without the network.

Qwen's tokenizer packs three to four characters of English into a token, and about 1.5 Chinese, Japanese or
Korean ones (Qwen's documentation, "Key concepts"). The count of the service is in every answer's usage.
"""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

_CHARS_PER_TOKEN = 3.5
_EAST_ASIAN_CHARS_PER_TOKEN = 1.5
# Hangul Jamo is the first East Asian block; above it there is little else.
_FIRST_EAST_ASIAN = "\u1100"
# A picture of about 1000 by 1000 pixels, at 28 by 28 pixels a token.
_TOKENS_PER_IMAGE = 1_280


def estimate_tokens(text: str) -> int:
    """Estimate a text's length in tokens."""
    east_asian = sum(char >= _FIRST_EAST_ASIAN for char in text)
    return math.ceil((len(text) - east_asian) / _CHARS_PER_TOKEN + east_asian / _EAST_ASIAN_CHARS_PER_TOKEN)


def estimate_message_tokens(
    messages: Sequence[BaseMessage],
    tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
    *,
    count: Callable[[str], int] = estimate_tokens,
) -> int:
    """Estimate what messages and tool definitions come to, in tokens.

    Args:
        messages: The messages.
        tools: The definitions.
        count: Counts a text's tokens, exactly or nearly.
    """
    schemas = [convert_to_openai_tool(tool) for tool in tools or ()]
    text = "".join(message.text for message in messages) + json.dumps(schemas)
    return count_tokens_approximately(
        messages,
        chars_per_token=len(text) / max(1, count(text)),
        tokens_per_image=_TOKENS_PER_IMAGE,
        tools=[*schemas],
    )
