"""Rules for the messages of a chat, and the words in which the service refuses them."""

import json
from collections.abc import Iterator
from typing import Any

from qwen_portal.emulator.models import Model
from qwen_portal.emulator.wire import ALGO, Refusal, invalid_parameter

_ROLES = ("system", "assistant", "user", "tool", "function")

Body = dict[str, Any]


def check_messages(messages: list[Any], model: Model) -> None:
    """Refuse messages that the service refuses.

    Raises:
        Refusal: 400.
    """
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
        raise invalid_parameter(f"{ALGO}the tool_calls of messages.{number} must have id, name and arguments as text")
    if not all(_is_json_object(call["function"]["arguments"]) for call in calls):
        raise invalid_parameter(f'{ALGO}The "function.arguments" parameter of the code model must be in JSON format.')


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    texts = [call.get("id"), function.get("name"), function.get("arguments")] if isinstance(function, dict) else [None]
    return all(isinstance(text, str) for text in texts)


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _check_content(message: Body, number: int, model: Model) -> None:
    if "content" not in message:
        raise invalid_parameter(f"Input error. Field required: input.messages.{number}.content")
    content, calls = message["content"], message.get("tool_calls")
    # The real CLI sends null beside tool calls, and some clients an empty part array.
    if isinstance(content, str) or (calls and content in (None, [])):
        return
    if not isinstance(content, list):
        words = "expected one of a string or array of objects, but got an object instead."
        place = f"'messages.[{number}].content'"
        raise Refusal(400, "invalid_type", f"Invalid type for {place}: {words}", param=place)
    if not content or not all(_is_part(part, message["role"], model) for part in content):
        words = "The provided messages input is invalid. The error info is [Unexpected item type in content.]"
        raise invalid_parameter(f"{ALGO}{words}")


def _is_part(part: Any, role: str, model: Model) -> bool:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        return isinstance(part.get("text"), str)
    if role not in ("user", "tool"):
        return False
    if kind == "video":
        frames = part.get("video")
        return (
            model.videos and isinstance(frames, list) and bool(frames) and all(isinstance(url, str) for url in frames)
        )
    url = part.get(kind) if (kind == "image_url" and model.images) or (kind == "video_url" and model.videos) else None
    return isinstance(url, dict) and isinstance(url.get("url"), str) and bool(url["url"])


def _check_tool_order(messages: list[Body]) -> None:
    for number, message in enumerate(messages):
        if message["role"] == "tool" and not _answers_a_call(messages, number):
            raise invalid_parameter(
                f'{ALGO}messages with role "tool" must be a response to a preceding message with "tool_calls".',
            )
        if missing := _unanswered(messages, number):
            raise invalid_parameter(
                f'{ALGO}An assistant message with "tool_calls" must be followed by tool messages responding to each '
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


def text_of(message: Body) -> str:
    """The text of a message, whether it is a string or an array of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part, dict) and part.get("type") == "text")
    return content if isinstance(content, str) else ""
