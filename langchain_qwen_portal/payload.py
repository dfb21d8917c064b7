"""Request payloads of langchain-openai, made fit for Qwen by pure functions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.utils.function_calling import convert_to_json_schema

from qwen_portal.errors import QwenBadRequestError
from qwen_portal.requests.chat_request import TOKEN_FIELDS, merged

Payload = dict[str, Any]

_FORMATS = ("text", "json_object", "json_schema")
_CACHE_MARK = {"type": "ephemeral"}
# oss:// is the service's own temporary storage.
_SENDABLE = ("http://", "https://", "data:", "oss://")
_LONGEST_SCHEME = len("https://")


def prefer_call_limit(payload: Payload, given: Mapping[str, Any]) -> Payload:
    """Let what a call says of the output's length replace what the model says, by whatever name.

    Args:
        payload: Defaults and call arguments, merged.
        given: The call's arguments.
    """
    said = [name for name in TOKEN_FIELDS if given.get(name) is not None]
    if not said:
        return payload
    return {name: value for name, value in payload.items() if name not in TOKEN_FIELDS or name in said}


def plain_response_format(payload: Payload, strictness: Callable[[str], bool | None]) -> Payload:
    """Turn a ``response_format`` given as a class or a bare schema into what goes over the wire.

    Args:
        payload: The request.
        strictness: Says of a model what :func:`schema_format` is told.
    """
    wanted = payload.get("response_format")
    if wanted is None or (isinstance(wanted, dict) and wanted.get("type") in _FORMATS):
        return payload
    return {**payload, "response_format": schema_format(wanted, strict=strictness(payload["model"]))}


def schema_format(schema: Any, *, strict: bool | None = None) -> Payload:
    """Write a class or a bare schema as the ``response_format`` that asks for it.

    Args:
        schema: A Pydantic class, TypedDict class, JSON schema, or a format already.
        strict: Whether the answer is to keep to it, unless the format says so itself; not sent if not given.
    """
    more = {} if strict is None else {"strict": strict}
    if isinstance(schema, dict) and schema.get("type") in _FORMATS:
        spec = schema.get("json_schema")
        return {**schema, "json_schema": more | spec} if isinstance(spec, dict) else schema
    if isinstance(schema, dict) and {"name", "schema"} <= schema.keys():
        return {"type": "json_schema", "json_schema": more | schema}
    plain = convert_to_json_schema(schema)
    return {"type": "json_schema", "json_schema": {"name": plain["title"], **more, "schema": plain}}


def with_known_roles(payload: Payload) -> Payload:
    """Call a developer's message a system's, which is what Qwen calls it."""
    messages = [
        {**message, "role": "system"} if message.get("role") == "developer" else message
        for message in payload["messages"]
    ]
    return {**payload, "messages": messages}


def with_reasoning(payload: Payload, messages: Sequence[BaseMessage]) -> Payload:
    """Send earlier reasoning back where ``preserve_thinking`` asks the model to read it.

    Args:
        payload: The request.
        messages: What its messages were made of, one for one.
    """
    if not merged(payload).get("preserve_thinking"):
        return payload
    sent = [
        {**new, "reasoning_content": reasoning} if (reasoning := _reasoning(old)) else new
        for new, old in zip(payload["messages"], messages, strict=True)
    ]
    return {**payload, "messages": sent}


def _reasoning(message: BaseMessage) -> str:
    if not isinstance(message, AIMessage):
        return ""
    return "".join(block.get("reasoning") or "" for block in message.content_blocks if block["type"] == "reasoning")


def with_service_videos(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Write LangChain's blocks for videos as the service has them; the parent knows none.

    Args:
        messages: They stay as they are.
    """
    return [
        message.model_copy(update={"content": [_service_video(part) for part in message.content]})
        if isinstance(message.content, list)
        else message
        for message in messages
    ]


def _service_video(part: Any) -> Any:
    if not isinstance(part, Mapping) or part.get("type") != "video":
        return part
    # the second name is that of LangChain's older blocks
    data, url = part.get("base64") or part.get("data"), part.get("url")
    if data:
        url = f"data:{part.get('mime_type') or 'video/mp4'};base64,{data}"
    return {"type": "video_url", "video_url": {"url": url}} if url else part


def refuse_local_files(payload: Payload) -> Payload:
    """Return the payload, unless it names a picture or a video on this machine, which the service cannot see.

    Raises:
        QwenBadRequestError: With what sends a file.
    """
    for part in _parts(payload):
        if part.get("type") == "image_url" and not all(map(_is_sendable, _addresses(part))):
            raise QwenBadRequestError(
                "A message names a picture on this machine, and only addresses and data can be sent.",
                hint="Read the file with langchain_qwen_portal.image_block(path) and put its result in the message.",
            )
        if part.get("type") in ("video_url", "video") and not all(map(_is_sendable, _addresses(part))):
            raise QwenBadRequestError(
                "A message names a video on this machine, and only addresses and data can be sent.",
                hint="Put its data in the message: {'type': 'video', 'base64': …, 'mime_type': 'video/mp4'}.",
            )
    return payload


def _addresses(part: Mapping[str, Any]) -> list[Any]:
    held = part.get(part["type"])
    if isinstance(held, list):
        return held
    return [held.get("url") if isinstance(held, Mapping) else held]


def _is_sendable(url: Any) -> bool:
    # Of data, which is long, the start is enough.
    return str(url)[:_LONGEST_SCHEME].lower().startswith(_SENDABLE)


def mark_for_caching(payload: Payload) -> Payload:
    """Mark the system message, the last tool and the last message for the service's prompt cache.

    So a conversation that grows is read from the cache up to its last turn. Marks of the caller's own stay alone,
    since four are the most that a request may have (docs/protocol.md, "Usage").
    """
    if any("cache_control" in part for part in _parts(payload)):
        return payload
    messages = list(payload["messages"])
    systems = [index for index, message in enumerate(messages) if message.get("role") == "system"]
    for index in {*systems[-1:], len(messages) - 1} if messages else ():
        messages[index] = _marked(messages[index])
    tools = payload.get("tools")
    more = {"tools": [*tools[:-1], {**tools[-1], "cache_control": _CACHE_MARK}]} if tools else {}
    return {**payload, "messages": messages, **more}


def _marked(message: Mapping[str, Any]) -> dict[str, Any]:
    content: Any = message.get("content")
    if not content:
        return dict(message)
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    if not isinstance(parts[-1], Mapping):
        return dict(message)
    return {**message, "content": [*parts[:-1], {**parts[-1], "cache_control": _CACHE_MARK}]}


def _parts(payload: Payload) -> Iterator[Mapping[str, Any]]:
    for message in payload["messages"]:
        content = message.get("content")
        if isinstance(content, list):
            yield from (part for part in content if isinstance(part, Mapping))
