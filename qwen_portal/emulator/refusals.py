"""Refusals of the service to the body of a chat, in the service's words."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from qwen_portal.emulator.models import Model
from qwen_portal.emulator.wire import Refusal, invalid_parameter

_ALGO = "<400> InternalError.Algo.InvalidParameter: "
_ROLES = ("system", "assistant", "user", "tool", "function")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MAX_CHOICES = 4

Body = dict[str, Any]


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


def thinking(body: Body) -> bool:
    """Whether the request turns thinking on."""
    effort = body.get("reasoning_effort")
    return body.get("enable_thinking") is True or (effort is not None and effort != "none")


def check(body: Body, model: Model) -> None:
    """Refuse what the service refuses.

    Raises:
        Refusal: 400, with the service's words where they are known.
    """
    _check_fields(body)
    if above_cap(body, model):
        raise invalid_parameter(f"{_ALGO}Range of max_tokens should be [1, {model.output_cap}]")
    if "stream_options" in body and body.get("stream") is not True:
        raise invalid_parameter(f"{_ALGO}'stream_options' is only valid when 'stream' is true")
    _check_thinking(body)
    _check_tools(body)
    _check_messages(body["messages"], model)
    _check_response_format(body)


def _check_fields(body: Body) -> None:
    if unknown := sorted(set(body) - set(_FIELDS)):
        raise invalid_parameter(f"{_ALGO}unknown field {', '.join(unknown)}")
    for name, fits in _FIELDS.items():
        if name in body and not fits(body[name]):
            raise invalid_parameter(f"{_ALGO}{name} has a wrong type or is out of range")
    if not body.get("messages"):
        raise invalid_parameter("[] is too short - 'messages'")


def _check_thinking(body: Body) -> None:
    if "reasoning_effort" in body and ("enable_thinking" in body or "thinking_budget" in body):
        raise invalid_parameter(f"{_ALGO}reasoning_effort excludes enable_thinking and thinking_budget")
    choice = body.get("tool_choice")
    if thinking(body) and (choice == "required" or isinstance(choice, dict)):
        message = "tool_choice parameter does not support being set to required or object in thinking mode"
        raise invalid_parameter(f"{_ALGO}The {message}")


def _check_tools(body: Body) -> None:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if tools is None:
        if choice is not None and choice != "none":
            raise invalid_parameter(f"{_ALGO}tool_choice needs tools")
        return
    if not tools:
        raise invalid_parameter("[] is too short - 'tools'")
    names = [_tool_name(tool) for tool in tools]
    if body.get("n", 1) > 1:
        raise invalid_parameter(f"{_ALGO}n must be 1 when tools are given")
    if choice is None or choice in ("auto", "none", "required"):
        return
    function = choice.get("function") if isinstance(choice, dict) else None
    if not isinstance(function, dict) or function.get("name") not in names:
        raise invalid_parameter(f"{_ALGO}tool_choice must be none, auto, required or one of the tools")


def _tool_name(tool: Any) -> str:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
        raise invalid_parameter(f"{_ALGO}tools must be of type function and have a name of letters, digits, _ . -")
    parameters = function.get("parameters", {}) if isinstance(function, dict) else None
    if not isinstance(parameters, dict):
        raise invalid_parameter(f"{_ALGO}the parameters of tool {name} must be a JSON schema")
    return name


def _check_messages(messages: list[Any], model: Model) -> None:
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            role = message.get("role") if isinstance(message, dict) else message
            raise invalid_parameter(f"{role!r} is not one of {list(_ROLES)} - 'messages.{number}.role'")
        _check_calls(message, number)
        _check_content(message, number, model)
    _check_tool_order(messages)


def _check_calls(message: Body, number: int) -> None:
    calls = message.get("tool_calls")
    if calls is None:
        return
    if message["role"] != "assistant" or not isinstance(calls, list) or not all(_is_call(call) for call in calls):
        raise invalid_parameter(f"{_ALGO}the tool_calls of messages.{number} must have id, name and arguments as text")


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    texts = [call.get("id"), function.get("name"), function.get("arguments")] if isinstance(function, dict) else [None]
    return all(isinstance(text, str) for text in texts)


def _check_content(message: Body, number: int, model: Model) -> None:
    content = message.get("content")
    if content is None and message["role"] == "assistant" and message.get("tool_calls"):
        return
    if isinstance(content, str):
        return
    # An empty part array is what some clients send beside tool calls; "" and null are fine there as well.
    if not isinstance(content, list) or (not content and not message.get("tool_calls")):
        raise invalid_parameter(f"{_ALGO}the content of messages.{number} must be a string or an array of parts")
    for part in content:
        _check_part(part, number, message["role"], model)


def _check_part(part: Any, number: int, role: str, model: Model) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return
    if kind == "image_url" and role in ("user", "tool"):
        if not model.images:
            raise invalid_parameter(f"{_ALGO}model `{model.id}` takes text only; messages.{number} holds an image")
        url = part.get("image_url")
        if isinstance(url, dict) and isinstance(url.get("url"), str) and url["url"]:
            return
    raise invalid_parameter(f"{_ALGO}messages.{number} holds a part of type {kind!r} that the role {role} cannot have")


def _check_tool_order(messages: list[Body]) -> None:
    for number, message in enumerate(messages):
        if message["role"] == "tool" and not _answers_a_call(messages, number):
            raise invalid_parameter(
                f'{_ALGO}messages with role "tool" must be a response to a preceding message with "tool_calls".',
            )
        if missing := _unanswered(messages, number):
            raise invalid_parameter(
                f'{_ALGO}An assistant message with "tool_calls" must be followed by tool messages responding to each '
                f'"tool_call_id". The following tool_call_ids did not have response messages: {", ".join(missing)}',
            )


def _unanswered(messages: list[Body], number: int) -> list[str]:
    calls = messages[number].get("tool_calls") or []
    answered = {each.get("tool_call_id") for each in _tool_messages_after(messages, number)}
    return [str(call.get("id")) for call in calls if call.get("id") not in answered]


def _answers_a_call(messages: list[Body], number: int) -> bool:
    start = number
    while start >= 0 and messages[start]["role"] == "tool":
        start -= 1
    calls = (messages[start].get("tool_calls") or []) if start >= 0 else []
    return messages[number].get("tool_call_id") in [call.get("id") for call in calls]


def _tool_messages_after(messages: list[Body], number: int) -> Iterator[Body]:
    for message in messages[number + 1 :]:
        if message["role"] != "tool":
            return
        yield message


def _check_response_format(body: Body) -> None:
    wanted = body.get("response_format")
    if wanted is None or wanted.get("type") == "text":
        return
    if wanted.get("type") == "json_schema":
        spec = wanted.get("json_schema")
        if not isinstance(spec, dict) or not isinstance(spec.get("schema"), dict):
            raise invalid_parameter(f"{_ALGO}response_format json_schema needs a schema")
        return
    if wanted.get("type") != "json_object":
        raise invalid_parameter(f"{_ALGO}response_format must be text, json_object or json_schema")
    if not any("json" in text_of(message).lower() for message in body["messages"]):
        raise invalid_parameter(
            f"{_ALGO}'messages' must contain the word 'json' in some form, "
            "to use 'response_format' of type 'json_object'.",
        )


def text_of(message: Body) -> str:
    """The text of a message, whether it is a string or an array of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part, dict) and part.get("type") == "text")
    return content if isinstance(content, str) else ""


def input_too_long(limit: int) -> Refusal:
    """400 for a prompt beyond the model's input range."""
    return invalid_parameter(f"{_ALGO}Range of input length should be [1, {limit}]")
