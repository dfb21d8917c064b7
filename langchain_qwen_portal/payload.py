"""What langchain-openai would send, made fit for Qwen: pure functions over request payloads."""

from collections.abc import Mapping
from typing import Any

from langchain_core.utils.function_calling import convert_to_json_schema

Payload = dict[str, Any]

_FORMATS = ("text", "json_object", "json_schema")


def prefer_call_limit(payload: Payload, given: Mapping[str, Any]) -> Payload:
    """Let a call's ``max_completion_tokens`` replace the model's ``max_tokens``; they are one setting to Qwen.

    Args:
        payload: Defaults and call arguments, merged.
        given: The call's arguments.
    """
    if given.get("max_completion_tokens") is None or given.get("max_tokens") is not None:
        return payload
    return {name: value for name, value in payload.items() if name != "max_tokens"}


def plain_response_format(payload: Payload) -> Payload:
    """Turn a ``response_format`` given as a class or a bare schema into what goes over the wire."""
    wanted = payload.get("response_format")
    if wanted is None or (isinstance(wanted, dict) and wanted.get("type") in _FORMATS):
        return payload
    schema = convert_to_json_schema(wanted)
    return {
        **payload,
        "response_format": {"type": "json_schema", "json_schema": {"name": schema["title"], "schema": schema}},
    }
