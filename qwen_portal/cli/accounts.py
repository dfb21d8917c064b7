"""``qwen-portal accounts``."""

import click

from qwen_portal.cli.logout import remove as remove_account
from qwen_portal.cli.table import account_in_use, table
from qwen_portal.session import Session


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the accounts, choose one, remove one.

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


def _list() -> None:
    session = Session()
    accounts, in_use = session.list(), account_in_use(session)
    if not accounts:
        click.echo("Nobody is signed in. Run `qwen-portal login`.", err=True)
        return
    rows = [("*" if a.label == in_use else "", a.label, a.kind, a.plan.name, a.store) for a in accounts]
    click.echo(table(("", "ACCOUNT", "KIND", "PLAN", "STORE"), rows))
