"""Paths of the sign-ins that other programs keep on this machine; nothing is read here, so asking costs almost nothing.

Sources: docs/protocol.md, "Sign-in files of other programs".
"""

import os
from collections.abc import Callable
from pathlib import Path


def qwen_cli_file() -> Path:
    """Return where the qwen CLI keeps its sign-in: in QWEN_HOME, else in ``~/.qwen``."""
    folder = os.environ.get("QWEN_HOME", "").strip() or "~/.qwen"
    return _home(folder) / "oauth_creds.json"


def usual_files() -> list[Path]:
    """Return the files of the qwen CLI and of older tools that are here."""
    places = [
        qwen_cli_file(),
        _home("~/.opencode/qwen/oauth_token.json"),
        _home("~/.qwen/oauth_accounts.json"),
    ]
    return [path for path in places if path.is_file()]


def hint_to_import(is_own: Callable[[Path], bool]) -> str | None:
    """Name the command for what another program has, if there is such a thing.

    Args:
        is_own: Tells whether a file is one in which ours keeps its accounts.
    """
    path = next((path for path in usual_files() if not is_own(path)), None)
    if path is None:
        return None
    return f"Run `qwen-portal login`, or `qwen-portal import` to move the sign-in in {path} here."


def _home(path: str) -> Path:
    # not Path.expanduser, which raises where there is no home
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111
