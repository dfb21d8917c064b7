"""The sign-in host: device codes, polls, refreshes (RFC 8628, RFC 7636, RFC 6749 §6)."""

import base64
import hashlib
import re
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from qwen_portal.emulator.ledger import DeviceCode, Grant
from qwen_portal.emulator.scenarios import Place
from qwen_portal.emulator.state import LogEntry, State
from qwen_portal.emulator.wire import json_answer, oauth_error

# Constants of the service, spelled out again on purpose: the emulator judges the client and shares nothing with it.
CLIENT_ID = "f0304373b74a44d2b584a3fb70ca9e56"
SCOPES = frozenset({"openid", "profile", "email", "model.completion"})
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SIGN_IN_HOST = "chat.qwen.ai"
PORTAL_HOST = "portal.qwen.ai"

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_HEADERS = {"server": "istio-envoy", "cache-control": "no-store"}
_NOT_A_FORM = "The body must be application/x-www-form-urlencoded"
_PENDING = ("authorization_pending", "The person has not decided yet")
_DENIED = ("access_denied", "The person denied the request")
_DEAD_REFRESH_TOKEN = ("invalid_request", "Invalid refresh token or client_id")


def place_of(form: Any) -> Place:
    """Whether a call of the token endpoint is a refresh or a poll."""
    grant_type = form.get("grant_type") if isinstance(form, dict) else None
    return Place.REFRESH if grant_type == "refresh_token" else Place.POLL


def device_code(state: State, entry: LogEntry) -> Response:
    """POST /api/v1/oauth2/device/code (RFC 8628 §3.1, §3.2)."""
    if state.hits("error-in-200", entry):
        return oauth_error(200, "INVALID_REQUEST", "The request could not be processed")
    form = _form(entry) or {}
    if problem := _device_problem(form):
        return oauth_error(400, *problem)
    settings = state.settings
    expires_at = state.clock.now() + settings.device_expires_in
    code = state.ledger.new_device_code(form["code_challenge"], expires_at, entry.headers.get("user-agent", ""))
    page = f"{_origin(entry.host)}/authorize"
    body = {
        "device_code": code.value,
        "user_code": code.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?{urlencode({'user_code': code.user_code, 'client': 'qwen-code'})}",
        "expires_in": settings.device_expires_in,
    }
    if settings.interval is not None:
        body["interval"] = settings.interval
    return json_answer(body, headers=_HEADERS)


def token(state: State, entry: LogEntry) -> Response:
    """POST /api/v1/oauth2/token: a poll or a refresh."""
    form = _form(entry)
    if form is None:
        return oauth_error(400, "invalid_request", _NOT_A_FORM)
    if entry.place is Place.REFRESH:
        return _refresh(state, entry, form)
    if form.get("grant_type") != DEVICE_GRANT:
        return oauth_error(400, "unsupported_grant_type", f"grant_type must be refresh_token or {DEVICE_GRANT}")
    return _poll(state, entry, form)


def _device_problem(form: dict[str, str]) -> tuple[str, str] | None:
    if not form:
        return "invalid_request", _NOT_A_FORM
    if form.get("client_id") != CLIENT_ID:
        return "invalid_client", "Unknown client_id"
    scope = set(form.get("scope", "").split())
    if "model.completion" not in scope or not scope <= SCOPES:
        return "invalid_scope", f"scope must be of: {' '.join(sorted(SCOPES))}"
    if form.get("code_challenge_method") != "S256":
        return "invalid_request", "code_challenge_method must be S256"
    if not _CHALLENGE.fullmatch(form.get("code_challenge", "")):
        return "invalid_request", "code_challenge must be 43 base64url characters"
    return None


def _poll(state: State, entry: LogEntry, form: dict[str, str]) -> Response:
    if answer := _poll_fault(state, entry):
        return answer
    code = state.ledger.device_codes.get(form.get("device_code", ""))
    if code is None or form.get("client_id") != CLIENT_ID:
        return oauth_error(400, "invalid_grant", "Unknown device_code or client_id")
    if not _verifies(form.get("code_verifier", ""), code.challenge):
        return oauth_error(400, "invalid_grant", "code_verifier does not match the code_challenge")
    code.polls += 1
    if code.decision == "pending" and state.settings.auto_approve and code.polls > state.settings.approve_after_polls:
        code.decision = "approved"
    if code.decision == "used" or code.expires_at <= state.clock.now():
        return oauth_error(400, "expired_token", "The device code has expired or was used already")
    if code.decision == "approved":
        return _signed_in(state, entry, code)
    undecided = {"pending": _PENDING, "denied": _DENIED}
    return oauth_error(400, *undecided[code.decision])


