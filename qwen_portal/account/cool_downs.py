"""Cool-downs: how long an account is left alone after a quota was used up, and how its index entry tells so.

A quota may be the whole account's or, where only a free tier is used, one model's. What the service says is in
docs/protocol.md, "Quota".
"""

import time
from dataclasses import replace
from typing import NamedTuple, TypeVar

from qwen_portal.errors import QwenQuotaExceededError
from qwen_portal.storage.index import Entry

# The two refusals that no shorter request gets around: one model's free quota with paid use switched off; a bill.
FREE_TIER_ONLY = "allocationquota.freetieronly"
ARREARAGE = "arrearage"
# No plan counts for longer than a month; what is further ahead was noted by a clock that was wrong.
LONGEST = 40 * 86_400.0
# By how much the clocks of two machines that share a home folder may differ.
_SKEW = 60.0


Key = TypeVar("Key")


# A named tuple, as in `plans`: quicker to define than a dataclass.
class CoolDown(NamedTuple):
    """One quota that is used up.

    Attributes:
        until: When the account is asked again, in seconds since the epoch.
        code: The refusal's code in small letters, if it had one.
        is_stated: Whether the service itself named that moment.
        model: The model's name on the account's plan, if the quota is that model's alone.
    """

    until: float
    code: str | None = None
    is_stated: bool = False
    model: str | None = None

    @property
    def is_firm(self) -> bool:
        """Whether a request for fewer tokens is refused just the same."""
        return self.code in {FREE_TIER_ONLY, ARREARAGE}


def cool_down_after(refusal: QwenQuotaExceededError, model: str, seconds: float) -> CoolDown:
    """Return the cool-down that a refusal begins.

    Args:
        refusal: What the service answered.
        model: The model's name on the account's plan.
        seconds: QWEN_PORTAL_QUOTA_COOLDOWN, where the service names no moment that can be.
    """
    code, now, stated = (refusal.code or "").lower() or None, time.time(), refusal.resets_at
    is_stated = stated is not None and now < stated <= now + LONGEST
    until = stated if stated is not None and is_stated else now + seconds
    return CoolDown(until, code, is_stated, model if code == FREE_TIER_ONLY else None)


def cool_downs(entry: Entry) -> tuple[CoolDown, ...]:
    """Return the cool-downs of an account that are not over.

    What was noted at a time to come, before the clock was set back, counts as over: asking costs one request, and
    nobody can tell when it would end.
    """
    now = time.time()
    if entry.exhausted_at is not None and entry.exhausted_at > now + _SKEW:
        return ()
    latest = now + LONGEST if entry.exhausted_at is None else float("inf")
    noted = [CoolDown(until, FREE_TIER_ONLY, model=model) for model, until in entry.exhausted_models.items()]
    if entry.exhausted_until is not None:
        noted.append(CoolDown(entry.exhausted_until, entry.exhausted_code, entry.exhausted_stated))
    return tuple(each for each in noted if now < each.until <= latest)


def note(entry: Entry, new: CoolDown) -> None:
    """Add a cool-down to an account's entry; a later end is kept unless the service stated the new one."""
    known = cool_downs(entry)
    forget(entry)
    for old in known:
        if old.model == new.model and old.until > new.until and not new.is_stated:
            new = new._replace(until=old.until, is_stated=old.is_stated)
    for each in (*known, new):
        if each.model is not None:
            entry.exhausted_models[each.model] = each.until
        else:
            entry.exhausted_until, entry.exhausted_code, entry.exhausted_stated = each[:3]
    entry.exhausted_at = time.time()


def remember(memory: dict[Key, Entry], key: Key, new: CoolDown) -> None:
    """Note a cool-down in this process alone; the entry is replaced as a whole, so that threads need no lock."""
    entry = replace(memory.get(key, Entry("", "", "")))
    note(entry, new)
    memory[key] = entry


def forget(entry: Entry) -> None:
    """Let an account be asked again at once."""
    entry.exhausted_until = entry.exhausted_code = entry.exhausted_at = None
    entry.exhausted_stated, entry.exhausted_models = False, {}
