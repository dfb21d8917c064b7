"""``qwen-portal import``."""

import sys
from pathlib import Path

import click

from qwen_portal.session import Session
from qwen_portal.sign_in.importing import Move, find, move, moves


@click.command("import")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(file: Path | None, *, yes: bool) -> None:
    """Move the sign-in of the qwen CLI, or of an older tool, here.

    FILE is a JSON file with access_token, refresh_token and expiry_date, or opencode's oauth_accounts.json. Without it,
    the files of the qwen CLI and of opencode's plug-in. The sign-in is moved, not copied: each refresh ends all copies
    but one, so the other program has to sign in again. To share one with the qwen CLI, set QWEN_PORTAL_STORE=qwen-cli.
    """
    session = Session()
    found = find(session, file)
    for each in found:
        click.echo(f"{each.path}:", err=True)
        for planned in moves(session.accounts, each):
            click.echo(f"  {_describe(planned)}", err=True)
    if not yes:
        _ask()
    for each in found:
        for moved in move(session, each.path):
            what = "Moved" if moved.is_new else "Already here:"
            click.echo(f"{what} {moved.label!r} from {each.path}, where it is no longer.", err=True)


def _describe(planned: Move) -> str:
    if planned.is_new:
        return f"a sign-in, to be kept here as account {planned.label!r} and removed there"
    return f"the sign-in that is account {planned.label!r} here already, to be removed there"


def _ask() -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask whether to move this: use --yes.")
    click.confirm("Move?", abort=True, err=True)
