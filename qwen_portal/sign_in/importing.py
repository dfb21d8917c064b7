"""Moving the sign-in of another program here: kept here first, read back, then taken out there.

API keys are copied, by ``key_importing``. Sign-ins never are: a refresh token serves once, so of two copies the one
that is used first ends the other.
"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from qwen_portal.account.cool_downs import CoolDown, note
from qwen_portal.account.record import DEFAULT_LABEL, NOT_KEPT
from qwen_portal.account.registry import Accounts
from qwen_portal.errors import QwenError, QwenStoreError, QwenTokenNotAvailableError
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.sign_in.foreign_files import Login, SignInFile, lock_of, read_sign_ins
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.foreign_paths import qwen_cli_file, usual_files
from qwen_portal.storage.index import check_label
from qwen_portal.storage.stores.qwen_cli import forget_last_seen

# A program that refreshes changes its file once in hours.
_LOOKS = 3


class Move(NamedTuple):
    """A sign-in and where it goes.

    Attributes:
        label: The account's label here.
        login: The sign-in.
        is_new: ``False`` if this very sign-in is that account already.
    """

    label: str
    login: Login
    is_new: bool


def find(session: Session, path: Path | None) -> list[SignInFile]:
    """Read the file of that name, or those of the qwen CLI and of older tools; nothing is changed.

    Returns:
        Each file with a sign-in; none if none was named and there is none.

    Raises:
        QwenError: The file that was named is not there, or holds no sign-in.
        QwenStoreError: It cannot be read, or is a file of this package's own.
    """
    if path is not None:
        absolute = path.expanduser().absolute()
        if session.accounts.is_own(absolute):
            raise QwenStoreError(f"{absolute} is where sign-ins are kept now.", hint="There is nothing to move.")
        return [read_sign_ins(absolute)]
    found = list[SignInFile]()
    for each in usual_files():
        if not session.accounts.is_own(each):
            try:
                found.append(read_sign_ins(each))
            except QwenError:
                # the person did not name it
                continue
    return found


def check_store(session: Session) -> None:
    """Refuse a store that would not keep what is imported.

    Raises:
        QwenError: It is this process's memory.
    """
    if session.settings.store == "memory":
        raise QwenError(
            "QWEN_PORTAL_STORE=memory would forget the sign-in when this program ends.",
            hint="Choose another place: keyring, file, file:PATH or qwen-cli.",
        )


def check_room(accounts: Accounts) -> None:
    """Find out whether one more account could be kept, before a person is asked whether to import it.

    Raises:
        QwenStoreError: It could not; the hint says what helps.
    """
    accounts.check_place(free_label(None, [account.label for account in accounts.list()]))


def moves(accounts: Accounts, file: SignInFile) -> list[Move]:
    """Choose a label for each sign-in of a file; no account that is here is ever replaced.

    Raises:
        QwenStoreError: The sign-ins that are here cannot be read.
    """
    here = held(accounts)
    planned = list[Move]()
    for login in file.logins:
        twin = next((label for label, known in here.items() if known and _is_same(known, login.credential)), None)
        label = twin or free_label(login.name, here)
        here[label] = login.credential
        planned.append(Move(label, login, is_new=twin is None))
    return planned


def move(session: Session, path: Path) -> list[Move]:
    """Move what is in a file.

    Raises:
        QwenStoreError: A sign-in could not be kept, and is where it was; or it is kept here but could not be taken
            out there, which the error says.
        QwenStoreLockedError: The file's own program is at work in it.
    """
    with lock_of(path):
        file = read_sign_ins(path)
        planned = moves(session.accounts, file)
        for each in planned:
            if each.is_new:
                session.accounts.check_place(each.label)
                _keep(session.accounts, each.label, each.login)
        file = _newest(session.accounts, file, planned)
        try:
            if path.resolve() == qwen_cli_file().resolve():
                forget_last_seen(session.settings.home)
            file.take_out()
        except QwenStoreError as exc:
            message = f"The sign-in is kept here now, but is still in {path} too. {exc.message}"
            hint = f"Remove {path} yourself, soon: if another program refreshes that copy, the sign-in here ends."
            raise type(exc)(message, hint=hint) from None
    return planned


def _newest(accounts: Accounts, file: SignInFile, planned: list[Move]) -> SignInFile:
    """Keep what the file's own program stored meanwhile, too: its refresh ended what was read before.

    Raises:
        QwenStoreError: The file cannot be followed, and is left as it is.
    """
    for _ in range(_LOOKS):
        try:
            newer = file.newer()
        except QwenError:
            break
        if newer is None:
            return file
        if [login.name for login in newer.logins] != [login.name for login in file.logins]:
            break
        for move, before, login in zip(planned, file.logins, newer.logins, strict=True):
            if _tokens(before) != _tokens(login):
                _keep(accounts, move.label, login)
        file = newer
    raise QwenStoreError(
        f"Another program is changing {file.path}, so it is left as it is; what was kept of it here may be over.",
        hint="Close that program, then run `qwen-portal import` again.",
    )


def _keep(accounts: Accounts, label: str, login: Login) -> None:
    credential, known = login.credential, _load(accounts, label)
    if known is not None:
        credential = replace(credential, generation=max(credential.generation, known.generation + 1))
    accounts.add(label, credential)
    _note_quota(accounts, label, login)


def _tokens(login: Login) -> tuple[Secret, Secret | None]:
    return login.credential.access_token, login.credential.refresh_token


def _note_quota(accounts: Accounts, label: str, login: Login) -> None:
    until = login.exhausted_until
    if until is not None:
        with accounts.editing(label) as entry:
            note(entry, CoolDown(until))


def _load(accounts: Accounts, label: str) -> Credential | None:
    try:
        return accounts.load(accounts.choose(label))
    except QwenTokenNotAvailableError:
        return None


def _is_same(one: Credential, other: Credential) -> bool:
    return one.access_token == other.access_token or one.refresh_token == other.refresh_token


def held(accounts: Accounts) -> dict[str, Credential | None]:
    """Return the credential of each account that is here, by label; ``None`` for one that is lost.

    Raises:
        QwenStoreError: They cannot be read.
    """
    return {account.label: _load(accounts, account.label) for account in accounts.list()}


def free_label(name: str | None, taken: Collection[str]) -> str:
    """Choose a label for a new account: the name, if it is one and free, else one like it."""
    try:
        wanted = check_label(name or DEFAULT_LABEL)
    except QwenError:
        wanted = DEFAULT_LABEL
    candidates = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, len(taken) + 3))
    return next(label for label in candidates if label not in taken and label not in NOT_KEPT)
