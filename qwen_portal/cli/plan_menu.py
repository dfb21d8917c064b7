"""The menu of plans, for a person who signs in and did not say which."""

import sys

import click

from qwen_portal.cli.talk import say
from qwen_portal.errors import QwenError
from qwen_portal.service.catalogue import PLAN_ROWS, WORKSPACE_PLAN
from qwen_portal.service.plans import PLANS, find_plan
from qwen_portal.service.rows import OAUTH, Plan
from qwen_portal.text import columns, wrapped

_INDENT = 6
# The tier that ended is last.
_CHOICES = (*(plan for plan in PLAN_ROWS if not plan.is_oauth), WORKSPACE_PLAN, PLANS[OAUTH])


def ask_plan(usual: str | None) -> str:
    """Show the plans with what their terms say of programs, and ask for one; a mistake is told and asked again.

    Args:
        usual: The plan that is taken if the person just presses Enter; ``None`` if none is.

    Returns:
        A plan's name, or an address that stands for one.
    """
    by_terms = dict[str, list[Plan]]()
    for plan in _CHOICES:
        by_terms.setdefault(plan.terms, []).append(plan)
    shown = [plan for group in by_terms.values() for plan in group]
    say("Which plan is it?")
    for terms, group in by_terms.items():
        say(terms)
        for plan in group:
            first = f"{shown.index(plan) + 1:4}  {plan.name:15}  "
            click.echo(wrapped(plan.title, columns(sys.stderr), first=first, rest=" " * _INDENT), err=True)

    def chosen(answer: str) -> str:
        number = int(answer) if answer.isdecimal() else 0
        return _plan(shown[number - 1].name if 0 < number <= len(shown) else answer)

    chosen_plan: str = click.prompt("Number, name or https address", default=usual, value_proc=chosen, err=True)
    return chosen_plan


def _plan(answer: str) -> str:
    try:
        return find_plan(answer.strip()).name
    except QwenError as exc:
        # click says so, and asks again
        raise click.UsageError(wrapped(str(exc), columns(sys.stderr))) from None
