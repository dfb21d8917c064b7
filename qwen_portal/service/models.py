"""The models as they are on a plan: their names there, their limits, and what they can do.

The rows are in :mod:`qwen_portal.service.catalogue`.
"""

from fnmatch import fnmatchcase
from typing import Any

from qwen_portal.service.catalogue import MODEL_ROWS
from qwen_portal.service.rows import Model, Plan

CODER = "coder-model"
VISION = "vision-model"
CATALOGUE: tuple[str, ...] = (CODER, VISION)

_PREFIX = "qwen-portal/"
# What the portal gives of a model that nothing is known of.
_PORTAL_CAP = 65_536


def model_id(model: str) -> str:
    """Strip the provider prefix: ``"qwen-portal/coder-model"`` is ``"coder-model"``."""
    return model.removeprefix(_PREFIX)


def known_ids() -> list[str]:
    """Return the ids whose limits the catalogue has; an id with a date behind it is of the same family."""
    return [pattern.removesuffix("*") for row in MODEL_ROWS if row.context is not None for pattern in row.ids]


def family(name: str) -> Model:
    """Return the catalogue's row for a model, by the name that is sent."""
    lower = name.lower()
    return next(row for row in MODEL_ROWS if any(fnmatchcase(lower, pattern) for pattern in row.ids))


def name_on(plan: Plan, model: str) -> str:
    """Return what is sent as the model's name on a plan."""
    wanted = model_id(model)
    return {CODER: plan.coder, VISION: plan.vision}.get(wanted, wanted)


def model_on(plan: Plan, model: str) -> Model:
    """Return what is known of a model on a plan; the limit of the two ids is theirs, whatever stands behind them.

    Args:
        plan: The account's plan.
        model: Model id, as the user calls it.
    """
    wanted = model_id(model)
    row = family(name_on(plan, wanted))
    if plan.name in row.always_on:
        row = row._replace(thinks="always")
    if wanted in CATALOGUE:
        return row._replace(output=family(wanted).output)
    if row.output is None and plan.is_oauth:
        return row._replace(output=_PORTAL_CAP)
    return row


def output_cap(model: str, plan: Plan) -> int | None:
    """Return the most output tokens that may be asked for, or ``None`` where no cap is known.

    Args:
        model: The effective model, as the user or the service calls it.
        plan: The account's plan; ids outside the catalogue are capped on the portal only.
    """
    return model_on(plan, model).output


def catalogue(plan: Plan) -> list[dict[str, Any]]:
    """List the two models as they are on a plan.

    Returns:
        One dict per model: ``id``, ``name`` (what is sent), ``context`` and ``max_output`` (tokens),
        ``inputs`` (``["text", "image"]``), ``thinking`` (bool), ``thinks`` (``"never"``, ``"on request"``,
        ``"by default"`` or ``"always"``), ``efforts`` (those of ``reasoning_effort`` that are its own), ``json_schema``
        (whether it keeps to one).
    """
    return [described(plan, model) for model in CATALOGUE]


def described(plan: Plan, model: str) -> dict[str, Any]:
    """Return what is known of one model, as :func:`catalogue` has it; ``None`` and ``[]`` for what is not known."""
    row = model_on(plan, model)
    is_known = bool(row.inputs)
    return {
        "id": model_id(model),
        "name": name_on(plan, model),
        "context": row.context,
        "max_output": row.output,
        "inputs": list(row.inputs),
        "thinking": row.thinks != "never" if is_known else None,
        "thinks": row.thinks if is_known else None,
        "efforts": list(row.efforts),
        "json_schema": row.json_schema if is_known else None,
    }
