"""``qwen-portal login``."""

import json
import os
import re
import sys
from dataclasses import asdict

import click

from qwen_portal.account.record import DEFAULT_LABEL
from qwen_portal.cli.completion import complete_label, complete_plan
from qwen_portal.cli.options import refuse
from qwen_portal.cli.plan_menu import ask_plan
from qwen_portal.cli.talk import say
from qwen_portal.errors import QwenError
from qwen_portal.secrets import Secret
from qwen_portal.service.plans import KEY_PLANS, OAUTH
from qwen_portal.session import Session
from qwen_portal.settings import Settings, load_settings
from qwen_portal.sign_in.device_flow import LoginEvent, Show, sign_in
from qwen_portal.sign_in.display import default_display
from qwen_portal.sign_in.key_login import add_key, check_ready

# A name that is repeated in a message: keys have small letters or hyphens.
_NAME = r"[A-Z_][A-Z0-9_]{0,63}"


@click.command()
@click.argument("account", required=False, shell_complete=complete_label)
@click.option(
    "--plan",
    shell_complete=complete_plan,
    help=f"oauth is the device sign-in. Plans that take an API key: {', '.join(KEY_PLANS)}, or an https URL. Without "
    "it a terminal shows a menu, and elsewhere it is oauth.",
)
@click.option("--api-key-stdin", is_flag=True, help="Read the plan's API key from stdin instead of asking for it.")
@click.option(
    "--api-key-env", metavar="NAME", help="Take the plan's API key from the environment variable of this name."
)
@click.option("--no-check", is_flag=True, help="Do not ask the plan's service whether it takes the key.")
@click.option("--force", is_flag=True, help="Keep a key that the service refuses, too.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser; the address is printed in any case.")
@click.option("--no-qr", is_flag=True, help="Do not draw the address as a QR code.")
@click.option(
    "--insecure-storage",
    is_flag=True,
    help="Keep the sign-in in a plain file that only you can read, not in the keyring.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    account: str | None,
    plan: str | None,
    *,
    api_key_stdin: bool,
    api_key_env: str | None,
    no_check: bool,
    force: bool,
    no_browser: bool,
    no_qr: bool,
    insecure_storage: bool,
    as_json: bool,
) -> None:
    """Sign in, or keep an API key.

    ACCOUNT is the label to keep it under, "default" if not given; that account becomes the active one. Without --plan
    a terminal shows the plans to choose from. For all but oauth the plan's API key is asked for there, or read with
    --api-key-stdin or --api-key-env.

    The plan's service is then asked, with one small request, whether it takes the key. A key that it refuses is not
    kept (exit code 4); one that could not be tried is.
    """
    if plan is None:
        is_said = as_json or api_key_stdin or api_key_env is not None or no_browser or no_qr
        plan = OAUTH if is_said or not _is_terminal() else ask_plan(_plan_of(account))
    _check_usage(ctx, plan, from_stdin=api_key_stdin, variable=api_key_env)
    screen = None if as_json else default_display(open_browser=False if no_browser else None, qr=not no_qr)
    events = _Events(screen)
    try:
        session = Session(_settings(insecure_storage=insecure_storage))
        if plan == OAUTH:
            sign_in(session, account, show=events)
        else:
            # nobody should type a key before learning that it cannot be kept
            check_ready(session, account, plan)
            key = _api_key(plan, from_stdin=api_key_stdin, variable=api_key_env)
            add_key(session, account, plan=plan, api_key=key, show=events, check=not no_check, force=force)
    except QwenError as exc:
        events.failed(str(exc))
        raise
    except (KeyboardInterrupt, click.Abort):
        events.failed("Cancelled.")
        raise
    if session.settings.api_key is not None:
        say("QWEN_PORTAL_API_KEY is set, and its key is used before this account.")


def _is_terminal() -> bool:
    """Tell whether somebody sees a question, and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _plan_of(label: str | None) -> str | None:
    """Return the plan of an account that is here: whoever signs in again most likely means it."""
    known = {each.label: each.plan.name for each in Session().accounts.list() if each.unavailable_reason is None}
    return known.get(label or DEFAULT_LABEL)


class _Events:
    """Shows the events on a screen, or without one prints them for a program: then every failure is an event too."""

    def __init__(self, screen: Show | None) -> None:
        self._screen = screen
        self._has_failed = False

    def __call__(self, event: LoginEvent) -> None:
        self._has_failed = event.kind == "error"
        if self._screen is not None:
            self._screen(event)
        else:
            click.echo(json.dumps({name: value for name, value in asdict(event).items() if value}))

    def failed(self, message: str) -> None:
        """Report a failure that was no event."""
        if not self._has_failed:
            self(LoginEvent("error", message=message))


def _check_usage(ctx: click.Context, plan: str, *, from_stdin: bool, variable: str | None) -> None:
    """Refuse options that do not go together.

    Raises:
        click.UsageError: There is a key for the device sign-in, more than one key, or an option that means nothing for
            this plan.
    """
    if plan == OAUTH and (from_stdin or variable is not None):
        option = "--api-key-stdin" if from_stdin else "--api-key-env"
        raise click.UsageError(f"{option} needs --plan: {', '.join(KEY_PLANS)}, or an https URL.")
    if plan == OAUTH:
        refuse(ctx, {"no_check", "force"}, "for the device sign-in: it is about an API key, which needs --plan")
    else:
        refuse(ctx, {"no_browser", "no_qr"}, "with an API key, which is kept without a browser")
    if from_stdin and variable is not None:
        raise click.UsageError("Take the key from --api-key-stdin or --api-key-env, not both.")


def _api_key(plan: str, *, from_stdin: bool, variable: str | None) -> Secret:
    """Read the key of a plan; it never comes from the command line, where other users see it.

    Raises:
        click.UsageError: There is none, and no terminal to ask.
    """
    if variable is not None:
        return _from_variable(variable)
    if sys.stdin.isatty():
        return Secret(click.prompt(f"API key of the plan {plan}", hide_input=True, err=True).strip())
    if from_stdin:
        return Secret(sys.stdin.readline().strip())
    raise click.UsageError("There is no terminal to ask for the API key: use --api-key-stdin or --api-key-env.")


def _from_variable(name: str) -> Secret:
    """Read the key from a variable; what is given as a name may be the key itself, and is not repeated then."""
    if os.environ.get(name, "").strip():
        return Secret(os.environ[name].strip())
    if re.fullmatch(_NAME, name):
        raise click.UsageError(f"The variable {name}, which --api-key-env names, is not set, or empty.")
    raise click.UsageError(
        "--api-key-env takes the name of a variable, such as DASHSCOPE_API_KEY, not the key itself: a command line is "
        "seen by other users. If that was a key, make a new one."
    )


def _settings(*, insecure_storage: bool) -> Settings:
    settings = load_settings()
    # a file that QWEN_PORTAL_STORE names is a plain file as well, and where later commands look
    is_file = settings.store.partition(":")[0] == "file"
    return load_settings(store="file") if insecure_storage and not is_file else settings
