"""The emulator, on the other side: what was asked, and how it is told to answer."""

import json
import urllib.request
from typing import Any

from benchmarks.peer_checks.models import URL

_CONTROL = f"{URL.removesuffix('/v1')}/_emulator/"


def log() -> list[dict[str, Any]]:
    """Return every chat request so far."""
    return [entry for entry in _call("log") if entry["place"] == "chat"]


def scenario(name: str, *, on: bool = True) -> None:
    """Turn a scenario on or off."""
    _call("scenario", {"name": name, "on": on})


def calm() -> None:
    """Turn every scenario off."""
    for name in _call("scenario")["active"]:
        scenario(name, on=False)


def _call(name: str, order: Any = None) -> Any:
    data = None if order is None else json.dumps(order).encode()
    request = urllib.request.Request(_CONTROL + name, data, {"content-type": "application/json"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
        return json.load(answer)
