"""``qwen-portal token``."""

import click

from qwen_portal.api import get_access_token
from qwen_portal.cli.completion import complete_label


@click.command()
@click.argument("account", required=False, shell_complete=complete_label)
@click.option("--refresh", is_flag=True, help="Renew the token first, even if it still serves.")
def command(account: str | None, *, refresh: bool) -> None:
    """Print a valid access token, nothing else.

    An expired token is renewed first. For an account with an API key, that key is printed.
    """
    click.echo(get_access_token(account, force_refresh=refresh))