def _signed_in(state: State, entry: LogEntry, code: DeviceCode) -> Response:
    if state.hits("null-fields", entry):
        # A null access token means "not yet" (docs/protocol.md), so the code stays usable.
        names = ("access_token", "refresh_token", "token_type", "expires_in", "resource_url")
        return json_answer(dict.fromkeys(names), headers=_HEADERS)
    code.decision = "used"
    grant = state.ledger.new_grant()
    refresh_token = state.ledger.new_refresh_token(grant).value
    return json_answer(_tokens(state, entry, grant, refresh_token), headers=_HEADERS)


def _refresh(state: State, entry: LogEntry, form: dict[str, str]) -> Response:
    if state.hits("error-in-200", entry):
        return oauth_error(200, *_DEAD_REFRESH_TOKEN)
    used = state.ledger.refresh_tokens.get(form.get("refresh_token", ""))
    if used is None or not used.alive or form.get("client_id") != CLIENT_ID:
        return oauth_error(400, *_DEAD_REFRESH_TOKEN)
    if state.hits("null-fields", entry):
        body = dict.fromkeys(("refresh_token", "token_type", "expires_in", "resource_url"))
        return json_answer(_tokens(state, entry, used.grant, None) | body, headers=_HEADERS)
    if state.hits("refresh-keeps-token", entry):
        return json_answer(_tokens(state, entry, used.grant, None), headers=_HEADERS)
    # Strict rotation: the used token is dead before its successor is on the wire.
    used.alive = False
    successor = state.ledger.new_refresh_token(used.grant).value
    return json_answer(_tokens(state, entry, used.grant, successor), headers=_HEADERS)


def _tokens(state: State, entry: LogEntry, grant: Grant, refresh_token: str | None) -> dict[str, Any]:
    life = state.settings.access_life
    refreshed = entry.place is Place.REFRESH
    access = state.ledger.new_access_token(grant, state.clock.now() + life, refreshed=refreshed)
    body: dict[str, Any] = {"access_token": access.value}
    if refresh_token is not None:
        body["refresh_token"] = refresh_token
    body |= {"token_type": "Bearer", "expires_in": life, "resource_url": _resource_url(state, entry)}
    if state.hits("no-resource-url", entry):
        del body["resource_url"]
    return body


def _resource_url(state: State, entry: LogEntry) -> str:
    # The real CLI knows only chat.qwen.ai and gets no answer without the portal's name; everyone else asked the
    # emulator by its own address and must be sent back there.
    bridged = _hostname(entry.host) == SIGN_IN_HOST
    plain = PORTAL_HOST if bridged else f"http://{entry.host}/v1"
    if not state.hits("resource-url-forms", entry):
        return plain
    origin = f"https://{PORTAL_HOST}" if bridged else f"http://{entry.host}"
    forms = (origin, f"{origin}/", f"{origin}/v1", f"{origin}/v1/")
    return forms[(len(state.ledger.access_tokens) - 1) % len(forms)]


def _poll_fault(state: State, entry: LogEntry) -> Response | None:
    answers = {
        "pending": (400, *_PENDING),
        "slow-down-429": (429, "slow_down", "Polling too fast"),
        "slow-down-400": (400, "slow_down", "Polling too fast"),
        "denied": (400, *_DENIED),
        "expired": (400, "expired_token", "The device code has expired"),
        "poll-401": (401, "invalid_grant", "Device code expired or invalid"),
        "error-in-200": (200, "ACCESS_DENIED", "The person denied the request"),
    }
    for name, answer in answers.items():
        if state.hits(name, entry):
            return oauth_error(*answer)
    if state.hits("status-pending", entry):
        return json_answer({"status": "pending"}, headers=_HEADERS)
    return None


def _form(entry: LogEntry) -> dict[str, str] | None:
    is_form = entry.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return entry.body if is_form and isinstance(entry.body, dict) else None


def _verifies(verifier: str, challenge: str) -> bool:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge


def _origin(host: str) -> str:
    return f"https://{SIGN_IN_HOST}" if _hostname(host) == SIGN_IN_HOST else f"http://{host}"


def _hostname(host: str) -> str:
    return host.rsplit(":", 1)[0].lower()
