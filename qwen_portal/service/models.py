"""The model catalogue and the cap on output tokens."""

from collections.abc import Mapping
from typing import Any

from qwen_portal.service.plans import Plan, PlanModel

CODER = "coder-model"
VISION = "vision-model"
CATALOGUE: tuple[str, ...] = (CODER, VISION)
# Every id that the portal or a plan was seen to answer to.
KNOWN: tuple[str, ...] = (*CATALOGUE, "qwen3-coder-plus", "qwen3-coder-flash", "qwen-vl-max-latest", "qwen-vl-plus")

_PREFIX = "qwen-portal/"
_PORTAL_CAP = 65_536
_CAPS: Mapping[str, int] = {
    CODER: _PORTAL_CAP,
    VISION: 8_192,
    "qwen3-coder-plus": _PORTAL_CAP,
    "qwen3-coder-flash": _PORTAL_CAP,
}


def model_id(model: str) -> str:
    """Strip the provider prefix: ``"qwen-portal/coder-model"`` is ``"coder-model"``."""
    return model.removeprefix(_PREFIX)


def plan_model(model: str, plan: Plan) -> PlanModel | None:
    """Return what a catalogue id, or the name it has on this plan, stands for; ``None`` for other ids."""
    rows = {CODER: plan.coder, VISION: plan.vision}
    return rows.get(model) or next((row for row in rows.values() if row.name == model), None)


def name_on(plan: Plan, model: str) -> str:
    """Return what is sent as the model's name on a plan."""
    row = plan_model(model_id(model), plan)
    return model_id(model) if row is None else row.name


def output_cap(model: str, plan: Plan) -> int | None:
    """Return the most output tokens that may be asked for, or ``None`` where no cap is known.

    Args:
        model: The effective model, as the user or the service calls it.
        plan: The account's plan; ids outside the catalogue are capped on the portal only.
    """
    return _CAPS.get(model_id(model), _PORTAL_CAP if plan.is_oauth else None)


def catalogue(plan: Plan) -> list[dict[str, Any]]:
    """List the two models as they are on a plan.

    Returns:
        One dict per model: ``id``, ``name`` (what is sent), ``context`` and ``max_output`` (tokens),
        ``inputs`` (``["text", "image"]``), ``thinking`` (bool).
    """
    rows = []
    for name in CATALOGUE:
        row = plan_model(name, plan)
        if row is not None:
            rows.append(
                {
                    "id": name,
                    "name": row.name,
                    "context": row.context,
                    "max_output": _CAPS[name],
                    "inputs": list(row.inputs),
                    "thinking": row.thinking,
                }
            )
    return rows
