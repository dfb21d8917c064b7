"""Sign-ins that other programs keep: how to read them, how to take them out. Where they are says ``foreign_paths``.

Sources: docs/protocol.md, "Sign-in files of other programs".
"""

import json
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from qwen_portal.account.cli_keys import CLI_KEY_NAMES, LOOK_AROUND
from qwen_portal.errors import QwenError
from qwen_portal.secrets import Secret
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.private_files import read_owned, remove, write_private
from qwen_portal.storage.stores.qwen_cli import qwen_cli_lock
from qwen_portal.untrusted_json import LATEST_SECONDS, json_object, moment, token

# What belongs to a sign-in and goes with it; whatever else a file holds stays in it.
_ACCESS = ("access_token", "access")
_REFRESH = ("refresh_token", "refresh")
_END = ("expiry_date", "expires_at", "expires")
_OURS = {"v", "kind", "plan", "issued_at", "generation", "refreshed", "label"}
_FIELDS = {*_ACCESS, *_REFRESH, *_END, *_OURS, "id_token", "token_type", "type", "expires_in", "resource_url"}


class Login(NamedTuple):
    """One sign-in of another program.

    Attributes:
        name: What that program calls it, if it has a name.
        credential: Its tokens.
        exhausted_until: Until when its quota is used up, in seconds since the epoch, or ``None``.
    """

    name: str | None
    credential: Credential
    exhausted_until: float | None = None


class SignInFile(NamedTuple):
    """A file of another program.

    Attributes:
        path: The file.
        logins: The sign-ins in it, the one in use first.
        rest: What is in it besides; empty if nothing.
        text: The whole content as it was read.
    """

    path: Path
    logins: list[Login]
    rest: dict[str, Any]
    text: Secret

    def newer(self) -> "SignInFile | None":
        """Return what the file's own program made of it meanwhile; ``None`` if it left it alone, or removed it.

        Raises:
            QwenError: It cannot be read any more, or holds no sign-in.
        """
        text = read_owned(self.path)
        return None if text is None or text == self.text.reveal() else read_sign_ins(self.path)

    def take_out(self) -> None:
        """Remove the sign-ins from the file, and the file if nothing else is in it.

        Raises:
            QwenStoreError: The file system refused.
        """
        if self.rest:
            write_private(self.path, json.dumps(self.rest, indent=2))
        else:
            remove(self.path)


def lock_of(path: Path) -> AbstractContextManager[object]:
    """Return the lock under which the programs that know such a file change it; nothing where none is agreed."""
    return qwen_cli_lock(path) if path.name in {"oauth_creds.json", "oauth_accounts.json"} else nullcontext()


def read_sign_ins(path: Path) -> SignInFile:
    """Read a file of the qwen CLI, of an older tool, or any JSON with their fields.

    Raises:
        QwenError: There is no such file, or no sign-in in it.
        QwenStoreError: It cannot be read.
    """
    text = read_owned(path)
    if text is None:
        raise QwenError(f"There is no file {path}.", hint=LOOK_AROUND)
    record = json_object(text) or {}
    accounts = record.get("accounts")
    logins, rest = _several(record, accounts) if isinstance(accounts, list) else _one(record)
    if not logins:
        raise QwenError(
            f"{path} holds no sign-in, and none of the API keys that the qwen CLI keeps.",
            hint="A file of a sign-in is JSON with access_token, refresh_token and expiry_date, tokens without space "
            f'or line break; one of keys has {", ".join(CLI_KEY_NAMES)} or several of them in its "env".',
        )
    return SignInFile(path, logins, rest, Secret(text))


def _one(record: dict[str, Any]) -> tuple[list[Login], dict[str, Any]]:
    credential = _credential(record)
    logins = [] if credential is None else [Login(_text(record, ("label",)), credential)]
    return logins, {name: value for name, value in record.items() if name not in _FIELDS}


def _several(record: dict[str, Any], accounts: list[Any]) -> tuple[list[Login], dict[str, Any]]:
    """Read opencode's accounts; entries that hold no sign-in stay where they are."""
    logins, others = list[Login](), list[Any]()
    for entry in accounts:
        held = entry.get("token") if isinstance(entry, dict) else None
        own = {name: entry[name] for name in ("resource_url",) if entry.get(name)} if isinstance(held, dict) else {}
        credential = _credential(own | held) if isinstance(held, dict) else None
        if credential is None:
            others.append(entry)
            continue
        name, until = _text(entry, ("label", "id")), _seconds(entry.get("exhaustedUntil"))
        login = Login(name, credential, until if until is not None and until > time.time() else None)
        if entry.get("id") == record.get("activeAccountId"):
            logins.insert(0, login)
        else:
            logins.append(login)
    return logins, record | {"accounts": others, "activeAccountId": None} if others else {}


def _credential(record: dict[str, Any]) -> Credential | None:
    access, refresh = token(_text(record, _ACCESS)), token(_text(record, _REFRESH))
    if access is None or refresh is None:
        return None
    ends = (_seconds(record.get(name)) for name in _END)
    return Credential.from_elsewhere(
        Secret(access),
        Secret(refresh),
        # one that does not say when it ends is refreshed first
        expires_at=next((end for end in ends if end is not None), time.time()),
        resource_url=_text(record, ("resource_url",)),
    )


def _text(record: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if isinstance(value := record.get(name), str) and value), None)


def _seconds(value: object) -> float | None:
    number = moment(value)
    if number is None and isinstance(value, int | float) and LATEST_SECONDS <= value < LATEST_SECONDS * 1000:
        return value / 1000
    return number or None
