"""Device codes, grants and tokens: what the emulated sign-in host remembers."""

import secrets
import string
from dataclasses import dataclass
from typing import Literal

_USER_CODE_LETTERS = string.ascii_uppercase + string.digits + "_"

Decision = Literal["pending", "approved", "denied", "used"]


@dataclass
class Grant:
    """One approved sign-in, which stands for one account: its tokens share one quota.

    Attributes:
        number: 1 for the first sign-in, 2 for the next, …
        limit: Chats a day, or None to follow the emulator's setting.
        used: Chats counted on `day`.
        day: The day of the count, in days since the epoch by the emulator's clock.
    """

    number: int
    limit: int | None = None
    used: int = 0
    day: int = 0


@dataclass
class DeviceCode:
    """A sign-in in progress (RFC 8628 §3.2); `program` is the User-Agent that asked for it."""

    value: str
    user_code: str
    challenge: str
    expires_at: float
    program: str = ""
    polls: int = 0
    decision: Decision = "pending"


@dataclass
class AccessToken:
    """A bearer, dead once revoked or past `expires_at` (seconds since the epoch, emulator's clock)."""

    value: str
    grant: Grant
    expires_at: float
    refreshed: bool
    revoked: bool = False


@dataclass
class RefreshToken:
    """A refresh token; `alive` until its first use or a revocation."""

    value: str
    grant: Grant
    alive: bool = True


class Ledger:
    """Everything the emulator has handed out since it started or was reset."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self.forget()

    def forget(self) -> None:
        """Drop all codes, grants and tokens.

        `issued` stays: whoever looks for leaked tokens must know those from before a reset as well.
        """
        self.device_codes: dict[str, DeviceCode] = {}
        self.grants: list[Grant] = []
        self.access_tokens: dict[str, AccessToken] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}

    def new_device_code(self, challenge: str, expires_at: float, program: str = "") -> DeviceCode:
        """Start a sign-in."""
        user_code = "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(8))
        code = DeviceCode(self._opaque(), user_code, challenge, expires_at, program)
        self.device_codes[code.value] = code
        return code

    def by_user_code(self, user_code: str | None) -> DeviceCode | None:
        """The sign-in with this user code; for None the newest one that is undecided."""
        for code in reversed(self.device_codes.values()):
            if (code.user_code == user_code) if user_code is not None else (code.decision == "pending"):
                return code
        return None

    def new_grant(self) -> Grant:
        """Record one more approved sign-in."""
        grant = Grant(len(self.grants) + 1)
        self.grants.append(grant)
        return grant

    def new_access_token(self, grant: Grant, expires_at: float, *, refreshed: bool) -> AccessToken:
        """Issue a bearer."""
        token = AccessToken(self._opaque(), grant, expires_at, refreshed)
        self.access_tokens[token.value] = token
        return token

    def new_refresh_token(self, grant: Grant) -> RefreshToken:
        """Issue a refresh token."""
        token = RefreshToken(self._opaque(), grant)
        self.refresh_tokens[token.value] = token
        return token

    def live_access_token(self, value: str, now: float) -> AccessToken | None:
        """The bearer with this value, unless it is unknown, revoked or past its life."""
        token = self.access_tokens.get(value)
        if token is None or token.revoked or token.expires_at <= now:
            return None
        return token

    def revoke(self, *, refresh_too: bool) -> None:
        """Kill every access token, and every refresh token if asked."""
        for access in self.access_tokens.values():
            access.revoked = True
        if refresh_too:
            for refresh in self.refresh_tokens.values():
                refresh.alive = False

    def _opaque(self) -> str:
        # The service's tokens are opaque and base64url-like, never JWTs, so nothing here can be read out of one.
        value = secrets.token_urlsafe(48)
        self.issued.append(value)
        return value
