"""``qwen-portal models``."""

import json
from typing import Any

import click

from qwen_portal.cli.offered import offered
from qwen_portal.cli.table import table
from qwen_portal.client import PortalClient
from qwen_portal.service.models import CATALOGUE, described, known_ids
from qwen_portal.session import Session


@click.command()
@click.option("--remote", is_flag=True, help="Ask your plan's service which models it offers.")
@click.option("--json", "as_json", is_flag=True, help='Print {"models": […]}.')
def command(*, remote: bool, as_json: bool) -> None:
    """List the models, as they are on your plan.

    Without --remote no request is made. With it the service's own list follows the two ids, with what the catalogue
    knows of each; of a service that publishes none, the catalogue's ids. Other ids are sent to the service as they are.
    """
    models = _offered() if remote else PortalClient().models()
    if as_json:
        click.echo(json.dumps({"models": models}))
        return
    heads = ("MODEL", "SENT AS", "CONTEXT", "OUTPUT", "INPUT", "THINKING", *(("OFFERED",) if remote else ()))
    click.echo(table(heads, [_row(model) for model in models]))


def _offered() -> list[dict[str, Any]]:
    """Return the two ids and what the service of the account in use lists, each with whether it is listed."""
    session = Session()
    account = session.choose()
    offer = offered(session, account)
    if offer.ids is None:
        click.echo(
            f"{offer.host} publishes no list of models. These are the catalogue's, whether it offers them or not; "
            "`qwen-portal check -m MODEL` asks it for one.",
            err=True,
        )
    ids = known_ids() if offer.ids is None else offer.ids
    rows = [described(account.plan, model) for model in dict.fromkeys((*CATALOGUE, *ids))]
    return [{**row, "offered": None if offer.ids is None else row["name"] in offer.ids} for row in rows]


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    cells = (
        model["id"],
        model["name"],
        _number(model["context"]),
        _number(model["max_output"]),
        ", ".join(model["inputs"]) or "?",
        _word(model["thinking"]),
    )
    return (*cells, _word(model["offered"])) if "offered" in model else cells


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _word(value: object) -> str:
    return "?" if value is None else "yes" if value else "no"
