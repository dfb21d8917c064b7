"""Account rotation after a quota error: the order of accounts, and why an account is skipped."""

from collections.abc import Iterator

from qwen_portal.account.cool_downs import CoolDown
from qwen_portal.account.record import Account
from qwen_portal.session import Session
from qwen_portal.text import shell_quote


class Rotation:
    """The accounts of one request.

    They are of the first one's kind and plan; after these come all others, if the user allowed it.

    Args:
        session: Settings and accounts.
        first: The account in use.
        model: The model asked for; a quota may be one model's alone.
        alone: Whether no other may serve.
    """

    def __init__(self, session: Session, first: Account, *, model: str, alone: bool) -> None:
        self._session = session
        self._first = first
        self._alone = alone
        self._tried: set[str] = set()
        self._unfit: dict[str, str] = {}
        self.model = model

    def take(self, account: Account) -> Account:
        """Note that an account is asked for the whole request, which none is asked twice."""
        self._tried.add(account.label)
        return account

    def next(self) -> Account | None:
        """Return the next account that may serve the request, one whose cool-down ended meanwhile included."""
        return next((self.take(account) for account in self._waiting()), None)

    def has_more(self) -> bool:
        """Tell whether an account is left that could be asked now."""
        return any(True for _ in self._waiting())

    def was_asked(self, account: Account) -> bool:
        """Tell whether an account was asked for the whole request."""
        return account.label in self._tried

    def next_to_reset(self) -> Account | None:
        """Return the account whose quota comes back first, of those that may answer a request for fewer tokens."""
        spent = ((self.cool_down(each), each) for each in self.candidates() if self.unavailable_reason(each) is None)
        soft = [(known.until, each) for known, each in spent if known is not None and not known.is_firm]
        return min(soft, key=lambda one: one[0], default=(0.0, None))[1]

    def skip(self, account: Account, reason: str) -> None:
        """Leave an account out that cannot serve this request for another reason than its quota."""
        self._unfit[account.label] = reason

    def unavailable_reason(self, account: Account) -> str | None:
        """Say what else than its quota keeps an account from serving."""
        if account.label in self._unfit:
            return self._unfit[account.label]
        if account.unavailable_reason is not None:
            return f"cannot be used: {account.unavailable_reason}"
        if account.needs_login:
            return f"needs a new sign-in (qwen-portal login {shell_quote(account.label)})"
        return "is refused by the service" if account.ended_at is not None else None

    def cool_down(self, account: Account) -> CoolDown | None:
        """Return what keeps an account from being asked now."""
        return account.cool_down(self.model)

    def candidates(self) -> list[Account]:
        """Return the accounts as they are now, other processes' marks included, from the first one on."""
        known = {account.label: account for account in self._session.list()}
        return [known.get(self._first.label, self._first)] if self._alone else self._order(known)

    def others(self) -> list[Account]:
        """Return the accounts that ``switch`` would let serve the request."""
        known = {account.label: account for account in self._session.list()}
        return [account for account in self._order(known) if account.label != self._first.label]

    def other_plan_accounts(self) -> list[Account]:
        """Return the accounts that only ``accounts rotate --mixed`` would let serve the request."""
        known = {account.label: account for account in self._session.list()}
        inside = {self._first.label, *(account.label for account in self._order(known))}
        return [account for account in known.values() if account.label not in inside]

    def _order(self, known: dict[str, Account]) -> list[Account]:
        labels = list(known)
        start = labels.index(self._first.label) if self._first.label in known else 0
        candidates = [known[label] for label in labels[start:] + labels[:start]]
        strange = (
            [account for account in candidates if not self._is_alike(account)] if self._session.accounts.mixed else []
        )
        return [account for account in candidates if self._is_alike(account)] + strange

    def _waiting(self) -> Iterator[Account]:
        for account in self.candidates():
            if not (self.was_asked(account) or self.cool_down(account) or self.unavailable_reason(account)):
                yield account

    def _is_alike(self, account: Account) -> bool:
        return (account.kind, account.plan.name) == (self._first.kind, self._first.plan.name)
