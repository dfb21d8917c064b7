"""The sign-in host's answers, each read as what it means (RFC 8628, RFC 7636, docs/protocol.md)."""

import base64
import gzip
import hashlib
import json

import httpx
import pytest

from qwen_portal import oauth
from qwen_portal.emulator import Emulator
from qwen_portal.errors import (
    QwenConnectionError,
    QwenError,
    QwenLoginDeniedError,
    QwenLoginTimeoutError,
    QwenOAuthError,
    QwenRateLimitError,
    QwenRefreshTokenInvalidError,
    QwenServerError,
    QwenTimeoutError,
)
from qwen_portal.oauth import PollStatus, TokenResponse
from qwen_portal.secrets import Secret
from tests.canaries import ACCESS, DEVICE, REFRESH, assert_none_in, assert_none_in_error
from tests.dripping import dripping, serving, stepping_clock
from tests.scripted import answering, form

FIREWALL = "<!doctypehtml><html><head><meta name=aliyun_waf_aa></head></html>"
HTML = {"content-type": "text/html"}


def _device(status: int, content: str, headers: dict[str, str], patch: pytest.MonkeyPatch) -> oauth.DeviceAuthorization:
    with answering(lambda request: httpx.Response(status, content=content, headers=headers), patch):
        return oauth.request_device_code("challenge")


def _poll(status: int, content: str, patch: pytest.MonkeyPatch) -> TokenResponse | PollStatus:
    with answering(lambda request: httpx.Response(status, content=content), patch):
        return oauth.poll(Secret(DEVICE), Secret("verifier"))


def _refresh(status: int, content: str, patch: pytest.MonkeyPatch) -> TokenResponse:
    with answering(lambda request: httpx.Response(status, content=content), patch):
        return oauth.refresh(Secret(REFRESH))


def test_pkce_is_s256_of_a_43_character_verifier() -> None:
    """The pair fits together as RFC 7636 §4.2 says, and no two are alike."""
    verifier, challenge = oauth.generate_pkce()
    digest = hashlib.sha256(verifier.reveal().encode()).digest()
    assert len(verifier.reveal()) == 43
    assert challenge == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert oauth.generate_pkce()[0] != verifier


def test_the_device_code_request_is_the_documented_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Client id, scope and an S256 challenge go out as a form, under our own name."""
    answer = {"device_code": DEVICE, "user_code": "HKUSO5_M", "verification_uri": "https://chat.qwen.ai/authorize"}
    with answering(lambda request: httpx.Response(200, json=answer), monkeypatch) as asked:
        device = oauth.request_device_code("challenge")
    assert asked[0].url == "https://chat.qwen.ai/api/v1/oauth2/device/code"
    assert form(asked[0]) == {
        "client_id": "f0304373b74a44d2b584a3fb70ca9e56",
        "scope": "openid profile email model.completion",
        "code_challenge": "challenge",
        "code_challenge_method": "S256",
    }
    assert len(asked[0].headers["x-request-id"]) == 36
    assert device.verification_uri_complete == "https://chat.qwen.ai/authorize?user_code=HKUSO5_M&client=qwen-code"
    assert (device.expires_in, device.interval) == (900.0, 2.0)
    assert_none_in(repr(device))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://chat.qwen.ai/a?user_code=U", "https://chat.qwen.ai/a?user_code=U&client=qwen-code"),
        ("https://chat.qwen.ai/a", "https://chat.qwen.ai/a?client=qwen-code"),
        ("https://chat.qwen.ai/a?client=x&user_code=U", "https://chat.qwen.ai/a?client=x&user_code=U"),
    ],
)
def test_the_page_is_opened_with_a_client(given: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one the page shows an error in place of the question."""
    answer = {"device_code": "d", "user_code": "U", "verification_uri": "https://x", "verification_uri_complete": given}
    assert _device(200, json.dumps(answer), {}, monkeypatch).verification_uri_complete == shown


