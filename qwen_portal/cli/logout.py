"""``qwen-portal logout``."""

import click

from qwen_portal.account.damaged import damaged_copy
from qwen_portal.account.record import ENV_LABEL, Account
from qwen_portal.cli.completion import complete_label
from qwen_portal.cli.talk import say
from qwen_portal.errors import QwenError
from qwen_portal.session import Session
from qwen_portal.storage.credential_files import damaged_copy_of
from qwen_portal.storage.index import FileIndex
from qwen_portal.storage.private_files import remove as remove_file


@click.command()
@click.argument("account", required=False, shell_complete=complete_label)
@click.option("--all", "every", is_flag=True, help="Remove every account.")
def command(account: str | None, *, every: bool) -> None:
    """Remove a sign-in or key from this machine.

    Without ACCOUNT, the account in use. The service is not told: it has no known way to revoke a token, which lives
    there until it expires.
    """
    if every and account is not None:
        raise click.UsageError("Name an account or say --all, not both.")
    session = Session()
    if every:
        _remove_all(session)
    else:
        remove(session, account)
    if session.settings.api_key is not None:
        say("QWEN_PORTAL_API_KEY is still set, and its key is used as before.")


def remove(session: Session, label: str | None) -> None:
    """Remove one account and say what that means.

    Raises:
        QwenTokenNotAvailableError: There is no such account.
        QwenStoreError: The store failed; the account is still there.
    """
    if label == ENV_LABEL and session.settings.api_key is not None:
        raise QwenError("The key in QWEN_PORTAL_API_KEY is not kept here.", hint="Unset the variable.")
    account = session.accounts.find(label if label is not None else session.settings.account)
    _remove(session, account)
    left = next((other for other in session.accounts.list() if other.active), None)
    if account.active and left is not None:
        say(f"The active account is now {left.label!r} ({left.plan.name}).")


def _remove_all(session: Session) -> None:
    """Remove what can be removed; the first failure is raised when all were tried."""
    failures: list[QwenError] = []
    accounts = session.accounts.list()
    for account in accounts:
        try:
            _remove(session, account)
        except QwenError as exc:
            failures.append(exc)
    _remove_damaged_index(session)
    if not accounts:
        say("Nobody is signed in; there was nothing to remove.")
    if failures:
        raise failures[0]


def _remove_damaged_index(session: Session) -> None:
    """Remove the copy of an index that could not be read: it names the accounts that there were."""
    index = session.accounts.index
    aside = damaged_copy_of(index.path) if isinstance(index, FileIndex) else None
    if aside is not None:
        remove_file(aside)
        say(f"Removed the copy of an account index that could not be read, too: {aside}.")


def _remove(session: Session, account: Account) -> None:
    aside = damaged_copy(session.accounts, account)
    _tell(session.accounts.remove(account.label))
    if aside is not None:
        say(f"Removed what was left of a sign-in that could not be read, too: {aside}.")


def _tell(account: Account) -> None:
    if account.kind == "oauth":
        say(f"Removed the sign-in of account {account.label!r} from its store ({account.store}).")
        say("The service has no known way to revoke it: its tokens stay good there until they expire.")
    else:
        say(f"Removed the API key of account {account.label!r} from its store ({account.store}).")
        say("The key itself stays good: revoke it where it was made.")
