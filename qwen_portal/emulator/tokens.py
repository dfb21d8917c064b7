"""Counting the emulator's tokens: words, digits and signs, so that the same text always costs the same."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from qwen_portal.emulator.messages import text_of

# A token keeps the blanks before it, so that joining the tokens gives the text back.
_TOKEN = re.compile(r"\s*(?:[A-Za-z0-9_']+|[^\sA-Za-z0-9_'])|\s+")
_PER_MESSAGE = 4
_PER_IMAGE = 258


@dataclass(frozen=True)
class PromptTokens:
    """The cost of a prompt.

    Attributes:
        total: All tokens of the prompt.
        cached: Those that an earlier request began with as well.
        text: Tokens of text.
        images: Tokens of images.
        marked: Whether the request carries a cache_control marker.
    """

    total: int
    cached: int
    text: int
    images: int
    marked: bool


def split(text: str) -> list[str]:
    """The tokens of a text; joined they are the text again."""
    return _TOKEN.findall(text)


def count_prompt(body: dict[str, Any], seen: set[str]) -> PromptTokens:
    """Count a prompt, and remember it for the cache counts of later ones.

    The service caches from 256 tokens on only; the emulator has no minimum, so that a short test sees the numbers.

    Args:
        body: The chat request.
        seen: Digests of the prompt beginnings seen so far; this prompt's are added.
    """
    tools = json.dumps(body.get("tools", []), sort_keys=True)
    text, images = len(split(tools)) if body.get("tools") else 0, 0
    digest = hashlib.sha256(f"{body.get('model')}{tools}".encode())
    cached = 0
    new: list[str] = []
    for message in body["messages"]:
        digest.update(json.dumps(message, sort_keys=True).encode())
        text += _PER_MESSAGE + len(split(text_of(message)))
        images += _PER_IMAGE * len(image_parts(message))
        if digest.hexdigest() in seen:
            cached = text + images
        new.append(digest.hexdigest())
    seen.update(new)
    return PromptTokens(text + images, cached, text, images, '"cache_control"' in json.dumps(body))


def image_parts(message: dict[str, Any]) -> list[str]:
    """The URLs of a message's images."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return [part["image_url"]["url"] for part in parts if isinstance(part, dict) and part.get("type") == "image_url"]


def usage(prompt: PromptTokens, written: int, reasoned: int) -> dict[str, Any]:
    """The usage block of an answer (docs/protocol.md, Usage).

    Args:
        prompt: What the prompt cost.
        written: Tokens of text and tool calls in the answer.
        reasoned: Tokens of reasoning in the answer.
    """
    details: dict[str, Any] = {"cached_tokens": prompt.cached}
    if prompt.marked:
        created = prompt.total - prompt.cached
        details |= {
            "cache_creation_input_tokens": created,
            "cache_creation": {"ephemeral_5m_input_tokens": created},
            "cache_type": "ephemeral",
        }
    if prompt.images:
        details |= {"text_tokens": prompt.text, "image_tokens": prompt.images}
    block: dict[str, Any] = {
        "prompt_tokens": prompt.total,
        "completion_tokens": written + reasoned,
        "total_tokens": prompt.total + written + reasoned,
        "prompt_tokens_details": details,
    }
    if reasoned:
        block["completion_tokens_details"] = {"reasoning_tokens": reasoned, "text_tokens": written}
    return block
