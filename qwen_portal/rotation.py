"""Which account is next when a quota is used up: round robin from the one in use, and why each of the others is not."""

import time
from collections.abc import Iterator

from qwen_portal.account import Account, span
from qwen_portal.session import Session


class Rotation:
    """The accounts of one request.

    They are of the first one's kind and plan; after these come all others, if the user allowed it.

    Args:
        session: Settings and accounts.
        first: The account in use.
        alone: Whether no other may serve.
    """

    def __init__(self, session: Session, first: Account, *, alone: bool) -> None:
        self._session = session
        self._first = first
        self._alone = alone
        self._tried: set[str] = set()
        self._unfit: dict[str, str] = {}

    def take(self, account: Account) -> Account:
        """Note that an account is asked for the whole request, which none is asked twice."""
        self._tried.add(account.label)
        return account

    def next(self) -> Account | None:
        """Return the next account that may serve the request, one whose cool-down ended meanwhile included."""
        waiting = (account for account in self._untried() if self._trouble(account) is None)
        return next((self.take(account) for account in waiting), None)

    def has_more(self) -> bool:
        """Tell whether an account is left that could be asked now."""
        return any(self._trouble(account) is None for account in self._untried())

    def soonest(self) -> Account | None:
        """Return the account whose quota comes back first, of those that are in their cool-down."""
        spent = [account for account in self._ring() if account.is_exhausted and self._trouble(account) is None]
        return min(spent, key=lambda account: account.exhausted_until or 0.0, default=None)

    def pass_over(self, account: Account, reason: str) -> None:
        """Leave an account out that cannot serve this request for another reason than its quota."""
        self._unfit[account.label] = reason

    def story(self) -> str:
        """Tell for each account when it is free again, or what is wrong with it."""
        return "; ".join(self._state(account) for account in self._ring())

    def seconds_left(self) -> float | None:
        """Return the seconds until the first account is free again; ``None`` if that is not known."""
        ends = [account.exhausted_until for account in self._ring() if account.is_exhausted]
        return max(0.0, min(end for end in ends if end is not None) - time.time()) if ends else None

    def outsiders(self) -> list[Account]:
        """Return the accounts that only ``accounts rotate --mixed`` would let serve the request."""
        known = {account.label for account in self._ring()}
        return [account for account in self._session.list() if account.label not in known]

    def _ring(self) -> Iterator[Account]:
        """Yield the accounts as they are now, other processes' marks included, from the first one on."""
        known = {account.label: account for account in self._session.list()}
        if self._alone:
            yield known.get(self._first.label, self._first)
            return
        labels = list(known)
        start = labels.index(self._first.label) if self._first.label in known else 0
        ring = [known[label] for label in labels[start:] + labels[:start]]
        yield from (account for account in ring if self._is_alike(account))
        if self._session.accounts.mixed:
            yield from (account for account in ring if not self._is_alike(account))

    def _untried(self) -> Iterator[Account]:
        return (each for each in self._ring() if each.label not in self._tried and not each.is_exhausted)

    def _is_alike(self, account: Account) -> bool:
        return (account.kind, account.plan.name) == (self._first.kind, self._first.plan.name)

    def _trouble(self, account: Account) -> str | None:
        if account.label in self._unfit:
            return self._unfit[account.label]
        if account.needs_login:
            return f"needs a new sign-in (qwen-portal login {account.label})"
        return "is refused by the service" if account.ended_at is not None else None

    def _state(self, account: Account) -> str:
        trouble = self._trouble(account)
        if trouble is None and account.is_exhausted:
            until = account.exhausted_until or 0.0
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(until))
            trouble = f"is free again at {at}, in {span(until - time.time())}"
        else:
            # its cool-down, if there was one, ended this moment
            asked = account.label in self._tried
            trouble = trouble or ("refused this request" if asked else "was not asked")
        return f"{account.label!r} ({account.plan.name}) {trouble}"
