"""A check of what stands between this machine and an answer: each thing that can be wrong is looked at once.

A finding is safe to paste into a bug report: no secret, no label, no name of the user's folder.
"""

import contextlib
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from qwen_portal._version import __version__
from qwen_portal.account.damaged import look_at
from qwen_portal.account.record import Account
from qwen_portal.errors import QwenError
from qwen_portal.session import Session
from qwen_portal.storage.foreign_paths import foreign_sign_in
from qwen_portal.storage.index import FileIndex
from qwen_portal.storage.locks import file_lock
from qwen_portal.storage.private_files import remove, try_folder

State = Literal["ok", "warn", "fail"]
_LOCK_SECONDS = 5.0
_DOORS = ("langchain-core", "langchain-openai", "litellm", "openai")


class Finding(NamedTuple):
    """One line of the diagnosis.

    Attributes:
        name: What was looked at.
        state: ``ok``, ``warn`` (it works, but), or ``fail``.
        text: What was found.
        remedy: What mends it; empty for ``ok``.
    """

    name: str
    state: State
    text: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Look at everything, one finding after the other; the sign-in host is asked for one device code.

    Example:
        >>> from qwen_portal.doctor import examine
        >>> next(examine()).name
        'versions'
    """
    yield _versions()
    yield from _network()
    yield from _dotenv()
    try:
        session = Session()
    except QwenError as exc:
        yield _failed("settings", exc)
        return
    yield Finding("settings", "ok", f"read; store {_without_home(session.settings.store)}")
    yield _checked(session, "folder", _folder)
    store = _checked(session, "store", _store)
    yield store
    if store.state != "fail":
        accounts = _checked(session, "accounts", _some_account)
        yield accounts
        if accounts.state == "ok":
            for n, account in enumerate(session.list(), 1):
                yield _checked(session, f"account {n}", partial(_account, account, f"account {n}"))
    yield from _elsewhere(session)
    if session.settings.api_key is None:
        yield _checked(session, "sign-in host", _sign_in_host)


def _versions() -> Finding:
    doors = [f"{name} {version}" for name in _DOORS if (version := _installed(name)) is not None]
    python = f"Python {platform.python_version()} on {sys.platform}"
    return Finding("versions", "ok", ", ".join([f"qwen-portal {__version__}", python, *doors]))


def _network() -> Iterator[Finding]:
    """Look at this machine's variables about proxies and certificates: one that is wrong keeps everything from Qwen."""
    # `qwen-portal status` imports this module's neighbours, and has no time for the HTTP library
    from qwen_portal.http.network import variables

    for variable in variables():
        if not variable.problem:
            yield Finding(variable.name, "ok", variable.text)
        else:
            state: State = "fail" if variable.stops_everything else "warn"
            yield Finding(variable.name, state, f"{variable.text}: {variable.problem}", variable.remedy)


def _dotenv() -> Iterator[Finding]:
    """Look for settings of ours in a file that others load, and may have written."""
    file = Path(".env")
    text = ""
    with contextlib.suppress(OSError):
        if file.is_file():
            text = file.read_text("utf-8", errors="replace")
    names = sorted(set(re.findall(r"^\s*(?:export\s+)?(QWEN_[A-Z_]+)\s*=", text, re.MULTILINE)))
    if names:
        said = f"sets {', '.join(names)}, and who loads it, as LiteLLM does when it is imported, takes that for yours"
        yield Finding("./.env", "warn", said, "Set LITELLM_MODE=PRODUCTION if you did not write it.")


def _folder(session: Session) -> Finding:
    """Write where the account index, the locks and the journal are: without them no refresh begins."""
    index = session.accounts.index
    if not isinstance(index, FileIndex):
        return Finding("folder", "ok", "none is needed: nothing is kept on disk")
    folder = index.path.parent
    try_folder(folder)
    lock = folder / "locks" / "doctor.lock"
    with file_lock(lock, _LOCK_SECONDS):
        pass
    remove(lock)
    return Finding("folder", "ok", f"{_without_home(folder)} can be written, and locks work in it")


