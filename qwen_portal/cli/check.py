"""``qwen-portal check``: one small request per account and model."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from qwen_portal.account.record import Account, require_usable
from qwen_portal.auth import PortalAuth
from qwen_portal.cli.completion import complete_model
from qwen_portal.cli.hints import hint_of
from qwen_portal.cli.offered import offered
from qwen_portal.cli.table import table
from qwen_portal.cli.talk import say
from qwen_portal.errors import (
    QwenConnectionError,
    QwenError,
    QwenHostNotAllowedError,
    QwenModelNotFoundError,
    QwenOAuthError,
    QwenPlanNotForProgramsError,
    QwenQuotaExceededError,
    QwenRefreshTokenInvalidError,
    QwenServiceEndedError,
    QwenStoreError,
    QwenTokenExpiredError,
    QwenTokenNotAvailableError,
)
from qwen_portal.http.exchange import Exchange
from qwen_portal.http.transport import send
from qwen_portal.requests.chat_request import RequestBuilder
from qwen_portal.service.models import CATALOGUE, known_ids, model_id
from qwen_portal.session import Session

OK, NOT_OFFERED, NOT_ASKED = "ok", "not offered", "not asked"
# What keeps an account from asking at all keeps it from asking for the next model.
_OF_THE_ACCOUNT = (
    QwenHostNotAllowedError,
    QwenOAuthError,
    QwenPlanNotForProgramsError,
    QwenRefreshTokenInvalidError,
    QwenServiceEndedError,
    QwenStoreError,
    QwenTokenExpiredError,
    QwenTokenNotAvailableError,
)
_KINDS_OF_THE_ACCOUNT = {"firewall", "key"}
# For an answer of a few words, retries included.
_SECONDS = 60.0
_RETRIES = 2


class _Check(NamedTuple):
    account: str
    model: str
    result: str
    seconds: float
    message: str


@click.command()
@click.option(
    "-m", "--model", "models", multiple=True, shell_complete=complete_model, help="Model id; may be given repeatedly."
)
@click.option("--json", "as_json", is_flag=True, help='Print {"checks": […]}.')
@click.pass_context
def command(ctx: click.Context, models: tuple[str, ...], *, as_json: bool) -> None:
    """Ask each account for each known model; one small request per model.

    Known are the two ids, and what the account's service lists and the catalogue has.

    The result is ok, not offered, quota or error; or not asked, where the account itself cannot ask, as its first row
    says. What is found changes nothing: no account is left alone because of it, and each is asked, in its cool-down
    too. The exit code is 1 if coder-model, vision-model or a model that -m names fails; what else there is differs.
    """
    named = list(dict.fromkeys(model_id(name.strip()) for name in models))
    if "" in named:
        raise click.BadParameter("a model needs a name.", ctx=ctx, param_hint="'-m'")
    session = Session()
    # nobody signed in: the same error as for a chat
    accounts = session.list() or [session.choose()]
    pairs = [(account, model) for account in accounts for model in named or _known(session, account)]
    checks: list[_Check] = []
    try:
        with click.progressbar(
            _checks(session, pairs), length=len(pairs), label="Checking", file=sys.stderr, width=0
        ) as bar:
            checks.extend(bar)
    finally:
        # after Ctrl-C, too, what was found until then
        _print(checks, as_json=as_json)
    if named:
        _tell_offers(session, [check.account for check in checks if check.result == NOT_OFFERED])
    if any(check.model in (named or CATALOGUE) and check.result != OK for check in checks):
        ctx.exit(1)


def _known(session: Session, account: Account) -> list[str]:
    """Return what is worth asking an account for; a service's list has models that do not chat, too."""
    listed = [model for model in _listed(session, account) or () if model in known_ids()]
    return list(dict.fromkeys((*CATALOGUE, *listed)))


def _listed(session: Session, account: Account) -> list[str] | None:
    """Return what the account's service lists; ``None``, told, if there is no list to be had."""
    try:
        host, listed = offered(session, account)
    except QwenError as exc:
        # the row of its first model says so
        if not _is_of_the_account(exc):
            say(f"{account.label}: no list of models: {exc.message}")
        return None
    if listed is None:
        say(f"{account.label}: no list of models, as {host} publishes none.")
    return listed


def _tell_offers(session: Session, labels: list[str]) -> None:
    """Say which models there are, to whoever named one that there is not."""
    for account in session.list():
        if account.label in labels:
            listed = _listed(session, account)
            whose = "its service lists" if listed is not None else "the catalogue has"
            models = ", ".join(dict.fromkeys((*CATALOGUE, *(known_ids() if listed is None else listed))))
            say(f"{account.label}: {whose} {models}.")


def _print(checks: list[_Check], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"checks": [check._asdict() for check in checks]}))
    else:
        rows = [(c.account, c.model, c.result, f"{c.seconds:.1f} s", c.message) for c in checks]
        click.echo(table(("ACCOUNT", "MODEL", "RESULT", "TIME", "WHY"), rows))


def _checks(session: Session, pairs: list[tuple[Account, str]]) -> Iterator[_Check]:
    silent = set[str]()
    for account, model in pairs:
        if account.label in silent:
            yield _Check(account.label, model, NOT_ASKED, 0.0, "")
            continue
        started = time.monotonic()
        result, message = OK, ""
        try:
            _ask(session, account, model)
        except QwenError as exc:
            result, message = _outcome(exc)
            if _is_of_the_account(exc):
                silent.add(account.label)
        yield _Check(account.label, model, result, round(time.monotonic() - started, 3), message)


def _ask(session: Session, account: Account, model: str) -> None:
    """Ask for a word; past the client, which would note a quota that is used up.

    Raises:
        QwenError: There was no answer.
    """
    question: list[dict[str, Any]] = [{"role": "user", "content": "Answer with: ok"}]
    builder = RequestBuilder(session.settings, session.warned)
    credential = session.tokens.get(require_usable(account))
    request = builder.chat(credential, question, model=model, stream=False, params={"max_tokens": 16})
    auth = PortalAuth(account.label, session=session, ready=(account, credential))
    send(Exchange(request, auth, _SECONDS, _RETRIES, account, recorder=session.recorder))


def _outcome(error: QwenError) -> tuple[str, str]:
    """Return the result, and what there is to say about it."""
    if isinstance(error, QwenModelNotFoundError):
        return NOT_OFFERED, error.message
    if isinstance(error, QwenQuotaExceededError):
        return "quota", error.message
    return "error", f"{error.message} {hint_of(error)}".rstrip()


def _is_of_the_account(error: QwenError) -> bool:
    unreached = isinstance(error, QwenConnectionError) and not error.sent
    return unreached or isinstance(error, _OF_THE_ACCOUNT) or error.kind in _KINDS_OF_THE_ACCOUNT
