"""What a cassette may show: no secret, no cookie, and nothing that differs from one recording to the next.

Secrets are learned where they are known to stand (fields of forms and answers, the Authorization header) and replaced
wherever they stand. What has the shape of a token is replaced too. Of the headers only a few are kept.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote_plus, urlsplit

import httpx

SECRET_FIELDS = frozenset(
    {
        *("access_token", "refresh_token", "id_token", "api_key"),
        *("device_code", "user_code", "code_verifier", "code_challenge"),
    }
)
# Made by the client; every other secret that a request carries came with an answer before it.
_OF_THE_CLIENT = frozenset({"code_verifier", "code_challenge"})
KEPT_OF_REQUEST = frozenset({"accept", "content-type"})
KEPT_OF_ANSWER = frozenset({"content-type", "retry-after", "x-request-id"})
PLACEHOLDER = re.compile(r"[a-z]+-[a-z]+-\d+")

_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
# Ids and pictures are as long as tokens, and none.
_SHAPES = re.compile(
    rf"(?P<harmless>data:image/[a-z]+;base64,[A-Za-z0-9+/=]+|chatcmpl-{_UUID.pattern})"
    r"|Bearer +[A-Za-z0-9._~+/=-]{20,}|\bsk-[A-Za-z0-9_-]{16,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|[A-Za-z0-9_-]{43,}"
)
_CREATED = re.compile(r'("created": ?)\d+')
_LOOPBACK = re.compile(r"https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?(?P<sign_in>/authorize|/api/v1/oauth2)?")
_SIGN_IN_HOST, _PORTAL_HOST = "https://chat.qwen.ai", "https://portal.qwen.ai"
_ANY_DAY = 1_700_000_000


class Request(Protocol):
    """What vcrpy hands over of a request."""

    uri: str
    headers: dict[str, str]
    body: bytes | None


class Scrubber:
    """Scrubs one cassette, while it is recorded and while it is replayed.

    Each secret becomes a placeholder, such as ``refresh-token-1``. It is the same one wherever the secret stands, and
    one that no answer on the cassette gave is number 0, so a replayed request must carry the token that the replayed
    answer before it gave. A request to the emulator becomes one to the service's own host.
    """

    def __init__(self) -> None:
        self._placeholders: dict[str, str] = {}
        self._ids: dict[str, str] = {}

    @property
    def secrets(self) -> frozenset[str]:
        """What was replaced so far."""
        return frozenset(self._placeholders)

    def request(self, request: Request) -> Request:
        """Scrub a request (vcrpy's ``before_record_request``)."""
        authorization = request.headers.get("authorization", "")
        text = (request.body or b"").decode()
        bearer = ("access_token", authorization.removeprefix("Bearer "))
        for field, value in [bearer, *_json_fields(text), *parse_qsl(text), *parse_qsl(urlsplit(request.uri).query)]:
            self._learn(field, value, numbered=field in _OF_THE_CLIENT)
        headers = request.headers.items()
        request.headers = {name: self._mask(value) for name, value in headers if name.lower() in KEPT_OF_REQUEST}
        request.body = self._mask(text).encode()
        request.uri = self._mask(request.uri)
        return request

    def answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Scrub an answer (vcrpy's ``before_record_response``); a packed body is unpacked.

        Raises:
            UnicodeDecodeError: The body is no text, so nobody could see what is in it.
        """
        headers = [(name, value) for name, values in answer["headers"].items() for value in values]
        text = httpx.Response(200, headers=headers, content=answer["body"]["string"]).content.decode()
        for field, value in _json_fields(text):
            self._learn(field, value, numbered=True)
        text = _CREATED.sub(rf"\g<1>{_ANY_DAY}", self._number_ids(self._mask(text)))
        kept = [(name.lower(), value) for name, value in headers if name.lower() in KEPT_OF_ANSWER]
        return {
            "status": answer["status"],
            "headers": {name: [self._number_ids(self._mask(value))] for name, value in kept},
            "body": {"string": text.encode()},
        }

    def _learn(self, field: str, value: str, *, numbered: bool) -> None:
        if field in SECRET_FIELDS and value and not PLACEHOLDER.fullmatch(value):
            name = field.replace("_", "-")
            given = {known for known in self._placeholders.values() if known.startswith(name)} | {f"{name}-0"}
            self._placeholders.setdefault(value, f"{name}-{len(given) if numbered else 0}")

    def _mask(self, text: str) -> str:
        spelled = {each: new for secret, new in self._placeholders.items() for each in _spellings(secret)}
        if spelled:
            # In one go, and the longest first: no placeholder is looked at again, no secret is the half of another.
            known = "|".join(re.escape(each) for each in sorted(spelled, key=len, reverse=True))
            text = re.sub(known, lambda match: spelled[match[0]], text)
        text = _SHAPES.sub(lambda match: match["harmless"] or "scrubbed", text)
        return _LOOPBACK.sub(_public_address, text)

    def _number_ids(self, text: str) -> str:
        return _UUID.sub(lambda match: self._ids.setdefault(match[0], _numbered_id(len(self._ids) + 1)), text)


def token_shapes(text: str) -> Iterator[str]:
    """Yield what looks like a token."""
    return (match[0] for match in _SHAPES.finditer(text) if not match["harmless"])


def _spellings(secret: str) -> set[str]:
    """Return how a secret can stand in a form, an address or JSON."""
    return {secret, quote_plus(secret), json.dumps(secret)[1:-1]}


def _numbered_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def _public_address(match: re.Match[str]) -> str:
    return f"{_SIGN_IN_HOST}{match['sign_in']}" if match["sign_in"] else _PORTAL_HOST


def _json_fields(text: str) -> Iterable[tuple[str, str]]:
    try:
        return list(_strings(json.loads(text)))
    except ValueError:
        return []


def _strings(value: Any) -> Iterator[tuple[str, str]]:
    """Yield each text field of a JSON value, with its name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str):
                yield name, inner
            else:
                yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
