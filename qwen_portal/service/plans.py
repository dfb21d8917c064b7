"""The plans an account can be on, looked up by name, and told apart by the keys that are of them.

The rows are in :mod:`qwen_portal.service.catalogue`.
"""

import re
from collections.abc import Collection
from typing import Literal

from qwen_portal.errors import QwenError
from qwen_portal.secrets import Secret
from qwen_portal.service.catalogue import PLAN_ROWS, WORKSPACE_PLAN, WORKSPACE_REGIONS
from qwen_portal.service.hosts import user_url
from qwen_portal.service.rows import OAUTH, Plan

__all__ = [
    "KEY_PLANS",
    "OAUTH",
    "PLANS",
    "PORTAL_BASE_URL",
    "Kind",
    "Plan",
    "find_plan",
    "plans_alike",
    "plans_for_programs",
    "plans_of_key",
    "terms_of",
    "unknown_plan",
]

Kind = Literal["oauth", "key", "env", "argument"]

PLANS: dict[str, Plan] = {plan.name: plan for plan in PLAN_ROWS}
PORTAL_BASE_URL = PLANS[OAUTH].base_url
# What a person may write for a plan that takes a key, besides an https URL.
KEY_PLANS: tuple[str, ...] = (*(name for name in PLANS if name != OAUTH), WORKSPACE_PLAN.name)

# A label of a host name: the workspace becomes one.
_WORKSPACE = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_ANY = PLANS["studio"]._replace(keys=(), foreign_keys=(), terms="", source="the user")


def unknown_plan(name: str) -> Plan:
    """Stand in for a plan that an index names and this version does not know: it can be shown, and serves nobody."""
    return _ANY._replace(name=name, base_url="", title="a plan that is not known here", embeddings=False)


def find_plan(name: str) -> Plan:
    """Look a plan up by name, or make one of a workspace's address or of the user's own URL.

    Args:
        name: A name of the catalogue, ``studio:WORKSPACE@REGION``, or the base URL of any OpenAI-compatible Qwen
            service.

    Raises:
        QwenError: No such plan; the message lists them.
        QwenHostNotAllowedError: The URL is malformed or not https.
    """
    # a caller of Python's may pass anything
    if not isinstance(name, str):
        raise QwenError(f"A plan is a text, not {name!r:.60}.", hint=_plans())
    if name in PLANS:
        return PLANS[name]
    if "://" in name:
        url = user_url(name)
        return _ANY.at(url, name=url, title="a service of your own")
    if name.startswith("studio:"):
        return _workspace_plan(name)
    raise QwenError(f"There is no plan named {name!r}.", hint=_plans())


def _workspace_plan(name: str) -> Plan:
    workspace, _, region = name.removeprefix("studio:").partition("@")
    if not re.fullmatch(_WORKSPACE, workspace):
        raise QwenError(
            f"{name!r} names no workspace: the id of one has small letters, digits and hyphens.",
            hint=_workspace_hint(name, "Write studio:WORKSPACE@REGION; the console shows the workspace's id."),
        )
    if region not in WORKSPACE_REGIONS:
        raise QwenError(
            f"{name!r} names no region that is known here.",
            hint=_workspace_hint(
                name, f"Regions: {', '.join(WORKSPACE_REGIONS)}; for another, pass its https address as the plan."
            ),
        )
    base_url = WORKSPACE_PLAN.base_url.replace("WORKSPACE", workspace).replace("REGION", region)
    return WORKSPACE_PLAN.at(base_url, name=name, title=WORKSPACE_PLAN.title)


def _workspace_hint(name: str, usual: str) -> str:
    """Propose the same in small letters, if that is a plan; the pattern itself is none in any."""
    small = name.lower()
    if name in {small, WORKSPACE_PLAN.name}:
        return usual
    try:
        return f"Did you mean {_workspace_plan(small).name}?"
    except QwenError:
        return usual


def _plans() -> str:
    return f"Plans: {OAUTH}, {', '.join(KEY_PLANS)}, or an https URL."


def plans_for_programs() -> tuple[str, ...]:
    """Return the names of the plans whose terms allow scripts and backends, for messages."""
    return (*(plan.name for plan in PLAN_ROWS if plan.for_programs), WORKSPACE_PLAN.name)


def terms_of(names: Collection[str]) -> str:
    """Say what the terms of those plans are that do not serve programs, for messages; empty if all do."""
    terms = dict[str, list[str]]()
    for plan in PLAN_ROWS:
        if plan.name in names and not plan.for_programs:
            terms.setdefault(plan.terms, []).append(plan.name)
    return " ".join(f"Terms of {', '.join(group)}: {text[0].lower()}{text[1:]}" for text, group in terms.items())


def plans_alike(key: Secret, plan: Plan) -> tuple[str, ...]:
    """Return the plans that a key may be of by its beginning, besides ``plan``."""
    others = (each for each in PLANS.values() if each.name != plan.name)
    return tuple(each.name for each in others if key.reveal().startswith(each.keys) and not plans_of_key(key, each))


def plans_of_key(key: Secret, plan: Plan) -> tuple[str, ...]:
    """Return the plans that a key belongs to, if it is known to belong elsewhere than to ``plan``.

    Returns:
        Names, the ones to propose first; none where nothing is known against the key.
    """
    begins = max(
        (each for each in (*plan.keys, *plan.foreign_keys) if key.reveal().startswith(each)), key=len, default=""
    )
    if begins not in plan.foreign_keys:
        return ()
    return tuple(each.name for each in (*PLAN_ROWS, WORKSPACE_PLAN) if begins in each.keys)
