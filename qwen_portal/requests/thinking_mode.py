"""A request's thinking, where the model refuses to think together with what else is asked for.

Source: docs/protocol.md, "Images and thinking".
"""

from collections.abc import Mapping
from typing import Any

from qwen_portal.errors import QwenAPIError
from qwen_portal.service.models import family
from qwen_portal.service.rows import Model

_FIELDS = ("enable_thinking", "thinking_budget", "reasoning_effort")
_JSON = ("json_object", "json_schema")
_BAD_REQUEST = 400
# How the service says that a model thinks in a stream alone; one of its texts is Chinese.
_STREAMS_ONLY = ("non-streaming", "非流式", "`stream=false`", "only support stream mode")


def settle_thinking(body: dict[str, Any], model: Model) -> str | None:
    """Let a forced tool call, or JSON mode where it counts, go before thinking.

    Leaving the switch out is not enough for a model that thinks unless it is told not to. A model that always thinks
    keeps thinking, and is asked for the same without the force.

    Args:
        body: The request, changed in place.
        model: What is known of its model.

    Returns:
        What to tell the user, if something they asked for is not sent.
    """
    forced = "tools" in model.refuses and bool(body.get("tools")) and _is_forced(body.get("tool_choice"))
    json = "json" in model.refuses and _wants_json(body)
    if not (forced or json):
        return None
    if model.thinks == "always":
        return _without_force(body, forced=forced, json=json)
    asked = {name: value for name in _FIELDS if (value := body.pop(name, None)) is not None}
    if model.thinks == "by default" or asked:
        name, value = model.off
        body[name] = value
    is_wish = asked.get("enable_thinking") is True or asked.get("reasoning_effort", "none") != "none"
    return "refuses to think where a tool call or JSON is forced; thinking is switched off there" if is_wish else None


def streams_only_hint(error: QwenAPIError, body: Mapping[str, Any]) -> str | None:
    """Say what helps where a whole answer was asked of a model that thinks in a stream alone.

    Args:
        error: The refusal.
        body: The request.

    Returns:
        The hint, or ``None`` for any other refusal.
    """
    said = error.message.lower()
    if error.status != _BAD_REQUEST or not any(words in said for words in _STREAMS_ONLY):
        return None
    can_be_off = family(str(body["model"])).thinks != "always"
    return (
        f"{body['model']} thinks in a stream alone: ask for a stream{', or pass enable_thinking=False' * can_be_off}."
    )


def _without_force(body: dict[str, Any], *, forced: bool, json: bool) -> str:
    if forced:
        body["tool_choice"] = "auto"
    if json:
        del body["response_format"]
    what = " and ".join(["tool_choice='auto'"] * forced + ["no response_format"] * json)
    return f"always thinks, and refuses what is forced meanwhile; {what} is sent"


def _is_forced(choice: Any) -> bool:
    return choice == "required" or isinstance(choice, Mapping)


def _wants_json(body: Mapping[str, Any]) -> bool:
    wanted = body.get("response_format")
    return isinstance(wanted, Mapping) and wanted.get("type") in _JSON
