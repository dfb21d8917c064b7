"""Refusals, whatever they are wrapped in: JSON, JSON in the lines of an event stream, a bare object in one.

Source: docs/protocol.md, "Chat errors" and "Refusals in other forms".
"""

import json
import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from qwen_portal.answers.error_codes import ROWS, STATUSES, Row
from qwen_portal.answers.sse import Event, EventDecoder, EventTooLargeError
from qwen_portal.errors import QwenAPIError, QwenQuotaExceededError, QwenRateLimitError
from qwen_portal.untrusted_json import json_value

_FIRST_ERROR, _BEYOND = 400, 600
# DashScope names the status of an event in a comment, and that of a message in brackets before it.
_COMMENT = re.compile(r"\s*HTTP_STATUS/(\d{3})\b")
_BRACKETS = re.compile(r"\s*<(\d{3})>")
_MESSAGES = ("message", "error_description", "error_msg", "msg", "detail")
_STATUSES = ("code", "status", "status_code", "http_status", "error_code")
# Errors within errors, as gateways stack them.
_DEEPEST = 4


class Refusal(NamedTuple):
    """A refusal, read.

    Attributes:
        status: What it names itself, else that of the answer it came in.
        code: Its code as it came; a type if the code is a status, ``""`` if there is neither.
        kind: Its type as it came, else ``""``.
        message: Its words, else ``""``.
        request_id: The service's id of the request, if the refusal has it.
    """

    status: int
    code: str = ""
    kind: str = ""
    message: str = ""
    request_id: str | None = None

    def error_class(self) -> type[QwenAPIError]:
        """Return the class of error that it stands for."""
        names, text = {self.code.lower(), self.kind.lower()} - {""}, f"{self.kind} {self.message}".lower()
        found = next((row.error for row in ROWS if _fits(row, self.status, names, text)), None)
        if found is None:
            return next(error for statuses, error in STATUSES if self.status in statuses)
        # a plan's limit on parallel requests speaks of quotas too: waiting a moment is all it takes
        if found is QwenQuotaExceededError and any("concurrency" in said for said in (*names, text)):
            return QwenRateLimitError
        return found


def _fits(row: Row, status: int, names: set[str], text: str) -> bool:
    named = names & row.codes or any(part in name for part in row.code_parts for name in names)
    if named and status in row.code_statuses:
        return True
    return status in row.word_statuses and any(re.search(words, text) for words in row.words)


def read_refusal(status: int, content: bytes) -> Refusal:
    """Read the body of an answer that is none.

    Args:
        status: HTTP status.
        content: The body, in any of the forms.
    """
    body, comments = _unwrapped(content)
    return _refusal(status, body, comments)


def refusal_body(content: bytes) -> dict[str, Any]:
    """Return the JSON object of a refusal, out of the lines of an event stream if it came so; ``{}`` if there is none.

    For other protocols than the chat's, which have fields of their own.
    """
    return _unwrapped(content)[0]


def refusal_in(event: Event, data: object = None) -> Refusal | None:
    """Read an event of an answer that began as a good one; ``None`` if it is no refusal.

    Args:
        event: The event.
        data: What its data say, if they are JSON, which nearly all are: it is read once.
    """
    body = data if isinstance(data, dict) else _body_of(event)
    if body is None:
        # an event that is named an error says so whatever its data are
        return Refusal(_named_status(event.comments) or 200, message=event.data or "") if _is_error(event) else None
    if _is_error(event) or event.data is None or is_refusal(body):
        return _refusal(200, body, event.comments)
    return None


def is_refusal(body: Mapping[str, Any]) -> bool:
    """Tell a refusal from a chunk of an answer."""
    if body.get("error") or body.get("object") == "error":
        return True
    message = next((body[name] for name in _MESSAGES if body.get(name)), None)
    return isinstance(message, str) and not body.get("choices")


def _is_error(event: Event) -> bool:
    return event.kind == "error" or _named_status(event.comments) is not None


def _unwrapped(content: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    body = _object(content.decode("utf-8", "replace").removeprefix("\ufeff"))
    if body is not None:
        return body, ()
    decoder = EventDecoder()
    try:
        for event in chain(decoder.feed(content), decoder.end()):
            found = _body_of(event)
            if found is not None:
                return found, event.comments
    except EventTooLargeError:
        pass
    return {}, ()


def _body_of(event: Event) -> dict[str, Any] | None:
    """Return an event's JSON object, from its data or from lines that are of no event stream."""
    if event.data is not None:
        found = _object(event.data)
        if found is not None:
            return found
    for line in event.strays:
        name, _, value = line.partition(":")
        if name == "error":
            return {"error": _object(value) or value.strip()}
    return _object("\n".join(event.strays))


def _object(text: str) -> dict[str, Any] | None:
    """Parse an object, or a list that holds one."""
    try:
        found = json_value(text)
    except ValueError:
        return None
    if isinstance(found, list):
        found = next((each for each in found if isinstance(each, dict)), None)
    return found if isinstance(found, dict) else None


def _refusal(status: int, body: Mapping[str, Any], comments: Iterable[str]) -> Refusal:
    layers = _layers(body)
    # the innermost knows most
    fields: dict[str, Any] = {name: value for layer in layers for name, value in layer.items() if value}
    message = next((str(fields[name]) for name in _MESSAGES if isinstance(fields.get(name), str)), "")
    error, code, kind = fields.get("error"), fields.get("code"), _text(fields.get("type"))
    if isinstance(error, str):
        message, code = (message, code or error) if message else (error, code)
    if not message and isinstance(fields.get("detail"), list | dict):
        message = json.dumps(fields["detail"], ensure_ascii=False)
    named = [_status(fields.get(name)) for name in _STATUSES] + [_match(_BRACKETS, message)]
    inside = next((each for each in named if each is not None), status) if status < _FIRST_ERROR else status
    return Refusal(
        status=_named_status(comments) or inside,
        code=kind if _status(code) is not None else _text(code) or kind,
        kind=kind,
        message=message,
        request_id=_text(fields.get("request_id")) or None,
    )


def _layers(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return an error and those within it: as a field of it, or as the JSON text that it has for a message."""
    layers = [body]
    while len(layers) < _DEEPEST:
        last = layers[-1]
        inner = next((last[name] for name in ("error", "errors", "detail") if last.get(name)), None)
        if isinstance(inner, list):
            inner = inner[0]
        if not isinstance(inner, Mapping):
            text = next((last[name] for name in ("message", "error") if isinstance(last.get(name), str)), "")
            inner = _object(text) if text.lstrip().startswith("{") else None
        if inner is None:
            break
        layers.append(inner)
    return layers


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _status(value: object) -> int | None:
    """Read a status, as a number or as text; ``None`` for every other code."""
    text = _text(value)
    number = int(text) if len(text) == len("400") and text.isascii() and text.isdigit() else 0
    return number if _FIRST_ERROR <= number < _BEYOND else None


def _named_status(comments: Iterable[str]) -> int | None:
    return next((found for each in comments if (found := _match(_COMMENT, each)) is not None), None)


def _match(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.match(text)
    return None if found is None else _status(found[1])
