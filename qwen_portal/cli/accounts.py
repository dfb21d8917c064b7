"""``qwen-portal accounts``."""

import json

import click

from qwen_portal.account.damaged import mark_damaged
from qwen_portal.cli.completion import complete_label
from qwen_portal.cli.group import Group
from qwen_portal.cli.logout import remove as remove_account
from qwen_portal.cli.options import refuse
from qwen_portal.cli.table import account_in_use, account_record, table
from qwen_portal.cli.talk import say
from qwen_portal.session import Session

_as_json = click.option(
    "--json", "as_json", is_flag=True, help='Print {"accounts": […]}, each as `qwen-portal status --json` has it.'
)


@click.group(cls=Group, invoke_without_command=True)
@_as_json
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List the accounts, choose one, remove one; say who steps in when a quota is used up.

    Without a command, list them.
    """
    if ctx.invoked_subcommand is None:
        _list(as_json=as_json)
    else:
        refuse(ctx, {"as_json"}, f"there; write it behind {ctx.invoked_subcommand!r}")


@command.command("list")
@_as_json
def list_accounts(*, as_json: bool) -> None:
    """List the accounts; a star marks the one in use."""
    _list(as_json=as_json)


@command.command()
@click.argument("name", shell_complete=complete_label)
@_as_json
def use(name: str, *, as_json: bool) -> None:
    """Make an account the active one, and forget that its quota was used up."""
    session = Session()
    label = session.accounts.choose(name).label
    session.accounts.use(label)
    say(f"Account {label!r} is the active one.")
    if account_in_use(session) != label:
        variable = "QWEN_PORTAL_ACCOUNT" if session.settings.api_key is None else "QWEN_PORTAL_API_KEY"
        say(f"{variable} is set and comes before it.")
    if as_json:
        _list(as_json=True)


@command.command()
@click.argument("name", shell_complete=complete_label)
@_as_json
def remove(name: str, *, as_json: bool) -> None:
    """Remove an account from this machine, as logout does."""
    remove_account(Session(), name)
    if as_json:
        _list(as_json=True)


@command.command()
@click.option(
    "--mixed/--same-plan",
    "mixed",
    default=None,
    help="Whether accounts of another kind or plan step in too, after those of the same; a free sign-in may then be "
    "followed by a key that costs money.",
)
@click.option("--json", "as_json", is_flag=True, help='Print {"mixed": …, "switches": …} instead of a sentence.')
def rotate(*, mixed: bool | None, as_json: bool) -> None:
    """Say which accounts step in when the quota of the one in use is used up.

    Without an option, show it. A call that names its account never uses another.
    """
    session = Session()
    if mixed is not None:
        session.accounts.allow_mixed(allowed=mixed)
    switches = "switch" in session.settings.on_quota
    if as_json:
        click.echo(json.dumps({"mixed": session.accounts.mixed, "switches": switches}))
        return
    which = "any kind and plan, its own first" if session.accounts.mixed else "its own kind and plan"
    say(f"When an account's quota is used up, accounts of {which} step in.")
    if not switches:
        say("QWEN_PORTAL_ON_QUOTA is set without switch, so none does now.")


def _list(*, as_json: bool) -> None:
    session = Session()
    accounts, in_use = session.list(), account_in_use(session)
    if as_json:
        marked = mark_damaged(session.accounts, accounts)
        click.echo(json.dumps({"accounts": [account_record(account, in_use) for account in marked]}))
        return
    if not accounts:
        say("Nobody is signed in. Run `qwen-portal login`.")
        return
    rows = [("*" if a.label == in_use else "", a.label, a.kind, a.plan.name, a.store) for a in accounts]
    click.echo(table(("", "ACCOUNT", "KIND", "PLAN", "STORE"), rows))
