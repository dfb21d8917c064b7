"""Copying the API keys of the qwen CLI here: they stay where they are, as a key serves any number of programs."""

from pathlib import Path
from typing import NamedTuple

from qwen_portal.account.api_keys import key_plan
from qwen_portal.account.cli_keys import CliKey, read_cli_keys
from qwen_portal.account.registry import Accounts
from qwen_portal.errors import QwenAuthenticationError, QwenError
from qwen_portal.session import Session
from qwen_portal.sign_in.importing import free_label, held
from qwen_portal.sign_in.key_login import ask_service
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.foreign_paths import qwen_cli_settings


class KeyFile(NamedTuple):
    """A settings file of the qwen CLI.

    Attributes:
        path: The file.
        keys: The keys in it; none where it is the CLI's own and has none.
    """

    path: Path
    keys: list[CliKey]


class KeptKey(NamedTuple):
    """What became of a key.

    Attributes:
        label: Its account.
        plan: The account's plan.
        untried: Why its service could not be asked whether it takes the key; empty if it does.
    """

    label: str
    plan: str
    untried: str


def find_keys(path: Path | None) -> KeyFile | None:
    """Read the settings file of that name, or the qwen CLI's own; ``None`` if it is none, or not there.

    Raises:
        QwenError: It is no JSON object. A file that was named need not be one of settings.
        QwenStoreError: It cannot be read.
    """
    own = qwen_cli_settings()
    file = own if path is None else path.expanduser().absolute()
    if path is None and not file.exists():
        return None
    try:
        keys = read_cli_keys(file)
    except QwenError:
        if path is not None and file.name != own.name:
            return None
        raise
    return KeyFile(file, keys) if keys or path is None else None


def account_of(accounts: Accounts, key: CliKey) -> str | None:
    """Return the label of the account that has this very key already.

    Raises:
        QwenStoreError: The keys that are here cannot be read.
    """
    here = held(accounts)
    return next((label for label, known in here.items() if known and known.access_token == key.key), None)


def copy_key(session: Session, key: CliKey) -> KeptKey:
    """Keep a key under the first of its plans whose service takes it.

    Where it can be of one plan alone, it is also kept if that service cannot be asked.

    Raises:
        QwenAuthenticationError: Its service, or each of those it may be of, refuses it.
        QwenError: It cannot be told which plan it is of.
        QwenStoreError: It could not be kept.
    """
    untried = list[str]()
    refusals = list[QwenAuthenticationError]()
    for plan in key.plans:
        label = free_label(plan, [account.label for account in session.accounts.list()])
        credential = Credential.from_key(key.key, plan=plan)
        session.accounts.check_place(label)
        try:
            why = ask_service(session, label, credential, key_plan(plan))
        except QwenAuthenticationError as exc:
            refusals.append(exc)
            continue
        if not why or len(key.plans) == 1:
            session.accounts.add(label, credential)
            return KeptKey(label, plan, why)
        untried.append(why)
    if refusals and not untried:
        # of several that know no such key, one that knows it and serves no programs says more
        raise max(refusals, key=lambda each: each.kind is None)
    plans = " or ".join(key.plans) or "any plan that is known here"
    raise QwenError(
        f"Whether this key is of {plans} could not be found out. {untried[0] if untried else ''}".rstrip(),
        hint="If you know its plan, paste it into `qwen-portal login --plan PLAN`.",
    )
