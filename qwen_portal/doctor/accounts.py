"""Checks of what this package keeps: its folder, its store, each account, files that were damaged."""

import time
from collections.abc import Iterator
from pathlib import Path

from qwen_portal.account.damaged import look_at
from qwen_portal.account.record import Account
from qwen_portal.doctor.finding import Finding, failed, without_home
from qwen_portal.session import Session
from qwen_portal.storage.credential_files import credentials_folder
from qwen_portal.storage.index import FileIndex
from qwen_portal.storage.locks import file_lock
from qwen_portal.storage.private_files import remove, try_folder
from qwen_portal.storage.usage_ledger import UsageLedger
from qwen_portal.text import counted

_LOCK_SECONDS = 5.0


def folder(session: Session) -> Iterator[Finding]:
    """Write where the account index, the locks and the journal are: without them no refresh begins."""
    place = _index_folder(session)
    if place is None:
        yield Finding("folder", "ok", "none is needed: nothing is kept on disk")
        return
    try_folder(place)
    lock = place / "locks" / "doctor.lock"
    with file_lock(lock, _LOCK_SECONDS):
        pass
    remove(lock)
    yield Finding("folder", "ok", f"{without_home(place)} can be written, and locks work in it")


def store(session: Session) -> Iterator[Finding]:
    """Keep something where a sign-in would be kept."""
    label = next((account.label for account in session.accounts.list()), "default")
    session.accounts.check_place(label)
    name = without_home(session.settings.store)
    if name.startswith(("file", "qwen-cli")):
        remedy = "QWEN_PORTAL_STORE=keyring is safer, where there is a keyring."
        yield Finding("store", "warn", f"{name} keeps what it is given, but does not encrypt it", remedy)
    else:
        yield Finding("store", "ok", f"{name} keeps what it is given")


def accounts(session: Session) -> Iterator[Finding]:
    """Look at each account, whatever the others are like."""
    listed = session.list()
    session.choose()
    yield Finding("accounts", "ok", "one, in use" if len(listed) == 1 else f"{len(listed)}, one of them in use")
    for number, account in enumerate(listed, 1):
        name = f"account {number}"
        try:
            yield _account(account, name, session)
        except Exception as exc:  # noqa: BLE001 - as for every check
            yield failed(name, exc)


def damaged_files(session: Session) -> Iterator[Finding]:
    """Count the files that could not be read and were set aside."""
    place = _index_folder(session)
    folders = dict.fromkeys([credentials_folder(session.settings.home), *([place] if place is not None else [])])
    aside = [path for each in folders for path in each.glob("*.corrupt")]
    if aside:
        where = ", ".join(dict.fromkeys(without_home(path.parent) for path in aside))
        text = f"{counted(len(aside), 'file', 'files')} that could not be read, kept as *.corrupt in {where}"
        yield Finding("damaged files", "warn", text, "Sign in again to what is missing, then remove them.")


def ledger(session: Session) -> Iterator[Finding]:
    """Read the usage ledger, if requests are counted."""
    kept = UsageLedger(session.settings.home)
    if kept.is_on():
        kept.rows(time.time())
        yield Finding("usage ledger", "ok", "requests are counted in it")


def _index_folder(session: Session) -> Path | None:
    index = session.accounts.index
    return index.path.parent if isinstance(index, FileIndex) else None


def _account(account: Account, name: str, session: Session) -> Finding:
    what = f"{account.plan.name}, in {without_home(account.store)}"
    label = "`qwen-portal login` with its label, which `qwen-portal status` shows"
    if account.unavailable_reason is not None:
        return Finding(name, "fail", f"{what}: {account.unavailable_reason}", f"Run {label} and --plan.")
    account = look_at(session.accounts, account)
    if account.needs_login:
        why = account.lost or "the service ended this sign-in"
        return Finding(name, "fail", f"{what}: {without_home(why)}", f"Run {label}.")
    journal = session.accounts.journal(account.label) if account.kind == "oauth" else None
    pending = journal.pending(account.generation) if journal is not None else None
    if pending is not None:
        remedy = "The next call goes on from there; if it fails, it says what helps."
        return Finding(name, "warn", f"{what}: {without_home(pending)}", remedy)
    if account.cool_downs:
        return Finding(name, "warn", f"{what}: {_spent(account)}", _instead(session))
    if account.kind == "oauth" and session.settings.base_url is None:
        remedy = "Run `qwen-portal login --plan …` with a key of a live plan; `qwen-portal login --help` lists them."
        text = f"{what}: signed in, but the free tier has answered no request since 2026-04-16"
        return Finding(name, "warn", text, remedy)
    return Finding(name, "ok", f"{what}: {'signed in' if account.kind == 'oauth' else 'an API key'}")


def _spent(account: Account) -> str:
    last = max(account.cool_downs, key=lambda each: each.until)
    whose = "its quota" if last.model is None else f"its quota of {last.model}"
    return f"{whose} is used up until {time.strftime('%Y-%m-%d %H:%M', time.localtime(last.until))}"


def _instead(session: Session) -> str:
    """Say what helps against a quota that is used up: another account, where there is one that may answer."""
    if any(not (each.cool_downs or each.needs_login or each.unavailable_reason) for each in session.list()):
        return "`qwen-portal accounts use` chooses another account."
    return "Wait until then; `qwen-portal accounts use` with its label ends that early."
