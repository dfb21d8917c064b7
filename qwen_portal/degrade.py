"""The strategy ``degrade``: the same question once more, for a short answer.

Some quotas count tokens, so a request for few of them may pass where a large one did not. Only a plain question is
repeated so: without its tools, its format or its images, the answer would be one to another question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from qwen_portal.shape import ChatRequest, merged

MOST_TOKENS = 1024


def is_plain(messages: Sequence[Any], params: Mapping[str, Any]) -> bool:
    """Tell whether a request is a conversation in text, and its answer no more than text.

    Args:
        messages: OpenAI-style messages.
        params: Further OpenAI parameters, as for :meth:`qwen_portal.shape.Shaper.chat`.
    """
    body = merged({"messages": messages, **params})
    wanted = body.get("response_format")
    is_text = wanted is None or (isinstance(wanted, Mapping) and wanted.get("type") == "text")
    has_tools = body.get("tools") or body.get("functions")
    return is_text and not has_tools and all(_is_text(message) for message in body["messages"])


def degraded(request: ChatRequest) -> ChatRequest:
    """Return the request for at most 1,024 tokens."""
    wish = request.body.get("max_tokens", MOST_TOKENS)
    return replace(request, body={**request.body, "max_tokens": min(wish, MOST_TOKENS)})


def _is_text(message: Any) -> bool:
    if not isinstance(message, Mapping) or message.get("tool_calls") or message.get("role") == "tool":
        return False
    content = message.get("content")
    if not isinstance(content, list):
        return isinstance(content, str)
    return all(
        isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str)
        for part in content
    )
