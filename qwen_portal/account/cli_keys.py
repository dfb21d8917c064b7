"""The API keys that the qwen CLI keeps in its settings file, and the plans that each may be of.

Source: docs/protocol.md, "Sign-in files of other programs".
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from qwen_portal.account.api_keys import key_plan
from qwen_portal.errors import QwenError, QwenStoreError
from qwen_portal.secrets import Secret
from qwen_portal.service.plans import PLANS, plans_of_key
from qwen_portal.storage.private_files import read_owned
from qwen_portal.untrusted_json import json_object, token


class _Slot(NamedTuple):
    """One of the CLI's names for keys.

    Attributes:
        provider: The CLI's name for the plan.
        plans: The plans that such a key may be of.
    """

    provider: str
    plans: tuple[str, ...]


# Plans that serve programs first: the first key that is copied becomes the active account.
_SLOTS = {
    "DASHSCOPE_API_KEY": _Slot("alibabaStandard", ("studio-intl", "studio", "studio-us", "studio-hk", "qwencloud")),
    "BAILIAN_TOKEN_PLAN_API_KEY": _Slot("token-plan", ("token-intl", "token", "qwencloud-token")),
    "BAILIAN_CODING_PLAN_API_KEY": _Slot("coding-plan", ("coding-intl", "coding")),
}
CLI_KEY_NAMES = tuple(_SLOTS)
LOOK_AROUND = "`qwen-portal import` takes the name of a file, not that of an account; without one it looks around."
# Far above any settings that a person wrote.
_LIMIT = 4 * 1024 * 1024
# The CLI's settings may have comments. A string or a comment that does not end goes to the end of the text.
_STRING_OR_COMMENT = r'("(?:\\.|[^"\\])*(?:"|\\?\Z))|//[^\r\n]*|/\*.*?(?:\*/|\Z)'


class CliKey(NamedTuple):
    """One key.

    Attributes:
        name: What the CLI calls it, such as ``"DASHSCOPE_API_KEY"``.
        key: The key.
        plans: The plans that it may be of, the likeliest first; one where the settings say which.
    """

    name: str
    key: Secret
    plans: tuple[str, ...]


def read_cli_keys(path: Path) -> list[CliKey]:
    """Read the keys in a settings file; none if it holds none.

    Raises:
        QwenError: There is no such file, or it is no JSON object.
        QwenStoreError: It cannot be read.
    """
    settings = _settings(path)
    variables = settings.get("env")
    if not isinstance(variables, dict):
        return []
    found = list[CliKey]()
    for name in _SLOTS:
        key = token(variables.get(name))
        # the CLI takes $NAME for another variable
        if key is not None and "$" not in key:
            secret = Secret(key)
            found.append(CliKey(name, secret, _plans(secret, name, settings)))
    return found


def _settings(path: Path) -> dict[str, Any]:
    # many keep such a file among others of theirs, with a link in its place
    real = path.resolve()
    try:
        size = real.stat().st_size
    except OSError:
        size = 0
    if size > _LIMIT:
        raise QwenStoreError(f"{path} is too large for settings ({size:,} bytes).", hint=f"See what is in {path}.")
    text = read_owned(real)
    if text is None:
        raise QwenError(f"There is no file {path}.", hint=LOOK_AROUND)
    found = json_object(text) or json_object(re.sub(_STRING_OR_COMMENT, _kept, text, flags=re.DOTALL))
    if found is None:
        raise QwenError(f"{path} cannot be read: it is no JSON object.", hint="Mend it, or name another file.")
    return found


def _kept(match: re.Match[str]) -> str:
    return match[1] or " "


def _plans(key: Secret, name: str, settings: dict[str, Any]) -> tuple[str, ...]:
    """Return the plans whose addresses the settings name for a key, else those that its name and beginning leave."""
    of_any_name = tuple(plan for slot in _SLOTS.values() for plan in slot.plans)
    for group in (tuple(_addressed(name, settings)), _SLOTS[name].plans, of_any_name):
        fitting = tuple(dict.fromkeys(plan for plan in group if not plans_of_key(key, key_plan(plan))))
        if fitting:
            return fitting
    return ()


def _addressed(name: str, settings: dict[str, Any]) -> Iterator[str]:
    for url in _addresses(name, settings):
        known = next((plan.name for plan in PLANS.values() if plan.base_url == url.rstrip("/")), url)
        try:
            yield key_plan(known).name
        except QwenError:
            # no address that a key may be sent to
            continue


def _addresses(name: str, settings: dict[str, Any]) -> Iterator[str]:
    """Yield the addresses of the models that use a key, and the one that the CLI noted for its plan."""
    providers, noted = _object(settings.get("modelProviders")), _object(settings.get("providerMetadata"))
    models = [model for each in providers.values() if isinstance(each, list) for model in map(_object, each)]
    entries = [model for model in models if model.get("envKey") == name]
    for entry in entries or [_object(noted.get(_SLOTS[name].provider))]:
        if isinstance(entry.get("baseUrl"), str) and "://" in entry["baseUrl"]:
            yield entry["baseUrl"]


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
