"""Options that would have no effect: wrong usage, rather than passed over in silence."""

from collections.abc import Container

import click
from click.core import ParameterSource


def refuse(ctx: click.Context, names: Container[str], why: str) -> None:
    """Refuse options that were given although they mean nothing here.

    Args:
        ctx: The command's context.
        names: The parameters, as the command's function calls them.
        why: When they mean nothing, such as ``"with an API key"``.

    Raises:
        click.UsageError: One of them was given.
    """
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name in names and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} has no effect {why}.")
