"""The arguments of a call: a JSON object as text that comes in pieces, wrapped once too often, or without its end."""

import json
import re
from typing import Any

from qwen_portal.answers.fields import UnreadableError, clean
from qwen_portal.untrusted_json import json_value

_PAIRS = {"{": "}", "[": "]"}
# What a text that is cut anywhere must be looked at for; a backslash takes the next character with it.
_MARK = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)


class Nesting:
    """Where in its JSON a text stands that arrives in pieces."""

    def __init__(self) -> None:
        self._ends: list[str] = []
        self._in_string = self._is_escaped = self._is_broken = False
        self._first = ""

    @property
    def has_begun(self) -> bool:
        """Whether anything but space has come."""
        return bool(self._first)

    @property
    def is_object(self) -> bool:
        """Whether it begins as an object does."""
        return self._first == "{"

    @property
    def is_closed(self) -> bool:
        """Whether everything that was opened is closed again."""
        return self.has_begun and not (self._ends or self._in_string or self._is_broken)

    def feed(self, piece: str) -> None:
        """Take a piece."""
        self._first = self._first or piece.lstrip()[:1]
        start, self._is_escaped = int(self._is_escaped), False
        for mark in _MARK.finditer(piece, start):
            found = mark[0]
            if found[0] == "\\":
                self._is_escaped = len(found) == 1
            elif found == '"':
                self._in_string = not self._in_string
            elif self._in_string:
                continue
            elif found in _PAIRS:
                self._ends.append(_PAIRS[found])
            elif not self._ends or self._ends.pop() != found:
                self._is_broken = True

    def closing(self, whole: str) -> str | None:
        """Return the quotes and brackets that end an object, ``""`` if none lack; ``None`` if no ending helps.

        Args:
            whole: All that came.
        """
        closing = '"' * self._in_string + "".join(reversed(self._ends))
        return closing if not self._is_broken and _object(whole + closing) is not None else None


def readable_arguments(arguments: str, *, cut: bool) -> str:
    """Return arguments as a JSON object's text if they can be read as one, else as they came.

    Args:
        arguments: Nothing, ``null``, or JSON; perhaps a text in JSON that is JSON itself, perhaps without its end.
        cut: Whether the limit ended the answer.
    """
    inner = arguments
    while inner.lstrip().startswith('"'):
        try:
            decoded = json_value(inner, strict=False)
        except ValueError:
            break
        inner = clean(decoded)
    if inner.strip() in {"", "null"}:
        return "{}"
    nesting = Nesting()
    nesting.feed(inner)
    closing = nesting.closing(inner)
    if closing is None or (cut and closing):
        return arguments
    return inner + closing


def is_object(arguments: str) -> bool:
    """Tell whether a call's arguments are what every call's should be."""
    return _object(arguments) is not None


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json_value(text, strict=False)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def arguments_text(value: object) -> str:
    """Read the arguments of a call or of a fragment; they may end in half a character.

    Raises:
        UnreadableError: They are a number or a boolean.
    """
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, dict | list):
        # some gateways send the object itself
        return json.dumps(value, ensure_ascii=False)
    raise UnreadableError("a call's arguments", value)
