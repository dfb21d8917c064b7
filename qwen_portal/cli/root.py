"""The commands, and what ``qwen-portal --help`` says of them."""

import click

from qwen_portal._version import __version__
from qwen_portal.cli.group import LazyGroup

# What --help says of each command, so that it need not import any; the command's own help begins with the same line.
_COMMANDS = {
    "login": "Sign in, or keep an API key.",
    "logout": "Remove a sign-in or key from this machine.",
    "accounts": "List the accounts, choose one, remove one; say who steps in when a quota is used up.",
    "import": "Move the sign-in of the qwen CLI, or of an older tool, here; copy the CLI's API keys.",
    "status": "Show who is signed in and how long the tokens last.",
    "token": "Print a valid access token, nothing else.",
    "models": "List the models, as they are on your plan.",
    "check": "Ask each account for each known model; one small request per model.",
    "usage": "Show what was used on this machine.",
    "chat": "Ask a model; the answer goes to stdout.",
    "doctor": "Look for what is wrong on this machine, and say what mends it.",
    "proxy": "Run a LiteLLM proxy, so that any OpenAI or Anthropic client can use your account.",
    "emulator": "Run the service's emulator on this machine; no account needed.",
    "demo": "Sign in, then ask through LangChain and LiteLLM, all on this machine; no account needed.",
}
_OTHER_WORDS = {
    "signin": "login",
    "auth": "login",
    "signout": "logout",
    "whoami": "status",
    "serve": "proxy",
    "ask": "chat",
}
_EPILOG = (
    "Exit codes: 0 ok, 1 error, 2 usage or cancelled, 3 keyring unavailable or locked, 4 sign-in needed, "
    "5 quota or rate limit, 6 network.\n\n"
    "Completion, for the shell's start-up file (or zsh_source, fish_source):\n\n"
    '\b\neval "$(_QWEN_PORTAL_COMPLETE=bash_source qwen-portal)"'
)


@click.group(
    cls=LazyGroup,
    package="qwen_portal.cli",
    lazy=_COMMANDS,
    other_words=_OTHER_WORDS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", prog_name="qwen-portal")
def cli() -> None:
    """Sign in to Qwen once, then use its models from the command line, LangChain and LiteLLM."""
