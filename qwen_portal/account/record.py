"""One account, secrets aside: what the index knows of it, as a record that does not change."""

import time
from typing import NamedTuple

from qwen_portal.account.cool_downs import CoolDown, cool_downs
from qwen_portal.errors import QwenError, QwenTokenNotAvailableError
from qwen_portal.secrets import Secret
from qwen_portal.service.models import name_on
from qwen_portal.service.plans import OAUTH, Kind, Plan, find_plan, unknown_plan
from qwen_portal.storage.index import IndexData, check_label
from qwen_portal.text import shell_quote

DEFAULT_LABEL = "default"
# The accounts of keys that are not kept: of QWEN_PORTAL_API_KEY, and of api_key=.
ENV_LABEL, ARGUMENT_LABEL = "env", "api_key="
NOT_KEPT = (ENV_LABEL, ARGUMENT_LABEL)
# How long a service that refused a fresh token is left alone.
ENDED_SECONDS = 900.0


# A named tuple, as in `plans`: quicker to define than a dataclass.
class Account(NamedTuple):
    """One account, secrets aside. Times are seconds since the epoch or ``None``.

    Attributes:
        label: What the user calls it.
        kind: ``oauth``, ``key``, ``env`` (a key from the environment) or ``argument`` (one that came as ``api_key=``).
        plan: Its plan.
        active: Whether calls that name no account use it.
        store: Where its credential is kept; ``"environment"`` for kind ``env``, ``"argument"`` for ``argument``.
        expires_at: When the access token ends.
        cool_downs: Which quotas are used up.
        needs_login: Whether only a new sign-in helps.
        lost: How the sign-in was lost, if that was no revocation.
        ended_at: When the service refused a fresh token, if that was less than 15 minutes ago.
        generation: Generation of the stored credential.
        key: Of a key that is not kept, the key itself.
        unavailable_reason: Why it cannot be used at all, such as ``"unknown plan 'premium'"``.
    """

    label: str
    kind: Kind
    plan: Plan
    active: bool
    store: str
    expires_at: float | None = None
    cool_downs: tuple[CoolDown, ...] = ()
    needs_login: bool = False
    lost: str | None = None
    ended_at: float | None = None
    generation: int = 0
    key: Secret | None = None
    unavailable_reason: str | None = None

    @property
    def exhausted_until(self) -> float | None:
        """Until when its quota is used up, that of single models aside."""
        return max((each.until for each in self.cool_downs if each.model is None), default=None)

    @property
    def is_exhausted(self) -> bool:
        """Whether its quota is used up, that of single models aside, and its cool-down not over."""
        return self.exhausted_until is not None and self.exhausted_until > time.time()

    def cool_down(self, model: str) -> CoolDown | None:
        """Return the cool-down blocking this model now, or ``None``; the later of the model's and the account's.

        Args:
            model: Model id, as the user or the service calls it.
        """
        name, now = name_on(self.plan, model), time.time()
        due = [each for each in self.cool_downs if each.model in {None, name} and each.until > now]
        return max(due, key=lambda each: each.until, default=None)


def known_account(data: IndexData, label: str) -> Account:
    """Return an account that is in the index, as it stands now."""
    entry = data.accounts[label]
    plan, unavailable_reason = _plan(entry.plan)
    # abs: after the clock was set back, that moment is in the future
    ended = entry.ended_at if entry.ended_at and abs(time.time() - entry.ended_at) < ENDED_SECONDS else None
    return Account(
        label=label,
        kind="oauth" if entry.kind == OAUTH else "key",
        plan=plan,
        active=label == data.active,
        store=entry.store,
        expires_at=entry.expires_at,
        cool_downs=cool_downs(entry),
        needs_login=entry.needs_login,
        lost=entry.lost,
        ended_at=ended,
        generation=entry.generation,
        unavailable_reason=unavailable_reason,
    )


def _plan(name: str) -> tuple[Plan, str | None]:
    """Look up the plan that an index names; a later version may know more of them, and a hand may slip."""
    try:
        return find_plan(name), None
    except QwenError:
        return unknown_plan(name), f"unknown plan {name!r}"


def new_label(label: str | None) -> str:
    """Return the label that a new sign-in is kept under: the one asked for, or ``"default"``.

    Raises:
        QwenError: It is no label, or the one of a key that is not kept.
    """
    name = check_label(label if label is not None else DEFAULT_LABEL)
    if name in NOT_KEPT:
        whose = "in QWEN_PORTAL_API_KEY" if name == ENV_LABEL else "that a program passes as api_key="
        raise QwenError(f"{name!r} is the name of the key {whose}.", hint="Choose another label.")
    return name


def require_usable(account: Account) -> Account:
    """Return an account that can be used.

    Raises:
        QwenTokenNotAvailableError: It cannot; the hint names the commands.
    """
    if account.unavailable_reason is None:
        return account
    name = shell_quote(account.label)
    raise QwenTokenNotAvailableError(
        f"Account {account.label!r} cannot be used: {account.unavailable_reason}.",
        hint=f"Keep its key again with `qwen-portal login --plan PLAN {name}`, or remove the account: "
        f"`qwen-portal accounts remove {name}`. A newer qwen-portal may know the plan.",
    )
