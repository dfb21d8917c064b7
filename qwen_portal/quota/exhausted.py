"""The error when a quota is used up and nothing is left to try: how each account stands, and what the user can do."""

import time
from typing import NamedTuple

from qwen_portal.account.cool_downs import ARREARAGE, FREE_TIER_ONLY, CoolDown
from qwen_portal.account.record import Account
from qwen_portal.errors import QwenQuotaExceededError
from qwen_portal.quota.rotation import Rotation
from qwen_portal.service.models import name_on
from qwen_portal.text import format_duration, shell_quote


class Exhausted(NamedTuple):
    """A request that nobody answered.

    Attributes:
        first: The account that the user chose.
        rotation: The accounts of the request.
        on_quota: The user's strategies.
        pinned: Whether no other may serve.
        refusal: The service's last word, if it was asked.
        notes: What else was tried in vain.
        seconds: What the answer might take, if that was over before all was tried.
    """

    first: Account
    rotation: Rotation
    on_quota: tuple[str, ...]
    pinned: bool
    refusal: QwenQuotaExceededError | None
    notes: list[str]
    seconds: float | None

    def error(self) -> QwenQuotaExceededError:
        """Return the error; it lists the accounts and when each is asked again."""
        candidates, refusal = self.rotation.candidates(), self.refusal
        spent = [(each, known) for each in candidates if (known := self.rotation.cool_down(each)) is not None]
        said = [] if refusal is None else [refusal.message]
        what = "The quota is used up"
        if self.seconds is not None:
            what += f", and the time for this answer ({self.seconds:g} s) was over before all was tried"
        story = "; ".join(f"{each.label!r} ({each.plan.name}) {self._state(each)}" for each in candidates)
        return QwenQuotaExceededError(
            " ".join([f"{what}: {story}.", *said, *self.notes]),
            hint=self._hint(spent),
            status=429 if refusal is None or refusal.status is None else refusal.status,
            code="insufficient_quota" if refusal is None else refusal.code,
            request_id=None if refusal is None else refusal.request_id,
            retry_after=max(0.0, min(known.until for _, known in spent) - time.time()) if spent else None,
        )

    def _state(self, account: Account) -> str:
        unavailable_reason, known = self.rotation.unavailable_reason(account), self.rotation.cool_down(account)
        if unavailable_reason is not None:
            return unavailable_reason
        if known is None:
            # its cool-down, if there was one, ended this moment
            return "refused this request" if self.rotation.was_asked(account) else "was not asked"
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(known.until))
        left = f"{moment}, in {format_duration(known.until - time.time())}"
        if known.is_stated:
            return f"is free again at {left}"
        if known.code == ARREARAGE:
            return f"has a bill to settle and is asked again at {left}"
        return f"is asked {'' if known.model is None else f'for {known.model} '}again at {left}"

    def _hint(self, spent: list[tuple[Account, CoolDown]]) -> str:
        owing = [each for each, known in spent if known.code == ARREARAGE]
        if owing:
            names = " and ".join(repr(each.label) for each in owing)
            kept = next((each for each in owing if each.key is None), None)
            then = (
                f" Then `qwen-portal accounts use {shell_quote(kept.label)}` ends the wait." if kept is not None else ""
            )
            return f"Settle the bill of {names} in the console of Model Studio.{then}"
        free = next((each for each, known in spent if known.code == FREE_TIER_ONLY), None)
        if free is not None:
            return (
                f"The free quota of {name_on(free.plan, self.rotation.model)} is used up, and paid use is off: switch "
                f"it on in the console of Model Studio (account {free.label!r}), or use another model."
            )
        return f"Wait, or {self._otherwise()}"

    def _otherwise(self) -> str:
        others, of_other_plans = _names(self.rotation.others()), _names(self.rotation.other_plan_accounts())
        if self.pinned:
            return self._unpin(others, of_other_plans)
        if others and "switch" not in self.on_quota:
            return f"put switch into QWEN_PORTAL_ON_QUOTA (or on_quota=): then {others} may serve."
        if of_other_plans and "switch" in self.on_quota:
            command = "`qwen-portal accounts rotate --mixed`"
            return f"run {command}: it lets {of_other_plans} serve too, although of another plan."
        if self.first.key is not None:
            return "use another key (QWEN_PORTAL_API_KEY), or keep accounts: `qwen-portal login NAME`."
        return f"add an account: `qwen-portal login NAME`, or {self._early()}"

    def _unpin(self, others: str, of_other_plans: str) -> str:
        if self.first.key is not None:
            return "use a key whose quota is not used up."
        if others and "switch" in self.on_quota:
            return f"leave the account's name out: then {others} may serve."
        if others or of_other_plans:
            return f"name another account: {others or of_other_plans}."
        return self._early()

    def _early(self) -> str:
        return f"end the cool-down early: `qwen-portal accounts use {shell_quote(self.first.label)}`."


def _names(accounts: list[Account]) -> str:
    return ", ".join(repr(account.label) for account in accounts)
