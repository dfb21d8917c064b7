"""``qwen-portal models``."""

import json
from typing import Any

import click

from qwen_portal.cli.completion import complete_plan
from qwen_portal.cli.offered import offered
from qwen_portal.cli.table import table
from qwen_portal.cli.talk import say
from qwen_portal.client import PortalClient
from qwen_portal.service.embeddings import EMBEDDING_MODELS
from qwen_portal.service.models import CATALOGUE, described, known_ids
from qwen_portal.service.plans import Plan, find_plan
from qwen_portal.session import Session

_MILLION = 1_000_000


@click.command()
@click.option("--all", "every", is_flag=True, help="Every model that the catalogue knows, wherever it is offered.")
@click.option(
    "--plan", "name", metavar="PLAN", shell_complete=complete_plan, help="As they are on this plan instead of yours."
)
@click.option("--remote", is_flag=True, help="Ask your plan's service which models it offers.")
@click.option("--json", "as_json", is_flag=True, help='Print {"plan": …, "models": […], "embeddings": […]}.')
def command(*, every: bool, name: str | None, remote: bool, as_json: bool) -> None:
    """List the models, as they are on your plan.

    Without --remote no request is made. With it the service's own list follows the two ids, with what the catalogue
    knows of each; of a service that publishes none, the catalogue's ids. Other ids are sent to the service as they are.

    WINDOW (the context) and OUTPUT are tokens. THINKS: no; by a switch (enable_thinking); by efforts of its own
    (reasoning_effort), which --json lists; or always. SCHEMA: whether it keeps to a JSON schema. What is not known
    is "?".
    """
    if remote and (name is not None or every):
        raise click.UsageError("--remote asks your own plan's service; leave --plan and --all out.")
    if remote:
        plan, models = _offered()
    else:
        plan = PortalClient().plan() if name is None else find_plan(name)
        models = [described(plan, model) for model in dict.fromkeys((*CATALOGUE, *(known_ids() if every else ())))]
    embedding = list(EMBEDDING_MODELS) if plan.embeddings else []
    if as_json:
        click.echo(json.dumps({"plan": plan.name, "models": models, "embeddings": embedding}))
        return
    heads = ("MODEL", "SENT AS", "WINDOW", "OUTPUT", "INPUT", "THINKS", "SCHEMA", *(("OFFERED",) if remote else ()))
    click.echo(table(heads, [_row(model) for model in models]))
    say(f"Plan {plan.name}: {plan.title}. Embeddings: {', '.join(embedding) or 'none'}.")


def _offered() -> tuple[Plan, list[dict[str, Any]]]:
    """Return the plan in use, and the two ids and what its service lists, each with whether it is listed."""
    session = Session()
    account = session.choose()
    offer = offered(session, account)
    if offer.ids is None:
        say(
            f"{offer.host} publishes no list of models. These are the catalogue's, whether it offers them or not; "
            "`qwen-portal check -m MODEL` asks it for one."
        )
    ids = known_ids() if offer.ids is None else offer.ids
    rows = [described(account.plan, model) for model in dict.fromkeys((*CATALOGUE, *ids))]
    return account.plan, [{**row, "offered": None if offer.ids is None else row["name"] in offer.ids} for row in rows]


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    cells = (
        model["id"],
        model["name"],
        _number(model["context"]),
        _number(model["max_output"]),
        " ".join(model["inputs"]) or "?",
        _thinks(model),
        _word(model["json_schema"]),
    )
    return (*cells, _word(model["offered"])) if "offered" in model else cells


def _number(value: int | None) -> str:
    # with all its digits the column would make the table wider than 80 characters
    return "?" if value is None else "1M" if value == _MILLION else f"{value:,}"


def _thinks(model: dict[str, Any]) -> str:
    words = {None: "?", "never": "no", "always": "always"}
    return words.get(model["thinks"], "efforts" if model["efforts"] else "switch")


def _word(value: object) -> str:
    return "?" if value is None else "yes" if value else "no"
