"""JSON that somebody else wrote, or that is broken: what of it can be used, and nothing that could do harm later."""

import json
from itertools import chain
from typing import Any

# Later than any number of seconds since the epoch that could be meant, earlier than any number of milliseconds.
LATEST_SECONDS = 100_000_000_000
# Python takes more digits for an error; a number of fewer always fits a float.
_DIGITS = 300
# Python's own limit depends on who calls: what could be read could later not be written, copied or walked through.
_DEEPEST = 100


def json_value(text: str | bytes, **options: Any) -> Any:
    """Parse JSON that is nested no deeper than what anybody means.

    Args:
        text: The JSON; bytes are decoded as the standard says.
        **options: Of ``json.loads``.

    Raises:
        ValueError: It is none, or deeper.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    try:
        value = json.loads(text, **options)
    except RecursionError:
        raise ValueError from None
    if text.count("[") + text.count("{") > _DEEPEST and _is_deep(value):
        raise ValueError
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        inside = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = list(chain.from_iterable(inside))
    return bool(level)


def json_object(text: str) -> dict[str, Any] | None:
    """Parse a JSON object, with or without a byte order mark; ``None`` for anything else, however broken or deep."""
    try:
        record = json_value(text.removeprefix("\ufeff"), parse_int=_integer)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def token(value: object) -> str | None:
    """Return a token, or ``None`` for what no request header takes; the HTTP library's error would quote it."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        return None
    return value or None


def moment(value: object) -> float | None:
    """Return a number of seconds since the epoch, or ``None`` for what is no number or could not be meant."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST_SECONDS:
        return None
    return float(value)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)
