"""``qwen-portal models``."""

import json

import click

from qwen_portal.cli.table import table
from qwen_portal.client import PortalClient


@click.command()
@click.option("--json", "as_json", is_flag=True, help='Print {"models": […]}.')
def command(*, as_json: bool) -> None:
    """List the models, as they are on your plan.

    No request is made. Other ids than these are sent to the service as they are.
    """
    models = PortalClient().models()
    if as_json:
        click.echo(json.dumps({"models": models}))
        return
    rows = [
        (
            model["id"],
            model["name"],
            f"{model['context']:,}",
            f"{model['max_output']:,}",
            ", ".join(model["inputs"]),
            "yes" if model["thinking"] else "no",
        )
        for model in models
    ]
    click.echo(table(("MODEL", "SENT AS", "CONTEXT", "OUTPUT", "INPUT", "THINKING"), rows))