@pytest.mark.parametrize("status", [200, 400])
def test_a_refused_device_code_request_says_why(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is recognised by the body's shape, because it also comes with status 200."""
    body = json.dumps({"error": "INVALID_REQUEST", "error_description": "bad client"})
    with pytest.raises(QwenOAuthError, match="INVALID_REQUEST: bad client"):
        _device(status, body, {}, monkeypatch)


@pytest.mark.parametrize("status", [200, 403, 405])
def test_a_firewall_page_is_told_apart(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A web page in place of JSON is no refusal by the service."""
    with pytest.raises(QwenOAuthError) as caught:
        _device(status, FIREWALL, HTML, monkeypatch)
    assert caught.value.kind == "firewall"
    assert "firewall" in str(caught.value)


def test_an_empty_answer_is_said_to_be_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty body is neither a page nor a refusal."""
    with pytest.raises(QwenOAuthError, match="empty"):
        _device(200, "", {}, monkeypatch)


PENDING = [
    (400, {"error": "authorization_pending", "error_description": "wait"}),
    (400, {"error": "AUTHORIZATION_PENDING"}),
    (200, {"status": "pending"}),
    (200, {"access_token": None, "refresh_token": None, "expires_in": None}),
]


@pytest.mark.parametrize(("status", "body"), PENDING)
def test_a_pending_poll_is_pending(status: int, body: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the shapes that mean "not yet"."""
    assert _poll(status, json.dumps(body), monkeypatch) is PollStatus.PENDING


@pytest.mark.parametrize("status", [400, 429, 200])
def test_slow_down_is_known_by_its_code(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was seen with 429 and with 400."""
    assert _poll(status, '{"error":"slow_down"}', monkeypatch) is PollStatus.SLOW_DOWN


STOPS = [
    (400, '{"error":"access_denied"}', QwenLoginDeniedError),
    (400, '{"error":"ACCESS_DENIED"}', QwenLoginDeniedError),
    (400, '{"error":"expired_token"}', QwenLoginTimeoutError),
    (401, "{}", QwenLoginTimeoutError),
    (401, "", QwenLoginTimeoutError),
    (429, '{"error":"too_many"}', QwenRateLimitError),
    (400, '{"error":"invalid_grant"}', QwenOAuthError),
    (500, "oops", QwenServerError),
    (503, '{"error":"busy"}', QwenServerError),
    (200, FIREWALL, QwenOAuthError),
    (401, FIREWALL, QwenOAuthError),
    (502, FIREWALL, QwenServerError),
    (200, "[]", QwenOAuthError),
    (200, "", QwenOAuthError),
]


@pytest.mark.parametrize(("status", "body", "expected"), STOPS)
def test_every_other_poll_answer_is_a_typed_error(
    status: int, body: str, expected: type[QwenError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Denied, void, busy, broken and odd answers are told apart, each with a hint."""
    with pytest.raises(expected) as caught:
        _poll(status, body, monkeypatch)
    assert type(caught.value) is expected
    assert caught.value.hint
    assert_none_in_error(caught.value)


def test_a_token_answer_is_wrapped_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of the answer shows its tokens."""
    body = {
        "access_token": ACCESS,
        "refresh_token": REFRESH,
        "token_type": "Bearer",
        "expires_in": 21600,
        "resource_url": "portal.qwen.ai",
    }
    tokens = _poll(200, json.dumps(body), monkeypatch)
    assert isinstance(tokens, TokenResponse)
    assert tokens.access_token.reveal() == ACCESS
    assert (tokens.expires_in, tokens.resource_url) == (21600.0, "portal.qwen.ai")
    assert_none_in(repr(tokens))


@pytest.mark.parametrize("odd", [None, 0, -5, "soon", [], True])
def test_an_odd_expires_in_counts_as_missing(odd: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token with an unusable life is still a token."""
    tokens = _refresh(200, json.dumps({"access_token": ACCESS, "expires_in": odd}), monkeypatch)
    assert tokens.expires_in is None


PAIR = f'"access_token":"{ACCESS}","refresh_token":"{REFRESH}"'
WHOLE = [
    f'{{{PAIR},"expires_in":1{"0" * 400}}}',
    f'{{{PAIR},"expires_in":1{"0" * 5000}}}',
    f'{{{PAIR},"expires_in":"1e999"}}',
    f'{{{PAIR},"expires_in":NaN}}',
    f'{{{PAIR},"error":"none"}}',
    f'{{{PAIR},"status":"pending"}}',
    f"\ufeff{{{PAIR}}}",
    f'{{"deep":{"[" * 100_000}{"]" * 100_000},{PAIR}}}',
    f'{{{PAIR},"name":"cut off',
    f'{{{PAIR},"name":"\x00"}}',
]


@pytest.mark.parametrize("body", WHOLE, ids=range(len(WHOLE)))
def test_a_pair_is_never_thrown_away_for_what_else_the_answer_holds(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token that was sent is spent: only what the answer holds continues the sign-in."""
    for tokens in (_refresh(200, body, monkeypatch), _poll(200, body, monkeypatch)):
        assert isinstance(tokens, TokenResponse)
        assert tokens.access_token.reveal() == ACCESS
        assert tokens.refresh_token == Secret(REFRESH)
        assert tokens.expires_in is None


def test_a_byte_that_is_not_utf8_costs_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in another field than the tokens, which are ASCII."""
    content = f'{{{PAIR},"name":"é"}}'.encode("latin-1")
    with answering(lambda request: httpx.Response(200, content=content), monkeypatch):
        assert oauth.refresh(Secret(REFRESH)).access_token == Secret(ACCESS)


def test_a_pair_in_a_refusal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a success says that these tokens are good."""
    with pytest.raises(QwenRefreshTokenInvalidError):
        _refresh(400, f'{{{PAIR},"error":"invalid_grant"}}', monkeypatch)


DEAD = [
    (400, '{"error":"invalid_request","error_description":"Invalid refresh token or client_id"}'),
    (400, '{"error":"invalid_grant"}'),
    (401, '{"error":"invalid_token"}'),
    (403, '{"error":"forbidden"}'),
    (200, '{"error":"invalid_request"}'),
]


@pytest.mark.parametrize(("status", "body"), DEAD)
def test_a_dead_refresh_token_is_recognised(status: int, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service says it with 400 invalid_request, the RFC with invalid_grant."""
    with pytest.raises(QwenRefreshTokenInvalidError) as caught:
        _refresh(status, body, monkeypatch)
    assert "qwen-portal login" in caught.value.hint


PASSING = [
    (200, FIREWALL),
    (400, FIREWALL),
    (200, ""),
    (400, ""),
    (429, '{"error":"slow_down"}'),
    (500, "x"),
    (502, FIREWALL),
    (200, "{}"),
    (503, '{"error":"temporarily_unavailable"}'),
    (500, '{"error":"invalid_grant"}'),
    (400, '{"error":"invalid_client"}'),
    (401, '{"error":"invalid_client"}'),
    (400, '{"error":"throttled"}'),
    (403, FIREWALL),
    (401, ""),
    (401, '{"message":"no"}'),
    (403, '{"message":"Blocked by policy"}'),
    (403, '{"error":{"message":"Blocked by policy"}}'),
    (401, '{"error":"temporarily_unavailable"}'),
    (403, '{"error":"server_error"}'),
    (403, '{"error":"RATE_LIMIT_EXCEEDED"}'),
    (200, '{"access_token":["a"]}'),
    (200, "[" * 100_000),
    (400, "[" * 100_000),
]


@pytest.mark.parametrize(("status", "body"), PASSING)
def test_a_passing_failure_is_no_dead_token(status: int, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages, empty answers and busy hosts must never end a sign-in."""
    with pytest.raises(QwenError) as caught:
        _refresh(status, body, monkeypatch)
    assert not isinstance(caught.value, QwenRefreshTokenInvalidError)


def _raising(error: Exception) -> httpx.Response:
    raise error


@pytest.mark.parametrize(
    ("error", "expected", "sent"),
    [
        (httpx.ConnectError("refused"), QwenConnectionError, False),
        (httpx.ConnectTimeout("slow"), QwenConnectionError, False),
        (httpx.ReadError("reset"), QwenConnectionError, True),
        (httpx.RemoteProtocolError("closed"), QwenConnectionError, True),
        (httpx.ReadTimeout("silent"), QwenTimeoutError, True),
    ],
)
def test_a_broken_connection_tells_whether_the_token_may_be_spent(
    error: Exception, expected: type[QwenError], sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a connection that was never made is safe to repeat; no frame carries the refresh token."""
    with (
        answering(lambda request: _raising(error), monkeypatch),
        pytest.raises(expected) as caught,
    ):
        oauth.refresh(Secret(REFRESH))
    assert getattr(caught.value, "sent", True) is sent
    assert_none_in_error(caught.value)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"


def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit holds for the whole answer, not for each byte: others wait for the lock meanwhile."""
    clock = stepping_clock(monkeypatch)
    with serving(dripping(HEAD, b" ")) as address, pytest.raises(QwenTimeoutError) as caught:
        oauth.refresh(Secret(REFRESH), oauth_url=address, timeout=60)
    assert clock.now <= 90
    assert_none_in_error(caught.value)


def test_a_pair_that_came_before_the_dripping_ends_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows a whole JSON object is not waited for."""
    clock = stepping_clock(monkeypatch)
    with serving(dripping(HEAD + f"{{{PAIR}}}".encode(), b" ")) as address:
        assert oauth.refresh(Secret(REFRESH), oauth_url=address, timeout=60).access_token == Secret(ACCESS)
    assert clock.now <= 90


def test_a_packed_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy may compress what it hands on."""
    packed = gzip.compress(json.dumps({"access_token": ACCESS}).encode())
    headers = {"content-encoding": "gzip"}
    with answering(lambda request: httpx.Response(200, content=packed, headers=headers), monkeypatch):
        assert oauth.refresh(Secret(REFRESH)).access_token == Secret(ACCESS)


def test_a_redirect_is_never_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirected token request would hand the refresh token to another host."""
    elsewhere = httpx.Response(307, headers={"location": "https://evil.example/token"})
    with answering(lambda request: elsewhere, monkeypatch) as asked, pytest.raises(QwenOAuthError):
        oauth.refresh(Secret(REFRESH))
    assert [request.url.host for request in asked] == ["chat.qwen.ai"]


def test_a_server_that_echoes_the_token_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Error texts quote the server, never the secret it quotes."""
    body = json.dumps({"error": "invalid_request", "error_description": f"no such token {REFRESH}\x1b[2J"})
    with pytest.raises(QwenRefreshTokenInvalidError) as caught:
        _refresh(400, body, monkeypatch)
    assert "\x1b" not in str(caught.value)
    assert_none_in_error(caught.value)


def test_a_wrong_verifier_gets_no_token(emulator: Emulator) -> None:
    """The emulated service holds us to PKCE as the real one does."""
    _, challenge = oauth.generate_pkce()
    device = oauth.request_device_code(challenge, oauth_url=emulator.url)
    wrong, _ = oauth.generate_pkce()
    emulator.approve()
    with pytest.raises(QwenOAuthError):
        oauth.poll(device.device_code, wrong, oauth_url=emulator.url)
    assert emulator.log("poll")[-1].status == 400
