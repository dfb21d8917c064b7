"""``qwen-portal accounts``."""

import click

from qwen_portal.cli.group import Group
from qwen_portal.cli.logout import remove as remove_account
from qwen_portal.cli.table import account_in_use, table
from qwen_portal.session import Session


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the accounts, choose one, remove one; say who steps in when a quota is used up.

    Without a command, list them.
    """
    if ctx.invoked_subcommand is None:
        _list()


@command.command("list")
def list_accounts() -> None:
    """List the accounts; a star marks the one in use."""
    _list()


@command.command()
@click.argument("name")
def use(name: str) -> None:
    """Make an account the active one, and forget that its quota was used up."""
    session = Session()
    label = session.accounts.choose(name).label
    session.accounts.use(label)
    click.echo(f"Account {label!r} is the active one.", err=True)
    if account_in_use(session) != label:
        variable = "QWEN_PORTAL_ACCOUNT" if session.settings.api_key is None else "QWEN_PORTAL_API_KEY"
        click.echo(f"{variable} is set and comes before it.", err=True)


@command.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove an account from this machine, as logout does."""
    remove_account(Session(), name)


@command.command()
@click.option(
    "--mixed/--same-plan",
    "mixed",
    default=None,
    help="Whether accounts of another kind or plan step in too, after those of the same; a free sign-in may then be "
    "followed by a key that costs money.",
)
def rotate(*, mixed: bool | None) -> None:
    """Say which accounts step in when the quota of the one in use is used up.

    Without an option, show it. A call that names its account never uses another.
    """
    session = Session()
    if mixed is not None:
        session.accounts.allow_mixed(allowed=mixed)
    which = "any kind and plan, its own first" if session.accounts.mixed else "its own kind and plan"
    click.echo(f"When an account's quota is used up, accounts of {which} step in.", err=True)
    if "switch" not in session.settings.on_quota:
        click.echo("QWEN_PORTAL_ON_QUOTA is set without switch, so none does now.", err=True)


def _list() -> None:
    session = Session()
    accounts, in_use = session.list(), account_in_use(session)
    if not accounts:
        click.echo("Nobody is signed in. Run `qwen-portal login`.", err=True)
        return
    rows = [("*" if a.label == in_use else "", a.label, a.kind, a.plan.name, a.store) for a in accounts]
    click.echo(table(("", "ACCOUNT", "KIND", "PLAN", "STORE"), rows))
