"""The fields of an answer, read one by one: what is missing gets OpenAI's default, what has a wrong type is told.

Text, calls and usage are what an answer is for: of another type they make it unreadable. The rest is left out then,
with a line in the log.
"""

import json
import logging
import math
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

_log = logging.getLogger("qwen_portal")


class UnreadableError(ValueError):
    """A part of an answer has a type that nobody can make anything of.

    Args:
        what: Which part.
        value: What came in its place.
    """

    def __init__(self, what: str, value: object) -> None:
        super().__init__(f"{what} is a {type(value).__name__}")


def record(value: object, what: str) -> dict[str, Any]:
    """Read an object; nothing is an empty one.

    Raises:
        UnreadableError: It is something else.
    """
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise UnreadableError(what, value)


def entries(value: object, what: str) -> list[Any]:
    """Read a list; nothing is an empty one.

    Raises:
        UnreadableError: It is something else.
    """
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise UnreadableError(what, value)


def raw_text(value: object, what: str) -> str:
    """Read a text, or a list of text parts; it may end in half a character.

    Raises:
        UnreadableError: It is something else.
    """
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value):
        return "".join(part["text"] for part in value)
    raise UnreadableError(what, value)


def text_of(value: object, what: str) -> str:
    """Read a text; see :func:`raw_text`. Half a character becomes U+FFFD."""
    return clean(raw_text(value, what))


def raw_texts(said: Mapping[str, Any]) -> dict[str, str]:
    """Read ``content`` and ``reasoning_content`` of a message or a delta; each may end in half a character.

    Newer servers of open weights name the second ``reasoning``; where content comes in parts, it may be among them.

    Raises:
        UnreadableError: One of them is no text.
    """
    content, reasoning = said.get("content"), said.get("reasoning_content")
    thoughts: list[Any] = []
    if isinstance(content, list):
        thoughts = [part["thinking"] for part in content if _is_thought(part)]
        content = [part for part in content if not _is_thought(part)]
    if reasoning is None and isinstance(said.get("reasoning"), str):
        reasoning = said["reasoning"]
    return {
        "content": raw_text(content, "content"),
        "reasoning_content": raw_text(reasoning, "reasoning_content")
        + "".join(raw_text(thought, "thinking") for thought in thoughts),
    }


def _is_thought(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "thinking" and "thinking" in part


def clean(text: str) -> str:
    """Join the halves of characters (surrogates), and replace what has no other half by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _clean_inside(value: Any) -> Any:
    if not isinstance(value, dict | list):
        return value
    text = json.dumps(value, ensure_ascii=False)
    whole = clean(text)
    return value if whole == text else json.loads(whole)


def split_half(text: str) -> tuple[str, str]:
    """Return a text that can be handed on, and the first half of a character that it ends in, ``""`` if in none."""
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    return clean(text.removesuffix(half)), half


def index_of(value: object) -> int | None:
    """Read a place among choices or calls; text will do.

    Raises:
        UnreadableError: It is no whole number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise UnreadableError("an index", value)


def usage_of(value: object) -> dict[str, Any] | None:
    """Read the usage: numbers, and objects of numbers; ``None`` where there is none.

    Raises:
        UnreadableError: It is no object.
    """
    return _counts(record(value, "the usage")) or None


def _counts(counted: Mapping[str, Any]) -> dict[str, Any]:
    return {clean(name): read for name, given in counted.items() if (read := _count(name, given)) is not None}


def _count(name: str, value: object) -> Any:
    if isinstance(value, dict):
        return _counts(value)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:18])
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    is_cost = isinstance(value, float) and math.isfinite(value) and not name.endswith("tokens")
    return value if is_cost else None


def known_fields(given: Mapping[str, Any], *, without: AbstractSet[str]) -> dict[str, Any]:
    """Return the fields that have the types of OpenAI's, and those that OpenAI does not know.

    Args:
        given: A completion, a choice, a message or a delta.
        without: The fields that are read apart.
    """
    kept = {}
    for name, value in given.items():
        if name in without or value is None:
            continue
        is_right = _TYPES.get(name)
        if is_right is None or is_right(value):
            kept[clean(name)] = clean(value) if isinstance(value, str) else _clean_inside(value)
        else:
            _log.debug("the answer's %s is a %s: it is left out", name, type(value).__name__)
    return kept


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_moment(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_record(value: object) -> bool:
    return isinstance(value, dict)


def _are_records(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_record, value))


def _is_function_call(value: object) -> bool:
    return isinstance(value, dict) and all(_is_text(value.get(name)) for name in ("name", "arguments"))


def _are_logprobs(value: object) -> bool:
    return isinstance(value, dict) and all(each is None or _are_token_logprobs(each) for each in value.values())


def _are_token_logprobs(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_token_logprob, value))


def _is_token_logprob(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    alternatives, codes = value.get("top_logprobs"), value.get("bytes")
    return (
        _is_text(value.get("token"))
        and isinstance(value.get("logprob"), int | float)
        and (alternatives is None or _are_token_logprobs(alternatives))
        and (codes is None or (isinstance(codes, list) and all(map(_is_moment, codes))))
    )


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("id", "object", "model", "system_fingerprint", "service_tier"), _is_text),
    **dict.fromkeys(("role", "name", "refusal", "finish_reason"), _is_text),
    "created": _is_moment,
    "logprobs": _are_logprobs,
    "function_call": _is_function_call,
    **dict.fromkeys(("audio", "provider_specific_fields"), _is_record),
    **dict.fromkeys(("annotations", "images", "thinking_blocks", "reasoning_items"), _are_records),
}
