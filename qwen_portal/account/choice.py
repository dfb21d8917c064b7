"""The choice of an account among those of the index, and the one that was made last."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from qwen_portal.account.record import Account
from qwen_portal.account.ways_in import hint_to_sign_in
from qwen_portal.errors import QwenTokenNotAvailableError
from qwen_portal.storage.index import IndexData, check_label
from qwen_portal.text import shell_quote


class Choice(NamedTuple):
    """A choice that was made; it is good for as long as the index has the same content.

    Attributes:
        data: The index's content; another content is another object.
        label: The account asked for.
        account: The one that was chosen.
    """

    data: IndexData
    label: str | None
    account: Account

    def is_for(self, data: IndexData, label: str | None) -> bool:
        """Tell whether the same was asked of the same content."""
        return self.data is data and self.label == label


def lasting_choice(data: IndexData, label: str | None, account: Account) -> Choice | None:
    """Return a choice to remember; ``None`` if the account may stand otherwise by time alone, without a change.

    Args:
        data: The index's content.
        label: The account asked for.
        account: The one that was chosen.
    """
    entry = data.accounts[account.label]
    is_resting = entry.ended_at is None and entry.exhausted_at is None and entry.exhausted_until is None
    return Choice(data, label, account) if is_resting and not entry.exhausted_models else None


def chosen_label(data: IndexData, label: str | None, is_own: Callable[[Path], bool]) -> str:
    """Return the label of the account that is meant: that of the given name, or the active one.

    Args:
        data: The index's content.
        label: The account asked for.
        is_own: Tells whether a file is one in which ours keeps its accounts.

    Raises:
        QwenTokenNotAvailableError: There is none; the hint names the command.
    """
    wanted = check_label(label) if label is not None else data.active
    if wanted is not None and wanted in data.accounts:
        return wanted
    known = ", ".join(map(repr, data.accounts))
    if wanted is not None:
        msg = f"There is no account {wanted!r} (accounts here: {known or 'none'})."
        raise QwenTokenNotAvailableError(msg, hint=f"Run `qwen-portal login {shell_quote(wanted)}`.")
    if known:
        msg = f"No account is the active one (accounts here: {known})."
        raise QwenTokenNotAvailableError(msg, hint="Run `qwen-portal accounts use NAME`.")
    raise QwenTokenNotAvailableError("Nobody is signed in.", hint=hint_to_sign_in(is_own))
