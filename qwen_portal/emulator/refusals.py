"""Refusals of the service to the body of a chat, in the service's words."""

import re
from collections.abc import Callable
from typing import Any

from qwen_portal.emulator.messages import Body, check_messages, text_of
from qwen_portal.emulator.models import Model, Thinking
from qwen_portal.emulator.wire import ALGO, Refusal, invalid_parameter

_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MAX_CHOICES = 4


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _between(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: _is_number(value) and low <= value <= high


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_stop(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


# The allow-list: OpenAI's fields that the portal is known to take, DashScope's own, and what the real CLI sends
# (docs/protocol.md, Chat requests). Anything else is a 400, as clients report for the extras of LiteLLM and others.
_FIELDS: dict[str, Callable[[Any], bool]] = {
    "model": lambda value: isinstance(value, str),
    "messages": lambda value: isinstance(value, list),
    "stream": _is_bool,
    "stream_options": lambda value: isinstance(value, dict) and set(value) <= {"include_usage"},
    "max_tokens": lambda value: _is_int(value) and value >= 1,
    "max_completion_tokens": lambda value: _is_int(value) and value >= 1,
    "temperature": _between(0, 2),
    "top_p": _between(0, 1),
    "top_k": _is_int,
    "n": lambda value: _is_int(value) and 1 <= value <= _MAX_CHOICES,
    "stop": _is_stop,
    "seed": _is_int,
    "presence_penalty": _between(-2, 2),
    "frequency_penalty": _between(-2, 2),
    "repetition_penalty": lambda value: _is_number(value) and value > 0,
    "logprobs": _is_bool,
    "top_logprobs": _is_int,
    "tools": lambda value: isinstance(value, list),
    "tool_choice": lambda value: isinstance(value, str | dict),
    "parallel_tool_calls": _is_bool,
    "response_format": lambda value: isinstance(value, dict),
    "metadata": lambda value: isinstance(value, dict),
    "vl_high_resolution_images": _is_bool,
    "enable_thinking": _is_bool,
    "thinking_budget": lambda value: _is_int(value) and value >= 1,
    "preserve_thinking": _is_bool,
    "reasoning_effort": lambda value: isinstance(value, str),
    "enable_search": _is_bool,
    "search_options": lambda value: isinstance(value, dict),
}


def above_cap(body: Body, model: Model) -> bool:
    """Whether the request asks for more output tokens than the model may write."""
    asked: list[Any] = [body.get("max_tokens"), body.get("max_completion_tokens")]
    cap = model.output_cap
    return cap is not None and any(each > cap for each in asked if _is_number(each))


def reasons(body: Body, model: Model) -> bool:
    """Whether the answer shows reasoning: the model cannot but reason, or was asked to and can."""
    return model.thinking is Thinking.ALWAYS or (model.thinking is not Thinking.NEVER and _asks_to_think(body))


def _asks_to_think(body: Body) -> bool:
    effort = body.get("reasoning_effort")
    return body.get("enable_thinking") is True or (effort is not None and effort != "none")


def _may_think(body: Body, model: Model) -> bool:
    if model.thinking is Thinking.UNLESS_TOLD_NOT_TO:
        return body.get("enable_thinking") is not False and body.get("reasoning_effort") != "none"
    return model.thinking is Thinking.ALWAYS or (model.thinking is Thinking.IF_ASKED and _asks_to_think(body))


def check(body: Body, model: Model) -> None:
    """Refuse what the service refuses.

    Raises:
        Refusal: 400, with the service's words where they are known.
    """
    _check_fields(body)
    if above_cap(body, model):
        raise invalid_parameter(f"{ALGO}Range of max_tokens should be [1, {model.output_cap}]")
    if "stream_options" in body and body.get("stream") is not True:
        raise invalid_parameter("'stream_options' only set this when you set stream: true")
    _check_tools(body)
    _check_thinking(body, model)
    check_messages(body["messages"], model)
    _check_response_format(body)


def _check_fields(body: Body) -> None:
    if unknown := sorted(set(body) - set(_FIELDS)):
        raise invalid_parameter(f"{ALGO}unknown field {', '.join(unknown)}")
    for name, fits in _FIELDS.items():
        if name in body and not fits(body[name]):
            raise invalid_parameter(f"{ALGO}{name} has a wrong type or is out of range")
    if not body.get("messages"):
        raise invalid_parameter("[] is too short - 'messages'")


def _check_thinking(body: Body, model: Model) -> None:
    if "reasoning_effort" in body and ("enable_thinking" in body or "thinking_budget" in body):
        raise invalid_parameter(f"{ALGO}reasoning_effort excludes enable_thinking and thinking_budget")
    effort = body.get("reasoning_effort")
    if effort is not None and model.efforts is not None and effort not in model.efforts:
        raise invalid_parameter(f"'reasoning_effort' must be one of: {', '.join(map(repr, model.efforts))}")
    has_no_switch = model.thinking is Thinking.ALWAYS or model.off_by_effort
    if has_no_switch and body.get("enable_thinking") is False:
        raise invalid_parameter(f"{ALGO}The value of the enable_thinking parameter is restricted to True.")
    if not _may_think(body, model):
        return
    if model.thinks_in_streams_only and body.get("stream") is not True:
        raise invalid_parameter("parameter.enable_thinking must be set to false for non-streaming calls")
    choice = body.get("tool_choice")
    if choice == "required" or isinstance(choice, dict):
        message = "tool_choice parameter does not support being set to required or object in thinking mode"
        raise invalid_parameter(f"{ALGO}The {message}")
    if body.get("response_format", {}).get("type") == "json_object" and not model.json_while_thinking:
        raise invalid_parameter(f"{ALGO}Json mode response is not supported when enable_thinking is true")


def _check_tools(body: Body) -> None:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if tools is None:
        if choice is not None and choice != "none":
            raise invalid_parameter(f"{ALGO}tool_choice needs tools")
        return
    if not tools:
        raise invalid_parameter("[] is too short - 'tools'")
    names = [_tool_name(tool) for tool in tools]
    if body.get("n", 1) > 1:
        raise invalid_parameter(f"{ALGO}n must be 1 when tools are given")
    if choice is None or choice in ("auto", "none", "required"):
        return
    function = choice.get("function") if isinstance(choice, dict) else None
    if not isinstance(function, dict) or function.get("name") not in names:
        raise invalid_parameter(f"{ALGO}tool_choice must be none, auto, required or one of the tools")


def _tool_name(tool: Any) -> str:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
        raise invalid_parameter(f"{ALGO}tools must be of type function and have a name of letters, digits, _ . -")
    parameters = function.get("parameters", {}) if isinstance(function, dict) else None
    if not isinstance(parameters, dict):
        raise invalid_parameter(f"{ALGO}the parameters of tool {name} must be a JSON schema")
    return name


def _check_response_format(body: Body) -> None:
    wanted = body.get("response_format")
    if wanted is None or wanted.get("type") == "text":
        return
    if wanted.get("type") == "json_schema":
        spec = wanted.get("json_schema")
        if not isinstance(spec, dict) or not isinstance(spec.get("schema"), dict):
            raise invalid_parameter(f"{ALGO}response_format json_schema needs a schema")
        return
    if wanted.get("type") != "json_object":
        raise invalid_parameter(f"{ALGO}response_format must be text, json_object or json_schema")
    if not any("json" in text_of(message).lower() for message in body["messages"]):
        raise invalid_parameter(
            f"{ALGO}'messages' must contain the word 'json' in some form, "
            "to use 'response_format' of type 'json_object'.",
        )


def input_too_long(limit: int) -> Refusal:
    """400 for a prompt beyond the model's input range."""
    return invalid_parameter(f"{ALGO}Range of input length should be [1, {limit}]")
