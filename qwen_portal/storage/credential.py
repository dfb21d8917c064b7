"""One account's credential: what it holds, how long it lasts, how a refresh changes it."""

import json
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, cast

from qwen_portal.errors import QwenStoreError
from qwen_portal.secrets import Secret
from qwen_portal.service.plans import OAUTH
from qwen_portal.storage.record_version import refuse_newer
from qwen_portal.untrusted_json import LATEST_SECONDS, json_object, moment, token

if TYPE_CHECKING:
    from qwen_portal.service.plans import Kind

DEFAULT_LIFETIME = 6 * 3600.0
_LONGEST_LIFETIME = 10 * 365 * 86400.0
_EXPIRY_MARGIN = 30.0
_STALE_SECONDS = 300.0
_VERSION = 1
# A file tells the label too.
_FIELDS = {
    *("v", "label", "kind", "plan", "access_token", "refresh_token"),
    *("issued_at", "expires_at", "resource_url", "generation", "refreshed"),
}


class TokenState(Enum):
    """How long an access token still serves.

    Attributes:
        FRESH: Long enough.
        STALE: It serves, and is refreshed in the background: its last min(300 s, 25 % of its lifetime), or a clock that
            was set back below the time of issue, so that nobody knows.
        EXPIRED: Not any more: its last min(30 s, 10 % of its lifetime), so that a request does not lose the race.
    """

    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"


