"""``qwen-portal status``: offline and quick, from the account index, the refresh journal and a look at the files."""

import json
import time
from typing import TYPE_CHECKING

import click

from qwen_portal.account.damaged import mark_damaged
from qwen_portal.cli.table import account_in_use, account_record, table
from qwen_portal.cli.talk import say
from qwen_portal.errors import QwenStoreError, QwenTokenNotAvailableError
from qwen_portal.secrets import printable
from qwen_portal.session import Session
from qwen_portal.storage.index import FileIndex
from qwen_portal.storage.usage_ledger import UsageLedger
from qwen_portal.text import format_duration, shell_quote

if TYPE_CHECKING:
    from qwen_portal.account.record import Account


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; times are seconds since the epoch.")
@click.option("--check", is_flag=True, help="Also send one small request with the account in use.")
def command(*, as_json: bool, check: bool) -> None:
    """Show who is signed in and how long the tokens last.

    Nothing is sent without --check. The exit code is 4 if nobody is signed in, or every account needs a new sign-in.
    """
    session = Session()
    accounts, in_use = mark_damaged(session.accounts, session.list()), account_in_use(session)
    if as_json:
        records = [account_record(account, in_use) for account in accounts]
        click.echo(json.dumps({"accounts": records, "usage_counted": _is_counting(session)}))
    elif accounts:
        rows = [
            ("*" if a.label == in_use else "", a.label, a.plan.name, _kept(a), _state(a) + _pending(session, a))
            for a in accounts
        ]
        click.echo(table(("", "ACCOUNT", "PLAN", "STORE", "STATE"), rows))
        say(_counting(session))
    if accounts and all(account.needs_login for account in accounts):
        raise QwenTokenNotAvailableError("Every account needs a new sign-in.")
    # whatever the list shows, a call needs this one
    session.choose()
    if check:
        _check()


def _kept(account: "Account") -> str:
    is_file = account.store.startswith(("file", "qwen-cli"))
    return f"{account.store} (not encrypted)" if is_file else account.store


def _state(account: "Account") -> str:
    if account.unavailable_reason is not None:
        return account.unavailable_reason
    if account.needs_login:
        why = account.lost or "the service ended this sign-in"
        return f"{why}; sign in again: `qwen-portal login {shell_quote(account.label)}`"
    if account.ended_at is not None:
        return "refused by the service: its free tier ended on 2026-04-16; `qwen-portal login --help` lists plans"
    if account.is_exhausted:
        return f"quota used up for another {format_duration((account.exhausted_until or 0.0) - time.time())}"
    return _token(account) + "".join(
        f"; quota of {each.model} used up for another {format_duration(each.until - time.time())}"
        for each in account.cool_downs
    )


def _token(account: "Account") -> str:
    if account.expires_at is None:
        return "API key"
    left = account.expires_at - time.time()
    return f"token good for {format_duration(left)}" if left > 0 else "token expired; the next call renews it"


def _pending(session: Session, account: "Account") -> str:
    """Say what a refresh left that did not end well; only where there is something, the journal is imported."""
    index = session.accounts.index
    if account.needs_login or account.kind != "oauth" or not isinstance(index, FileIndex):
        return ""
    folder = index.path.with_name("journal")
    if not folder.is_dir() or not any(folder.iterdir()):
        return ""
    journal = session.accounts.journal(account.label)
    try:
        pending = journal.pending(account.generation) if journal is not None else None
    except QwenStoreError as exc:
        pending = exc.message
    return f"; {pending}" if pending is not None else ""


def _is_counting(session: Session) -> bool:
    return UsageLedger(session.settings.home).is_on()


def _counting(session: Session) -> str:
    if _is_counting(session):
        return "What is used is counted: `qwen-portal usage` shows it."
    return "What is used is not counted; `qwen-portal usage --on` begins to."


def _check() -> None:
    from qwen_portal.cli.log import speak_log
    from qwen_portal.client import PortalClient

    speak_log()
    started = time.monotonic()
    answer = PortalClient().chat([{"role": "user", "content": "Answer with: ok"}], max_tokens=16)
    seconds = time.monotonic() - started
    model = printable(answer.get("model") or "the model", limit=120)
    say(f"Check: {model} answered within {seconds:.1f} s.")
