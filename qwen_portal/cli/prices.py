"""Prices that the user wrote down, and what requests cost by them."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import click

from qwen_portal.secrets import printable
from qwen_portal.storage.usage_ledger import Total
from qwen_portal.untrusted_json import json_object

_MILLION = 1_000_000
_FORM = '{"qwen3.7-plus": {"input": 0.4, "output": 1.2, "cached": 0.08}}'


class Price(NamedTuple):
    """What a million tokens of a model cost, in whatever money the user counts.

    Attributes:
        input: Of those read.
        output: Of those written.
        cached: Of those read from the service's cache.
    """

    input: float
    output: float
    cached: float

    def cost(self, total: Total) -> float:
        """Return what a group of requests cost."""
        cached = min(total.cached_tokens, total.prompt_tokens)
        fresh = total.prompt_tokens - cached
        return (fresh * self.input + cached * self.cached + total.completion_tokens * self.output) / _MILLION


Prices = dict[str, Price]


def read_prices(path: Path) -> Prices:
    """Read a file of prices: JSON that has ``input``, ``output`` and, if it differs, ``cached`` for each model.

    Raises:
        click.BadParameter: It is none; the message says what is wrong.
    """
    try:
        found = json_object(path.read_text("utf-8", errors="replace"))
    except OSError as exc:
        raise _bad(f"{path} cannot be read: {exc.strerror or exc}.") from None
    if found is None:
        raise _bad(f"{path} is no JSON object.")
    return {model: _price(model, given) for model, given in found.items()}


def _price(model: str, given: Any) -> Price:
    name = printable(model, limit=60)
    if not isinstance(given, dict) or not {"input", "output"} <= given.keys() <= set(Price._fields):
        raise _bad(f"the price of {name} has to have input and output, may have cached, and nothing else.")
    for kind, value in given.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < 0:
            raise _bad(f"the price {kind} of {name} is no number from 0 on.")
    return Price(given["input"], given["output"], given["cached"] if "cached" in given else given["input"])


def _bad(why: str) -> click.BadParameter:
    return click.BadParameter(f"{why} It holds prices of a million tokens, such as {_FORM}.", param_hint="'--prices'")
