"""``qwen-portal import``."""

import sys
from pathlib import Path

import click

from qwen_portal.account.cli_keys import CLI_KEY_NAMES, CliKey
from qwen_portal.account.registry import Accounts
from qwen_portal.cli.group import tell
from qwen_portal.cli.talk import say
from qwen_portal.errors import QwenError
from qwen_portal.session import Session
from qwen_portal.sign_in.foreign_files import SignInFile
from qwen_portal.sign_in.importing import Move, check_room, check_store, find, move, moves
from qwen_portal.sign_in.key_importing import KeyFile, account_of, copy_key, find_keys


@click.command("import")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(file: Path | None, *, yes: bool) -> None:
    """Move the sign-in of the qwen CLI, or of an older tool, here; copy the CLI's API keys.

    FILE is a JSON file with access_token, refresh_token and expiry_date, opencode's oauth_accounts.json, or the qwen
    CLI's settings.json. Without it, the files of the qwen CLI and of opencode's plug-in.

    A sign-in is moved, not copied: each refresh ends all copies but one, so the other program has to sign in again. To
    share one with the qwen CLI, set QWEN_PORTAL_STORE=qwen-cli. A key stays where it is too; its service is asked, with
    one small request, whether it takes the key.
    """
    session = Session()
    check_store(session)
    keys = _find_keys(file)
    found = [] if file is not None and keys is not None else find(session, file)
    if keys is not None and not keys.keys:
        if not found:
            raise _nothing(f' {keys.path} has none of {", ".join(CLI_KEY_NAMES)} in its "env".')
        keys = None
    if not found and keys is None:
        raise _nothing()
    if _tell(session.accounts, keys, found):
        check_room(session.accounts)
    if not yes:
        _ask("Copy" if not found else "Move" if keys is None else "Copy and move")
    # keys first: what is kept first is active where nothing was, and keys are what is answered
    failures = _copy(session, keys) if keys is not None else []
    for each in found:
        for moved in move(session, each.path):
            what = "Moved" if moved.is_new else "Already here:"
            say(f"{what} {moved.label!r} from {each.path}, where it is no longer.")
    if failures:
        raise failures[0]


def _nothing(settings: str = "") -> QwenError:
    return QwenError(
        f"Neither the qwen CLI nor an older tool has a sign-in or an API key here.{settings}",
        hint="Run `qwen-portal login`, or name a file: `qwen-portal import FILE`.",
    )


def _find_keys(file: Path | None) -> KeyFile | None:
    try:
        return find_keys(file)
    except QwenError as exc:
        if file is not None:
            raise
        # the person did not name it
        say(f"Passed over: {exc.message}")
        return None


def _tell(accounts: Accounts, keys: KeyFile | None, found: list[SignInFile]) -> bool:
    """Say what was found and what is to become of it; return whether any of it is new here."""
    has_new = False
    if keys is not None:
        say(f"{keys.path}:")
        for key in keys.keys:
            here = account_of(accounts, key)
            has_new |= here is None
            say(f"  {_describe_key(key, here)}")
    for each in found:
        say(f"{each.path}:")
        for planned in moves(accounts, each):
            has_new |= planned.is_new
            say(f"  {_describe(planned)}")
    return has_new


def _copy(session: Session, file: KeyFile) -> list[QwenError]:
    """Copy the keys that can be copied; return what kept the others from it, all but the first told."""
    failures = list[QwenError]()
    for key in file.keys:
        here = account_of(session.accounts, key)
        if here is not None:
            say(f"Already here: {key.name} is account {here!r}.")
            continue
        try:
            kept = copy_key(session, key)
        except QwenError as exc:
            say(f"{key.name} was not copied.")
            if failures:
                tell(exc)
            failures.append(exc)
            continue
        tried = f"The key could not be tried: {kept.untried}" if kept.untried else "Its service takes the key."
        say(f"Copied {key.name} as account {kept.label!r}, plan {kept.plan}. {tried}")
    return failures


def _describe_key(key: CliKey, here: str | None) -> str:
    if here is not None:
        return f"{key.name}, the key that is account {here!r} here already"
    plans = " or ".join(key.plans) or "a plan that is not known"
    which = f"of {plans}" if len(key.plans) == 1 else f"of {plans}, which are asked in turn"
    return f"{key.name}, a key {which}; to be copied here"


def _describe(planned: Move) -> str:
    if planned.is_new:
        return f"a sign-in, to be kept here as account {planned.label!r} and removed there"
    return f"the sign-in that is account {planned.label!r} here already, to be removed there"


def _ask(what: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask whether to do this: use --yes.")
    click.confirm(f"{what}?", abort=True, err=True)
