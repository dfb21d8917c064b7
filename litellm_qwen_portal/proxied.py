"""Limits for the clients of a LiteLLM proxy: they choose neither whose sign-in or key answers, nor where, nor how much.

LiteLLM puts a request's fields over those of the deployment, the ones it does not know included.
"""

from collections.abc import Mapping
from typing import Any

from qwen_portal.errors import QwenBadRequestError

_CHOICES = frozenset(
    {
        *("qwen_account", "qwen_plan", "api_key", "api_base", "base_url"),
        *("output_cap", "allow_images", "extra_headers", "headers", "provider_specific_header"),
    }
)
# What is talked about: a tool's argument may well be called api_key.
_TALK = frozenset(
    {
        *("messages", "system", "input", "instructions", "prompt", "suffix"),
        *("tools", "tool_choice", "functions", "function_call", "response_format", "text"),
        *("metadata", "litellm_metadata"),
    }
)


def refuse_choices(litellm_params: Mapping[str, Any]) -> None:
    """Refuse a request in which a proxy's client names an account, a plan, a key or an address.

    Args:
        litellm_params: As LiteLLM hands it to a handler. ``proxy_server_request`` is there if a proxy was asked;
            its ``body`` is the client's, less an ``api_key`` since LiteLLM 1.100, which ``credential_fields`` then
            names since 1.106.

    Raises:
        QwenBadRequestError: It names one, itself or for a fallback.
    """
    request = litellm_params.get("proxy_server_request")
    if not isinstance(request, Mapping):
        return
    named = _CHOICES & {*(request.get("credential_fields") or ()), *_names(request.get("body"))}
    if named:
        raise QwenBadRequestError(
            f"The request names {' and '.join(sorted(named))}, which the proxy's configuration chooses.",
            hint="Leave it out; the proxy's administrator can offer another account as a model of its own.",
        )


def _names(body: Any) -> set[str]:
    """Return the names of all fields, nested ones included, without what is talked about."""
    names: set[str] = set()
    todo = [body]
    while todo:
        value = todo.pop()
        if isinstance(value, Mapping):
            names.update(value)
            todo += [inner for name, inner in value.items() if name not in _TALK]
        elif isinstance(value, list):
            todo += value
    return names
