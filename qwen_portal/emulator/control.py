"""The control surface under /_emulator/: what tests and demos turn and look at."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.responses import JSONResponse, Response

from qwen_portal.emulator.ledger import DeviceCode
from qwen_portal.emulator.scenarios import SCENARIOS
from qwen_portal.emulator.state import State

PREFIX = "/_emulator/"

Order = dict[str, Any]


def control(state: State, method: str, path: str, order: Any) -> Response:
    """Answer one control call.

    Args:
        state: The emulator.
        method: GET or POST.
        path: The whole path.
        order: The JSON body, or None.
    """
    name = path.removeprefix(PREFIX)
    handler = _CALLS.get((method, name))
    if handler is None:
        calls = ", ".join(f"{verb} {PREFIX}{call}" for verb, call in _CALLS)
        return JSONResponse({"error": f"no such control call; there are: {calls}"}, 404)
    if order is not None and not isinstance(order, dict):
        return JSONResponse({"error": "the body must be a JSON object"}, 400)
    try:
        return JSONResponse(handler(state, order or {}))
    except (KeyError, TypeError, ValueError) as error:
        missing = f"missing {error}" if isinstance(error, KeyError) else str(error)
        return JSONResponse({"error": missing}, 400)


def decide(state: State, user_code: str | None, *, approve: bool) -> DeviceCode:
    """Approve or deny a sign-in.

    Args:
        state: The emulator.
        user_code: The code that the person was shown; None for the newest undecided one.
        approve: Which of the two.

    Raises:
        ValueError: There is no such undecided code.
    """
    code = state.ledger.by_user_code(user_code)
    if code is None or code.decision != "pending":
        message = f"no undecided sign-in with user code {user_code!r}" if user_code else "no undecided sign-in"
        raise ValueError(message)
    code.decision = "approved" if approve else "denied"
    return code


def _log(state: State, _order: Order) -> list[dict[str, Any]]:
    return [entry.as_dict() for entry in state.log]


def _list_scenarios(state: State, _order: Order) -> Order:
    sentences = {name: scenario.sentence for name, scenario in SCENARIOS.items()}
    return {"scenarios": sentences, "active": state.scenarios.active()}


def _switch(state: State, order: Order) -> Order:
    if order.get("on", True):
        state.switch_on(order["name"], order.get("times"), order.get("where"))
    else:
        state.scenarios.switch_off(order["name"])
    return {"active": state.scenarios.active()}


def _clock(state: State, order: Order) -> Order:
    state.clock.advance(float(order["advance"]))
    return {"now": state.clock.now()}


def _quota(state: State, order: Order) -> Order:
    state.set_quota(order["limit"], order.get("account"))
    return {"quota": state.settings.quota, "accounts": [asdict(grant) for grant in state.ledger.grants]}


def _reset(state: State, _order: Order) -> Order:
    state.reset()
    return {"reset": True}


def _approve(state: State, order: Order) -> Order:
    return {"user_code": decide(state, order.get("user_code"), approve=True).user_code}


def _deny(state: State, order: Order) -> Order:
    return {"user_code": decide(state, order.get("user_code"), approve=False).user_code}


def _revoke(state: State, order: Order) -> Order:
    state.ledger.revoke(refresh_too=bool(order.get("refresh")))
    return {"revoked": True}


def _issued(state: State, _order: Order) -> Order:
    return {"issued": state.ledger.issued}


def _settings(state: State, order: Order) -> Order:
    state.settings = state.settings.changed(order)
    return asdict(state.settings)


_CALLS: dict[tuple[str, str], Callable[[State, Order], Any]] = {
    ("GET", "log"): _log,
    ("GET", "scenario"): _list_scenarios,
    ("POST", "scenario"): _switch,
    ("POST", "clock"): _clock,
    ("POST", "quota"): _quota,
    ("POST", "reset"): _reset,
    ("POST", "approve"): _approve,
    ("POST", "deny"): _deny,
    ("POST", "revoke"): _revoke,
    ("GET", "issued"): _issued,
    ("POST", "settings"): _settings,
}
