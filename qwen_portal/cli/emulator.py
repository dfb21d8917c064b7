"""``qwen-portal emulator``."""

import click

from qwen_portal.cli.completion import complete_scenario
from qwen_portal.errors import QwenError


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="TCP port; 0, the default, picks a free one.")
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    shell_complete=complete_scenario,
    metavar="NAME",
    help="Misbehave so; may be given repeatedly.",
)
@click.option(
    "--auto-approve/--no-auto-approve",
    default=True,
    show_default=True,
    help="Whether a device code approves itself, or a person clicks its page.",
)
def command(port: int, scenarios: tuple[str, ...], *, auto_approve: bool) -> None:
    """Run the service's emulator on this machine; no account needed.

    Its first line on stdout is {"url": …}. Point QWEN_PORTAL_OAUTH_URL at that address, sign in, and chat. An unknown
    scenario name lists those there are.
    """
    try:
        from qwen_portal.emulator import UnknownScenarioError, serve
    except ModuleNotFoundError as exc:
        raise QwenError(
            f"The emulator needs {exc.name or 'a package'}, which is not installed.",
            hint='Run: pip install "qwen-portal[emulator]"',
        ) from None
    try:
        serve(port, scenarios, auto_approve=auto_approve)
    except UnknownScenarioError as exc:
        raise click.UsageError(str(exc)) from None
    except OSError as exc:
        raise QwenError(
            f"The emulator could not listen on port {port}: {exc.strerror or exc}.", hint="Choose another --port."
        ) from None