class IssuedTokens(Protocol):
    """What a sign-in or a refresh brought; ``qwen_portal.oauth.TokenResponse`` is one."""

    @property
    def access_token(self) -> Secret:
        """The bearer."""

    @property
    def refresh_token(self) -> Secret | None:
        """The next refresh token; ``None`` keeps the old one."""

    @property
    def expires_in(self) -> float | None:
        """Seconds, if the server said."""

    @property
    def resource_url(self) -> str | None:
        """Where the server said to send requests."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What one account sends to the service.

    Attributes:
        kind: ``oauth`` (device sign-in), ``key`` (stored API key) or ``env`` (key from the environment).
        plan: Plan name or the user's own URL.
        access_token: The bearer; for keys, the key.
        refresh_token: Single-use token for the next pair, or ``None``.
        issued_at: Seconds since the epoch.
        expires_at: Seconds since the epoch; ``None`` means never (keys).
        resource_url: Where the server said to send requests, as it said it.
        generation: Milliseconds since the epoch, or one more than before; it grows with every change, over sign-outs
            too, so that of two copies the newer is known.
        refreshed: Whether a refresh, not a person's sign-in, made this token.
        unknown: A JSON object of the fields of another release, which may share the store; a refresh keeps them.
    """

    kind: "Kind"
    plan: str
    access_token: Secret
    refresh_token: Secret | None = None
    issued_at: float = 0.0
    expires_at: float | None = None
    resource_url: str | None = None
    generation: int = 1
    refreshed: bool = False
    unknown: Secret = Secret("{}")  # noqa: RUF009 - a secret does not change

    def secrets(self) -> list[Secret]:
        """Return what of it must never be shown."""
        return [self.access_token] if self.refresh_token is None else [self.access_token, self.refresh_token]

    @classmethod
    def from_sign_in(cls, response: IssuedTokens, *, plan: str) -> "Credential":
        """Make the credential of a completed device sign-in."""
        now = time.time()
        return cls(
            kind="oauth",
            plan=plan,
            access_token=response.access_token,
            refresh_token=response.refresh_token,
            issued_at=now,
            expires_at=now + lifetime(response.expires_in),
            resource_url=response.resource_url,
            generation=_new_generation(now),
        )

    @classmethod
    def from_key(cls, key: Secret, *, plan: str) -> "Credential":
        """Make the credential of an API key that is to be stored."""
        now = time.time()
        return cls(kind="key", plan=plan, access_token=key, issued_at=now, generation=_new_generation(now))

    @classmethod
    def from_elsewhere(
        cls, access_token: Secret, refresh_token: Secret, *, expires_at: float, resource_url: str | None
    ) -> "Credential":
        """Make the credential of a sign-in that another program kept."""
        now = time.time()
        return cls(
            kind="oauth",
            plan=OAUTH,
            access_token=access_token,
            refresh_token=refresh_token,
            issued_at=min(now, expires_at),
            expires_at=expires_at,
            resource_url=resource_url,
            generation=_new_generation(now),
        )

    def renewed(self, response: IssuedTokens) -> "Credential":
        """Merge a refresh answer; what the answer lacks is kept."""
        now = time.time()
        return Credential(
            kind=self.kind,
            plan=self.plan,
            access_token=response.access_token,
            refresh_token=response.refresh_token or self.refresh_token,
            issued_at=now,
            expires_at=now + lifetime(response.expires_in),
            resource_url=response.resource_url or self.resource_url,
            generation=max(self.generation + 1, _new_generation(now)),
            refreshed=True,
            unknown=self.unknown,
        )

    def state(self) -> TokenState:
        """Tell how long the token still serves."""
        if self.expires_at is None:
            return TokenState.FRESH
        left, whole = self.expires_at - time.time(), self.expires_at - self.issued_at
        if left > whole + _EXPIRY_MARGIN:
            return TokenState.STALE
        if left <= min(_EXPIRY_MARGIN, 0.1 * whole):
            return TokenState.EXPIRED
        return TokenState.STALE if left <= min(_STALE_SECONDS, 0.25 * whole) else TokenState.FRESH

    def seconds_until_stale(self) -> float:
        """Return the seconds until :meth:`state` is stale; for a key, for ever."""
        if self.expires_at is None:
            return float("inf")
        return self.expires_at - time.time() - min(_STALE_SECONDS, 0.25 * (self.expires_at - self.issued_at))

    def is_expired(self) -> bool:
        """Tell whether the token's time is over, margin aside."""
        return self.expires_at is not None and time.time() >= self.expires_at

    def to_json(self) -> str:
        """Write the compact record that stores keep; it holds the secrets in clear."""
        record = {
            "v": _VERSION,
            "kind": self.kind,
            "plan": self.plan,
            "access_token": self.access_token.reveal(),
            "refresh_token": self.refresh_token.reveal() if self.refresh_token else None,
            "issued_at": round(self.issued_at, 3),
            "expires_at": None if self.expires_at is None else round(self.expires_at, 3),
            "resource_url": self.resource_url,
            "generation": self.generation,
            "refreshed": self.refreshed,
        }
        known = {name: value for name, value in record.items() if value is not None}
        return json.dumps(json.loads(self.unknown.reveal()) | known, separators=(",", ":"))

    @classmethod
    def from_json(cls, record: Secret) -> "Credential":
        """Read a stored record; it comes wrapped, so that no frame on the way shows it.

        Raises:
            ValueError: It is not a record of this package; the message quotes nothing of it.
            QwenStoreError: It is a record of a newer release.
        """
        error: Exception
        try:
            return cls._from_record(json_object(record.reveal()) or {})
        except (ValueError, TypeError, KeyError):
            error = ValueError("not a credential record")
        except QwenStoreError as exc:
            # without the frame that holds the record
            error = exc.with_traceback(None)
        raise error

    @classmethod
    def _from_record(cls, record: dict[str, Any]) -> "Credential":
        refuse_newer("The stored sign-in", record.get("v"), known=_VERSION)
        refresh_token, issued_at = record.get("refresh_token"), moment(record.get("issued_at")) or 0.0
        if record["kind"] not in {"oauth", "key"}:
            raise ValueError
        return cls(
            kind=cast("Kind", record["kind"]),
            plan=_text(record["plan"]),
            access_token=_token(record["access_token"]),
            refresh_token=_token(refresh_token) if refresh_token else None,
            issued_at=issued_at,
            expires_at=None if record.get("expires_at") is None else expiry(record["expires_at"], issued_at),
            resource_url=record.get("resource_url") and _text(record["resource_url"]),
            generation=_generation(record.get("generation", 1)),
            refreshed=bool(record.get("refreshed", False)),
            unknown=Secret(json.dumps({name: value for name, value in record.items() if name not in _FIELDS})),
        )


def lifetime(expires_in: float | None) -> float:
    """Return a token's lifetime in seconds, 6 hours where the server gave none or an absurd one."""
    return expires_in if expires_in is not None and 0 < expires_in <= _LONGEST_LIFETIME else DEFAULT_LIFETIME


def expiry(expires_at: object, issued_at: float) -> float:
    """Return the expiry in seconds since the epoch: issue time + 6 hours if missing or implausible."""
    known = moment(expires_at)
    return issued_at + DEFAULT_LIFETIME if known is None else known


def _generation(value: object) -> int:
    # one that could not be meant would not fit a file's time, nor be outdone by any later one
    if not isinstance(value, int) or not 0 <= value < LATEST_SECONDS * 1000:
        raise ValueError
    return value


def _new_generation(now: float) -> int:
    # Milliseconds: a sign-in after a sign-out must come out above every refresh of the one before.
    return int(now * 1000)


def _token(value: object) -> Secret:
    found = token(value)
    if found is None:
        raise ValueError
    return Secret(found)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()
    return value