def _store(session: Session) -> Finding:
    label = next((account.label for account in session.accounts.list()), "default")
    session.accounts.check_place(label)
    name = _without_home(session.settings.store)
    if name.startswith(("file", "qwen-cli")):
        remedy = "QWEN_PORTAL_STORE=keyring is safer, where there is a keyring."
        return Finding("store", "warn", f"{name} keeps what it is given, but does not encrypt it", remedy)
    return Finding("store", "ok", f"{name} keeps what it is given")


def _some_account(session: Session) -> Finding:
    accounts = session.list()
    session.choose()
    return Finding("accounts", "ok", f"{len(accounts)} here, one of them in use")


def _account(account: Account, name: str, session: Session) -> Finding:
    what = f"{account.plan.name}, in {_without_home(account.store)}"
    label = "`qwen-portal login` with its label, which `qwen-portal status` shows"
    if account.unavailable_reason is not None:
        return Finding(name, "fail", f"{what}: {account.unavailable_reason}", f"Run {label} and --plan.")
    account = look_at(session.accounts, account)
    if account.needs_login:
        why = account.lost or "the service ended this sign-in"
        return Finding(name, "fail", f"{what}: {_without_home(why)}", f"Run {label}.")
    journal = session.accounts.journal(account.label) if account.kind == "oauth" else None
    pending = journal.pending(account.generation) if journal is not None else None
    if pending is not None:
        remedy = "The next call goes on from there; if it fails, it says what helps."
        return Finding(name, "warn", f"{what}: {_without_home(pending)}", remedy)
    if account.cool_downs:
        return Finding(name, "warn", f"{what}: {_spent(account)}", _instead(session))
    if account.kind == "oauth":
        remedy = "Run `qwen-portal login --plan …` with a key of a live plan; `qwen-portal login --help` lists them."
        text = f"{what}: signed in, but the free tier has answered no request since 2026-04-16"
        return Finding(name, "warn", text, remedy)
    return Finding(name, "ok", f"{what}: an API key")


def _spent(account: Account) -> str:
    last = max(account.cool_downs, key=lambda each: each.until)
    whose = "its quota" if last.model is None else f"its quota of {last.model}"
    return f"{whose} is used up until {time.strftime('%Y-%m-%d %H:%M', time.localtime(last.until))}"


def _instead(session: Session) -> str:
    """Say what helps against a quota that is used up: another account, where there is one that may answer."""
    if any(not (each.cool_downs or each.needs_login or each.unavailable_reason) for each in session.list()):
        return "`qwen-portal accounts use` chooses another account."
    return "Wait until then; `qwen-portal accounts use` with its label ends that early."


def _elsewhere(session: Session) -> Iterator[Finding]:
    if foreign_sign_in(session.accounts.is_own) is not None:
        text = "another program keeps a sign-in on this machine, and whoever refreshes it first ends a copy"
        yield Finding("other programs", "warn", text, "Run `qwen-portal import` to move it here.")


def _sign_in_host(session: Session) -> Finding:
    from qwen_portal import oauth

    settings = session.settings
    _, challenge = oauth.generate_pkce()
    oauth.request_device_code(challenge, oauth_url=settings.oauth_url, client_id=settings.client_id)
    return Finding("sign-in host", "ok", f"{settings.oauth_url} gives device codes")


def _checked(session: Session, name: str, look: Callable[[Session], Finding]) -> Finding:
    try:
        return look(session)
    except QwenError as exc:
        return _without_labels(session, _failed(name, exc))


def _failed(name: str, exc: QwenError) -> Finding:
    return Finding(name, "fail", _without_home(exc.message), _without_home(exc.hint))


def _without_labels(session: Session, finding: Finding) -> Finding:
    """Leave out what the accounts are called: many are called by a mail address."""
    named = {session.settings.account or ""}
    with contextlib.suppress(QwenError):
        named.update(session.accounts.index.read().accounts)
    text, remedy = finding.text, finding.remedy
    for label in named - {"", "default"}:
        pattern = rf"(?<!\w){re.escape(label)}(?!\w)"
        text, remedy = re.sub(pattern, "LABEL", text), re.sub(pattern, "LABEL", remedy)
    return finding._replace(text=text, remedy=remedy)


def _installed(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _without_home(text: str | Path) -> str:
    """Leave out the user's name, which most home folders have in them."""
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home raises where there is none
    return str(text).replace(home, "~") if len(home) > 1 else str(text)
