"""Checks of what is outside of this package's own files: other programs' sign-ins and keys, the sign-in host."""

import os
import time
from collections.abc import Iterator

from qwen_portal.account.cli_keys import read_cli_keys
from qwen_portal.doctor.finding import Finding
from qwen_portal.errors import QwenError
from qwen_portal.session import Session
from qwen_portal.storage.foreign_paths import foreign_sign_in, qwen_cli_settings
from qwen_portal.text import counted, format_duration

_VARIABLE = "DASHSCOPE_API_KEY"
# So far a clock may be off without a harm, in seconds: a certificate or a token is not judged more closely.
_SKEW = 120


def elsewhere(session: Session) -> Iterator[Finding]:
    """Look for what other programs have here: a sign-in that two would refresh, keys that could be copied."""
    name = "other programs"
    if foreign_sign_in(session.accounts.is_own) is not None:
        text = "another program keeps a sign-in on this machine, and whoever refreshes it first ends a copy"
        yield Finding(name, "warn", text, "Run `qwen-portal import` to move it here.")
    settings = qwen_cli_settings()
    try:
        keys = read_cli_keys(settings) if settings.is_file() else []
    except QwenError:
        yield Finding(name, "warn", "the qwen CLI's settings cannot be read", "Look at `~/.qwen/settings.json`.")
        keys = []
    if keys:
        text = f"the qwen CLI has {counted(len(keys), 'API key', 'API keys')}; `qwen-portal import` copies what is new"
        yield Finding(name, "ok", text)
    if os.environ.get(_VARIABLE, "").strip():
        text = f"{_VARIABLE} is set and not used; `qwen-portal login --plan PLAN --api-key-env {_VARIABLE}` keeps it"
        yield Finding(name, "ok", text)


def sign_in_host(session: Session) -> Iterator[Finding]:
    """Ask for a device code, where somebody signs in with one, and compare the clocks."""
    if not _is_used(session):
        return
    from qwen_portal import oauth

    settings = session.settings
    _, challenge = oauth.generate_pkce()
    asked = time.time()
    device = oauth.request_device_code(challenge, oauth_url=settings.oauth_url, client_id=settings.client_id)
    yield Finding("sign-in host", "ok", f"{settings.oauth_url} gives device codes")
    if device.host_time is not None:
        yield _clock(device.host_time - (asked + time.time()) / 2)


def _is_used(session: Session) -> bool:
    """Tell whether somebody signs in there, or may be about to."""
    if session.settings.api_key is not None:
        return False
    try:
        kinds = {account.kind for account in session.list()}
    except QwenError:
        return True
    return not kinds or "oauth" in kinds


def _clock(behind: float) -> Finding:
    """Judge how many seconds this machine is behind the sign-in host."""
    if abs(behind) < _SKEW:
        return Finding("clock", "ok", "as the sign-in host's")
    text = f"{format_duration(abs(behind))} {'behind' if behind > 0 else 'ahead of'} the sign-in host's"
    return Finding("clock", "warn", text, "Set this machine's clock: tokens and certificates end by it.")
