"""One account's credential: what it holds, how long it lasts, how a refresh changes it."""

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from qwen_portal.secrets import Secret
from qwen_portal.service.plans import OAUTH
from qwen_portal.untrusted_json import LATEST_SECONDS, json_object, moment

if TYPE_CHECKING:
    from qwen_portal.oauth import TokenResponse
    from qwen_portal.service.plans import Kind

DEFAULT_LIFE = 6 * 3600.0
_LONGEST_LIFE = 10 * 365 * 86400.0
_MARGIN = 30.0
_SOON = 300.0
_VERSION = 1


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

    @classmethod
    def from_sign_in(cls, response: "TokenResponse", *, plan: str) -> "Credential":
        """Make the credential of a completed device sign-in."""
        now = time.time()
        return cls(
            kind="oauth",
            plan=plan,
            access_token=response.access_token,
            refresh_token=response.refresh_token,
            issued_at=now,
            expires_at=now + life(response.expires_in),
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

    def renewed(self, response: "TokenResponse") -> "Credential":
        """Merge a refresh answer; what the answer lacks is kept."""
        now = time.time()
        return Credential(
            kind=self.kind,
            plan=self.plan,
            access_token=response.access_token,
            refresh_token=response.refresh_token or self.refresh_token,
            issued_at=now,
            expires_at=now + life(response.expires_in),
            resource_url=response.resource_url or self.resource_url,
            generation=max(self.generation + 1, _new_generation(now)),
            refreshed=True,
        )

    def state(self) -> Literal["valid", "soon", "expired"]:
        """Tell how long the token still serves.

        ``expired`` starts min(30 s, 10 % of its life) before the end, so that a request does not lose the race;
        ``soon`` starts min(300 s, 25 % of its life) before. It is ``soon`` too if the clock was set back below the
        time of issue: then nobody knows how long it still serves.
        """
        if self.expires_at is None:
            return "valid"
        left, whole = self.expires_at - time.time(), self.expires_at - self.issued_at
        if left > whole + _MARGIN:
            return "soon"
        if left <= min(_MARGIN, 0.1 * whole):
            return "expired"
        return "soon" if left <= min(_SOON, 0.25 * whole) else "valid"

    def seconds_until_soon(self) -> float:
        """Return the seconds until :meth:`state` says ``soon``; for a key, for ever."""
        if self.expires_at is None:
            return float("inf")
        return self.expires_at - time.time() - min(_SOON, 0.25 * (self.expires_at - self.issued_at))

    def is_dead(self) -> bool:
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
        return json.dumps({k: v for k, v in record.items() if v is not None}, separators=(",", ":"))

    @classmethod
    def from_json(cls, record: Secret) -> "Credential":
        """Read a stored record; it comes wrapped, so that no frame on the way shows it.

        Raises:
            ValueError: It is not a record of this package; the message quotes nothing of it.
        """
        try:
            return cls._from_record(json_object(record.reveal()) or {})
        except (ValueError, TypeError, KeyError):
            pass
        msg = "not a credential record"
        raise ValueError(msg)

    @classmethod
    def _from_record(cls, record: dict[str, Any]) -> "Credential":
        refresh_token, issued_at = record.get("refresh_token"), moment(record.get("issued_at")) or 0.0
        if record["kind"] not in {"oauth", "key"} or not record["access_token"]:
            raise ValueError
        return cls(
            kind=cast("Kind", record["kind"]),
            plan=_text(record["plan"]),
            access_token=Secret(_text(record["access_token"])),
            refresh_token=Secret(_text(refresh_token)) if refresh_token else None,
            issued_at=issued_at,
            expires_at=None if record.get("expires_at") is None else end(record["expires_at"], issued_at),
            resource_url=record.get("resource_url") and _text(record["resource_url"]),
            generation=_generation(record.get("generation", 1)),
            refreshed=bool(record.get("refreshed", False)),
        )


def life(expires_in: float | None) -> float:
    """Return a token's life in seconds, 6 hours where the server gave none or an absurd one."""
    return expires_in if expires_in is not None and 0 < expires_in <= _LONGEST_LIFE else DEFAULT_LIFE


def end(expires_at: object, issued_at: float) -> float:
    """Return a token's end in seconds since the epoch, 6 hours after its making where none is given that could be."""
    known = moment(expires_at)
    return issued_at + DEFAULT_LIFE if known is None else known


def _generation(value: object) -> int:
    # one that could not be meant would not fit a file's time, nor be outdone by any later one
    if not isinstance(value, int) or not 0 <= value < LATEST_SECONDS * 1000:
        raise ValueError
    return value


def _new_generation(now: float) -> int:
    # Milliseconds: a sign-in after a sign-out must come out above every refresh of the one before.
    return int(now * 1000)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
