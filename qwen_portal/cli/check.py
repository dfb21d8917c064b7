"""``qwen-portal check``: one small request per account and model."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from qwen_portal.account import Account
from qwen_portal.cli.table import table
from qwen_portal.client import PortalClient
from qwen_portal.errors import QwenError, QwenModelNotFoundError, QwenQuotaExceededError
from qwen_portal.models import CATALOGUE, KNOWN, model_id
from qwen_portal.session import Session

OK = "ok"


class _Check(NamedTuple):
    account: str
    model: str
    result: str
    seconds: float
    message: str


@click.command()
@click.option(
    "-m", "--model", "models", multiple=True, help="Model id; may be given repeatedly. Default: all known ones."
)
@click.option("--json", "as_json", is_flag=True, help='Print {"checks": […]}.')
@click.pass_context
def command(ctx: click.Context, models: tuple[str, ...], *, as_json: bool) -> None:
    """Ask each account for each known model; one small request per model.

    The result is ok, not offered, quota or error. An account whose quota is used up is not asked until its cool-down is
    over. The exit code is 1 if coder-model or vision-model fails; what else a plan offers differs.
    """
    session = Session()
    # nobody signed in: the same error as for a chat
    session.choose()
    wanted = [model_id(name) for name in models] or list(KNOWN)
    pairs = [(account, model) for account in session.list() for model in wanted]
    with click.progressbar(_checks(pairs), length=len(pairs), label="Checking", file=sys.stderr) as bar:
        checks = list(bar)
    if as_json:
        click.echo(json.dumps({"checks": [check._asdict() for check in checks]}))
    else:
        rows = [(c.account, c.model, c.result, f"{c.seconds:.1f} s", c.message) for c in checks]
        click.echo(table(("ACCOUNT", "MODEL", "RESULT", "TIME", "WHY"), rows))
    if any(check.model in CATALOGUE and check.result != OK for check in checks):
        ctx.exit(1)


def _checks(pairs: list[tuple[Account, str]]) -> Iterator[_Check]:
    for account, model in pairs:
        started = time.monotonic()
        result, message = _ask(account, model)
        yield _Check(account.label, model, result, round(time.monotonic() - started, 3), message)


def _ask(account: Account, model: str) -> tuple[str, str]:
    """Return the result and, if it is not ok, why."""
    question: list[dict[str, Any]] = [{"role": "user", "content": "Answer with: ok"}]
    try:
        PortalClient(account=account.label, on_quota="error").chat(question, model=model, max_tokens=16)
    except QwenModelNotFoundError as exc:
        return "not offered", exc.message
    except QwenQuotaExceededError as exc:
        return "quota", exc.message
    except QwenError as exc:
        return "error", str(exc)
    return OK, ""
