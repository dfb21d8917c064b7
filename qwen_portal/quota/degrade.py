"""The strategy ``degrade``: the same question once more, for a short answer.

Some quotas count tokens, so a request for few of them may pass where a large one did not. Only a plain question is
repeated so: without its tools, its format or its images, the answer would be one to another question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from qwen_portal.requests.chat_request import TOKEN_FIELDS, PreparedRequest, merged

MOST_TOKENS = 1024
# What makes more of an answer than text, or ties it to a form that a cut would break; `guided_json` and its like too.
_MORE_THAN_TEXT = {"tools", "functions", "function_call", "audio", "structured_outputs"}


def is_plain(messages: Sequence[Any], params: Mapping[str, Any]) -> bool:
    """Tell whether a request is a conversation in text, and its answer no more than text.

    Args:
        messages: OpenAI-style messages.
        params: Further OpenAI parameters, as for :meth:`qwen_portal.requests.chat_request.RequestBuilder.chat`.
    """
    body = merged({"messages": messages, **params})
    wanted = body.get("response_format")
    is_text = wanted is None or (isinstance(wanted, Mapping) and wanted.get("type") == "text")
    more = [name for name, value in body.items() if value and (name in _MORE_THAN_TEXT or name.startswith("guided_"))]
    speaks = body.get("modalities") not in (None, [], ["text"], ("text",))
    return is_text and not more and not speaks and all(_is_text(message) for message in body["messages"])


def degraded(request: PreparedRequest) -> PreparedRequest:
    """Return the request for at most 1,024 tokens, of which thinking may take half."""
    limits = {name: request.body[name] for name in TOKEN_FIELDS if name in request.body}
    limit = min([*limits.values(), MOST_TOKENS])
    body = {**request.body, **dict.fromkeys(limits, limit), "max_tokens": limit}
    budget = body.pop("thinking_budget", None)
    if isinstance(budget, int | float) and limit > 1:
        body["thinking_budget"] = min(budget, limit // 2)
    return replace(request, body=body)


def _is_text(message: Any) -> bool:
    if not isinstance(message, Mapping) or message.get("tool_calls") or message.get("function_call"):
        return False
    role, content = message.get("role"), message.get("content")
    if role in {"tool", "function"}:
        return False
    if not isinstance(content, list):
        # what an assistant that said nothing leaves in a conversation
        return isinstance(content, str) or (content is None and role == "assistant")
    return all(
        isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str)
        for part in content
    )
