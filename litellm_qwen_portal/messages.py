"""Messages as the service takes them.

LiteLLM does this for the providers built into it, not for custom ones.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel


def normalise(messages: Sequence[Any]) -> list[dict[str, Any]]:
    """Return OpenAI-style messages without what Qwen refuses.

    ``developer`` is ``system``; an image given as a string is ``{"url": …}`` and loses LiteLLM's own ``format``.
    The caller's messages are left as they are.

    Args:
        messages: Dicts, or LiteLLM's Message objects.
    """
    return [_message(message) for message in messages]


def _message(message: Any) -> dict[str, Any]:
    plain = message.model_dump(exclude_none=True) if isinstance(message, BaseModel) else dict(message)
    if plain.get("role") == "developer":
        plain["role"] = "system"
    if isinstance(plain.get("content"), list):
        plain["content"] = [_part(part) for part in plain["content"]]
    return plain


def _part(part: Any) -> Any:
    if not isinstance(part, Mapping) or part.get("type") != "image_url":
        return part
    image = part.get("image_url")
    if isinstance(image, Mapping):
        return {**part, "image_url": {name: value for name, value in image.items() if name != "format"}}
    return {**part, "image_url": {"url": image}}
