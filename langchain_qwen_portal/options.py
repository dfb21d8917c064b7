"""The constructor's options that need a word: other spellings, and those of OpenAI's that have no meaning here."""

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

_RESPONSES_API = "belongs to OpenAI's Responses API; this class speaks chat completions"
_OPENAI_CLIENT = "is an option of OpenAI's client, which is not used here"
_OPENAI_SERVICE = "is an option of OpenAI's own service"
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        ("use_responses_api", "use_previous_response_id", "reasoning", "verbosity", "context_management", "include"),
        _RESPONSES_API,
    ),
    "truncation": _RESPONSES_API,
    **dict.fromkeys(("client", "async_client", "root_client", "root_async_client"), _OPENAI_CLIENT),
    "http_client": f"{_OPENAI_CLIENT}; proxies come from HTTPS_PROXY and NO_PROXY",
    "http_async_client": f"{_OPENAI_CLIENT}; proxies come from HTTPS_PROXY and NO_PROXY",
    "openai_proxy": f"{_OPENAI_CLIENT}; proxies come from HTTPS_PROXY and NO_PROXY",
    "http_socket_options": _OPENAI_CLIENT,
    "default_query": _OPENAI_CLIENT,
    "include_response_headers": _OPENAI_CLIENT,
    "stream_chunk_timeout": f"{_OPENAI_CLIENT}; a stream may be silent for 120 seconds, and timeout limits the whole",
    "tiktoken_model_name": "names a tokenizer of OpenAI's; pass custom_get_token_ids for exact counts",
    "organization": _OPENAI_SERVICE,
    "openai_organization": _OPENAI_SERVICE,
    "service_tier": _OPENAI_SERVICE,
    "logit_bias": "is about OpenAI's tokens; Qwen takes no such option",
    "prompt_cache_options": _OPENAI_SERVICE,
}


def settle_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Prepare the constructor's arguments for the fields.

    Args:
        values: What the constructor was called with.

    Raises:
        ValueError: An option that could only be ignored.
    """
    values = dict(values)
    for name, reason in _REFUSED.items():
        if values.get(name):
            raise ValueError(f"{name} {reason}.")
    if values.get("output_version") == "responses/v1":
        raise ValueError(f"output_version='responses/v1' {_RESPONSES_API}.")
    for name in ("api_key", "openai_api_key"):
        if isinstance(key := values.get(name), str):
            values[name] = SecretStr(key)
    return values
