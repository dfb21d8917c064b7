"""Completion: what a shell proposes for plans, models, account labels and the emulator's scenarios.

Nothing is asked for it, and nothing fails: who types a command that cannot be completed sees its error when it is run.
"""

from collections.abc import Iterable

import click


def complete_plan(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Propose the plans that have a name."""
    from qwen_portal.service.plans import PLANS

    return _beginning(incomplete, PLANS)


def complete_model(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Propose the models of the catalogue."""
    from qwen_portal.service.models import CATALOGUE, known_ids

    return _beginning(incomplete, dict.fromkeys((*CATALOGUE, *known_ids())))


def complete_label(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Propose the accounts that are kept here."""
    from qwen_portal.errors import QwenError
    from qwen_portal.session import Session

    try:
        return _beginning(incomplete, [account.label for account in Session().accounts.list()])
    except QwenError:
        return []


def complete_scenario(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Propose the emulator's scenarios, where its extra is installed."""
    try:
        from qwen_portal.emulator.scenarios import SCENARIOS
    except ModuleNotFoundError:
        return []
    return _beginning(incomplete, SCENARIOS)


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
