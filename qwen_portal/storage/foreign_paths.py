"""Paths of the sign-ins that other programs keep on this machine; nothing is read here, so asking costs almost nothing.

Sources: docs/protocol.md, "Sign-in files of other programs".
"""

import os
from collections.abc import Callable
from pathlib import Path


def qwen_cli_file() -> Path:
    """Return where the qwen CLI keeps its sign-in: in QWEN_HOME, else in ``~/.qwen``."""
    return _qwen_home() / "oauth_creds.json"


def qwen_cli_settings() -> Path:
    """Return where the qwen CLI keeps its settings, API keys among them."""
    return _qwen_home() / "settings.json"


def usual_files() -> list[Path]:
    """Return the files of the qwen CLI and of older tools that are here."""
    places = [
        qwen_cli_file(),
        _home("~/.opencode/qwen/oauth_token.json"),
        _home("~/.qwen/oauth_accounts.json"),
    ]
    return [path for path in places if path.is_file()]


def foreign_sign_in(is_own: Callable[[Path], bool]) -> Path | None:
    """Return the file of another program's sign-in, if there is one.

    Args:
        is_own: Tells whether a file is one in which ours keeps its accounts.
    """
    return next((path for path in usual_files() if not is_own(path)), None)


def _qwen_home() -> Path:
    return _home(os.environ.get("QWEN_HOME", "").strip() or "~/.qwen")


def _home(path: str) -> Path:
    # not Path.expanduser, which raises where there is no home
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111
