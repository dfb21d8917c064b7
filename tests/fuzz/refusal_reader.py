"""Fuzz target: refusals of the chat host and of the sign-in host, in every form.

The first byte chooses the status, the second the kind of content; then come two headers, each on a line, and the body.
"""

import math

import httpx

from qwen_portal.answers.error_responses import error_from_response, is_quota, is_web_page, is_wrong_key
from qwen_portal.answers.refusals import read_refusal, refusal_body
from qwen_portal.errors import QwenError
from qwen_portal.http.retry import Retries
from qwen_portal.oauth.responses import device_authorization, error_code, is_dead, is_pending, refusal, words
from qwen_portal.secrets import Secret
from tests.canaries import ACCESS, assert_none_in
from tests.reported import REFUSED
from tests.screens import assert_shows_itself

_STATUSES = (200, 400, 401, 403, 404, 405, 408, 413, 422, 429, 500, 502, 503, 504, 302, 418)
_KINDS = ("application/json", "text/event-stream", "text/html", "")
_LONGEST_ERROR = 1000
_SECRETS = (Secret(ACCESS),)

WORDS = (
    *('{"error": {', '{"code": "', '"message": "', '"type": "', '"request_id": "', '"errors": [', '"detail": ['),
    *('"error_description": "', '"error_msg"', '"status": 429', '"http_status"', '"status": "pending"', "slow_down"),
    *("insufficient_quota", "invalid_api_key", "data_inspection_failed", "concurrency", "range of input length"),
    *("quota will reset at 02-29 00:00:00 utc", "<400> ", "data: ", "event: error", ":HTTP_STATUS/429", "error: "),
    *("<html>", "\x1b[31m", "\\u001b]0;", "\\u202e", "https://user:pw@host/?api_key=x", "sk-abcdefgh", "Bearer "),
    *("Mon, 01 Jan 2024 00:00:00 +0000", "99999999999999999999", "1e400", "nan", '{\\"message\\": ', ACCESS),
)
_HEADERS = [b"7\nr-1\n", b"Mon, 01 Jan 2024 00:00:00 +99999999999999999999\n\xc2\x9b31m\n", b"\n\n"]
_BODIES = [
    *(refused.content for refused in REFUSED.values()),
    b'{"error": {"message": "{\\"error\\": {\\"message\\": \\"inner\\", \\"code\\": 429}}"}}',
    b'{"error": "invalid_grant", "error_description": "no \\u001b[31m' + ACCESS.encode() + b'"}',
    b'{"status": "pending", "detail": [{"loc": ["a"], "msg": "m"}]}',
    b"<!doctype html><title>No</title>",
    b"quota will reset at 02-29 10:00:00 UTC",
    b"?key?key&token=\xff" * 20,
    b"",
]
SEEDS = [bytes([place % 16, place % 4]) + _HEADERS[place % len(_HEADERS)] + body for place, body in enumerate(_BODIES)]


def check(data: bytes) -> None:
    """Read a refusal: its error is typed and can be shown, wherever its words came from."""
    status, kind = (_STATUSES[data[0] % 16], _KINDS[data[1] % 4]) if len(data) > 1 else (400, "")
    retry_after, request_id, body = [*data[2:].split(b"\n", 2), b"", b""][:3]
    headers = [(b"content-type", kind.encode()), (b"retry-after", retry_after), (b"x-request-id", request_id)]
    request = httpx.Request("POST", "https://chat.qwen.ai/api/v1/oauth2/token")
    response = httpx.Response(status, headers=headers, content=body, request=request)
    read_refusal(status, body)
    refusal_body(body)
    is_quota(status, body)
    is_web_page(response.headers, body)
    error = error_from_response(status, response.headers, body, host="portal.qwen.ai", secrets=_SECRETS)
    is_wrong_key(error)
    _assert_fit_to_show(error, error.code, error.request_id)
    assert error.retry_after is None or (error.retry_after >= 0 and math.isfinite(error.retry_after))
    Retries(2, 10.0).wait_after(error)
    _of_the_sign_in_host(response)


def _of_the_sign_in_host(response: httpx.Response) -> None:
    is_dead(response, error_code(response))
    is_pending(response)
    words(response, _SECRETS)
    _assert_fit_to_show(refusal(response, "No", _SECRETS))
    try:
        found = device_authorization(response)
    except QwenError as exc:
        # no token was sent that it could echo
        assert_shows_itself(str(exc))
        return
    for shown in (found.user_code, found.verification_uri, found.verification_uri_complete):
        assert_shows_itself(shown)
    assert math.isfinite(found.interval)
    assert math.isfinite(found.expires_in)
    assert min(found.interval, found.expires_in) > 0


def _assert_fit_to_show(error: QwenError, *more: str | None) -> None:
    shown = " ".join([str(error), *(text or "" for text in more)])
    assert_shows_itself(shown)
    assert_none_in(shown, [ACCESS])
    assert len(shown) < _LONGEST_ERROR
