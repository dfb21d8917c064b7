"""Messages as the service takes them.

LiteLLM does this for the providers built into it, not for custom ones.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from qwen_portal.errors import QwenBadRequestError
from qwen_portal.secrets import printable


def normalise(messages: Sequence[Any]) -> list[dict[str, Any]]:
    """Return OpenAI-style messages without what Qwen refuses.

    ``developer`` is ``system``; an image given as a string is ``{"url": …}`` and loses LiteLLM's own ``format``.
    The caller's messages are left as they are.

    Args:
        messages: Dicts, or LiteLLM's Message objects.
    """
    return [_message(message) for message in messages]


def check_media(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what is neither text nor a picture and would be sent as one.

    A PDF can come as the address of an image, which LiteLLM makes of an Anthropic ``document``.

    Args:
        messages: As ``normalise`` returns them.

    Raises:
        QwenBadRequestError: A part holds another kind of data.
    """
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            kind = _media_type(part)
            if kind is not None and not kind.startswith("image/"):
                raise QwenBadRequestError(
                    f"A message holds data of the type {printable(kind, limit=60)!r}.",
                    hint="The models read text and images; send the text that is in it, or a picture of each page.",
                )


def _media_type(part: Any) -> str | None:
    """Return the type of the data that a part itself holds, such as ``"application/pdf"``."""
    match part:
        case {"type": "document", "source": {"media_type": str(kind)}}:
            return kind
        case {"type": "image_url", "image_url": {"url": str(url)}} | {"type": "file", "file": {"file_data": str(url)}}:
            scheme, _, data = url.partition(":")
            # without one it is text (RFC 2397 §2)
            return re.split("[;,]", data)[0].lower() or "text/plain" if scheme.lower() == "data" else None
    return None


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
