"""A request's thinking: in the words of its model, and off where the model refuses it beside what else is asked for.

Source: docs/protocol.md, "Images and thinking".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from qwen_portal.errors import QwenAPIError, QwenBadRequestError
from qwen_portal.service.models import family
from qwen_portal.service.rows import Model

EFFORT = "reasoning_effort"
_FIELDS = ("enable_thinking", "thinking_budget", EFFORT)
_JSON = ("json_object", "json_schema")
_BAD_REQUEST = 400
# How the service says that a model thinks in a stream alone; one of its texts is Chinese.
_STREAMS_ONLY = ("non-streaming", "非流式", "`stream=false`", "only support stream mode")

# The words of OpenAI, of LiteLLM and of the vendor: what is no effort, and the efforts, the weakest first.
_AS_BY_ITSELF, _OFF = "default", ("none", "disable")
_EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
# Tokens of an effort for a model that knows none, as LiteLLM has them for other providers; above, all it likes.
_BUDGETS = {"minimal": 128, "low": 1_024, "medium": 2_048, "high": 4_096}


def settle_thinking(body: dict[str, Any], model: Model, *, as_written: bool = False) -> str | None:
    """Ask for thinking in the model's words; let a forced tool call, or JSON mode where it counts, go before it.

    Leaving the switch out is not enough for a model that thinks unless it is told not to. A model that always thinks
    keeps thinking, and is asked for the same without the force.

    Args:
        body: The request, changed in place.
        model: What is known of its model.
        as_written: Whether the words are the caller's choice, and stay.

    Returns:
        What to tell the user, if something they asked for is not sent.

    Raises:
        QwenBadRequestError: ``reasoning_effort`` is no word of those that say it.
    """
    is_wish = body.get("enable_thinking") is True or body.get(EFFORT) not in (None, _AS_BY_ITSELF, *_OFF)
    if not as_written:
        _say_in_own_words(body, model)
    forced = "tools" in model.refuses and bool(body.get("tools")) and _is_forced(body.get("tool_choice"))
    json = "json" in model.refuses and _wants_json(body)
    if not (forced or json):
        return None
    if model.thinks == "always":
        return _without_force(body, forced=forced, json=json)
    asked = [name for name in _FIELDS if body.pop(name, None) is not None]
    if model.thinks == "by default" or asked:
        name, value = model.off
        body[name] = value
    return "refuses to think where a tool call or JSON is forced; thinking is switched off there" if is_wish else None


def _say_in_own_words(body: dict[str, Any], model: Model) -> None:
    effort = _effort(body.pop(EFFORT, None))
    if not model.efforts:
        body |= _switched(effort) | {name: body[name] for name in _FIELDS if body.get(name) is not None}
        return
    # an effort excludes the two others there, so one of the three is sent
    switch = body.get("enable_thinking")
    if switch is False or (switch is None and effort in _OFF):
        for name in _FIELDS:
            body.pop(name, None)
        name, value = model.off
        body[name] = value
        return
    # a model that is switched off by its effort thinks by itself
    if switch is True and (model.off[0] == EFFORT or effort in _EFFORTS):
        del body["enable_thinking"]
    if effort in _EFFORTS and body.get("thinking_budget") is None:
        body[EFFORT] = _nearest(effort, model.efforts)


def _effort(word: Any) -> str | None:
    if word is None or word == _AS_BY_ITSELF:
        return None
    if word in _OFF or word in _EFFORTS:
        return str(word)
    takes = ", ".join((_AS_BY_ITSELF, *_OFF, *_EFFORTS))
    raise QwenBadRequestError(
        f"reasoning_effort is {word!r}.", hint=f"It takes one of {takes}; in extra_body it is sent as it is."
    )


def _switched(effort: str | None) -> dict[str, Any]:
    if effort is None:
        return {}
    if effort in _OFF:
        return {"enable_thinking": False}
    budget = {"thinking_budget": _BUDGETS[effort]} if effort in _BUDGETS else {}
    return {"enable_thinking": True, **budget}


def _nearest(effort: str, known: Sequence[str]) -> str:
    """Return the effort, or the next stronger one, or the strongest; so the vendor reads those that a model lacks."""
    stronger = _EFFORTS[_EFFORTS.index(effort) :]
    return next((word for word in stronger if word in known), known[-1])


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
