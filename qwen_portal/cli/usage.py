"""``qwen-portal usage``: what was used on this machine, added up from the ledger."""

import json
import math
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import click

from qwen_portal.cli.options import refuse
from qwen_portal.cli.prices import Prices, read_prices
from qwen_portal.cli.table import table
from qwen_portal.cli.talk import say
from qwen_portal.secrets import printable
from qwen_portal.settings import load_settings
from qwen_portal.storage.usage_ledger import GROUPINGS, Grouping, Total, UsageLedger, days_ago

_SUMS = ("requests", "failed", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
_HEADS = ("REQUESTS", "FAILED", "PROMPT", "COMPLETION", "CACHED", "REASONING")
_QWEN_COMMAND = "(qwen command)"
_SWITCH_ON = "`qwen-portal usage --on` switches it on."


@click.command()
@click.option("--days", type=click.IntRange(1, 36_500), default=7, show_default=True, help="How far back.")
@click.option("--by", type=click.Choice(GROUPINGS), default="model", show_default=True, help="What to add up by.")
@click.option(
    "--prices",
    type=click.Path(path_type=Path),
    help='Also say what it cost: a JSON file, {"MODEL": {"input": …, "output": …, "cached": …}} for a million tokens.',
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--on/--off", "switch", default=None, help="Begin to count, or end it; what was counted stays.")
@click.pass_context
def command(
    ctx: click.Context, days: int, by: Grouping, prices: Path | None, *, as_json: bool, switch: bool | None
) -> None:
    """Show what was used on this machine.

    The service tells nobody, so each request of this package is counted here once that is switched on: account, plan,
    model, tokens, time and outcome, nothing of its content. What OpenAI's own SDK or another program sends is not.
    """
    if switch is not None:
        refuse(ctx, {"days", "by", "prices", "as_json"}, "with --on or --off, which add nothing up")
    ledger = UsageLedger(load_settings().home)
    if switch is not None:
        ledger.switch(on=switch)
        say(f"What is used from now on is {'counted' if switch else 'not counted'}.")
        return
    known = None if prices is None else read_prices(prices)
    totals = ledger.totals(days_ago(days), by)
    groups = [(key, _added(list(parts), known)) for key, parts in groupby(totals, key=attrgetter("group"))]
    everything = _added(totals, known)
    if as_json:
        rows = [{by: key, **added} for key, added in groups]
        click.echo(json.dumps({"on": ledger.is_on(), "days": days, "by": by, "rows": rows, "total": everything}))
    elif totals:
        click.echo(_table(by, groups, everything))
    _talk(ledger, totals, known)


def _added(totals: list[Total], prices: Prices | None) -> dict[str, Any]:
    """Add up; the cost is ``None`` if there are tokens of a model that has no price."""
    added: dict[str, Any] = {name: sum(getattr(total, name) for total in totals) for name in _SUMS}
    if prices is None:
        return added
    cost = math.fsum(prices[total.model].cost(total) for total in totals if total.model in prices)
    return {**added, "cost": None if _without_price(totals, prices) else cost}


def _without_price(totals: Iterable[Total], prices: Prices) -> list[str]:
    """Return the models that have tokens and no price."""
    return sorted({t.model for t in totals if t.prompt_tokens + t.completion_tokens and t.model not in prices})


def _table(by: Grouping, groups: list[tuple[str | None, dict[str, Any]]], everything: dict[str, Any]) -> str:
    head = (by.upper(), *_HEADS, *(("COST",) if "cost" in everything else ()))
    # labels and names of models come from outside
    lines = [(_QWEN_COMMAND if key is None else printable(key, limit=60), *_cells(added)) for key, added in groups]
    return table(head, [*lines, ("total", *_cells(everything))])


def _cells(added: dict[str, Any]) -> list[str]:
    cells = [f"{added[name]:,}" for name in _SUMS]
    if "cost" in added:
        cells.append("?" if added["cost"] is None else f"{added['cost']:,.4f}")
    return cells


def _talk(ledger: UsageLedger, totals: list[Total], prices: Prices | None) -> None:
    if not totals:
        say("Nothing was counted in that time.")
    if not ledger.is_on():
        say(f"What is used now is not counted; {_SWITCH_ON}")
    unknown = _without_price(totals, prices) if prices is not None else []
    if unknown:
        say(f"No price is given for {', '.join(printable(name, limit=60) for name in unknown)}.")
