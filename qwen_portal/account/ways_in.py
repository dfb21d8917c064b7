"""Ways in for somebody who is not signed in: the commands for what this machine has already.

Nothing is taken here: each command is one that a person runs.
"""

import os
from collections.abc import Callable
from pathlib import Path

from qwen_portal.account.cli_keys import read_cli_keys
from qwen_portal.errors import QwenError
from qwen_portal.secrets import Secret
from qwen_portal.service.plans import PLANS, plans_for_programs, plans_of_key, terms_of
from qwen_portal.storage.foreign_paths import foreign_sign_in, qwen_cli_settings

_VARIABLE = "DASHSCOPE_API_KEY"
# The plans that are named as an example, where the variable's key may be of one.
_USUAL = ("studio-intl", "token-intl")


def hint_to_sign_in(is_own: Callable[[Path], bool]) -> str | None:
    """Name the commands for the keys and sign-ins that other programs have here, if there are any.

    Args:
        is_own: Tells whether a file is one in which ours keeps its accounts.
    """
    plans = _plans_of_variable()
    keys = [way for way in (_for_variable(plans), _for_cli_keys()) if way is not None]
    sign_in = foreign_sign_in(is_own)
    if sign_in is not None:
        # a sign-in of the free tier may be here for years, and helps nobody who only has that
        keys = keys or ["`qwen-portal login`"]
        keys.append(f"`qwen-portal import` to move the sign-in in {sign_in} here")
    return f"Run {', or '.join(keys)}. {terms_of(plans)}".rstrip() if keys else None


def _plans_of_variable() -> list[str]:
    """Return the plans that the variable's key may be of, the one to propose first; none if it is not set."""
    key = Secret(os.environ.get(_VARIABLE, "").strip())
    if not key:
        return []
    plans = plans_of_key(key, PLANS[_USUAL[0]]) or plans_for_programs()
    return sorted(plans, key=lambda plan: plan not in _USUAL)


def _for_variable(plans: list[str]) -> str | None:
    if not plans:
        return None
    first, *others = plans
    command = f"`qwen-portal login --plan {first} --api-key-env {_VARIABLE}`"
    return f"{command} to keep the key in that variable (its plan may be another: {', '.join(others)})"


def _for_cli_keys() -> str | None:
    path = qwen_cli_settings()
    try:
        found = read_cli_keys(path) if path.is_file() else []
    except QwenError:
        return None
    return f"`qwen-portal import` to copy the API keys in {path} here" if found else None
