"""Gaps in LiteLLM's support for custom providers, closed for this provider alone.

Each wraps functions of LiteLLM's if they are there, and otherwise does nothing: async streams then send their request
with the first chunk, ``reasoning_effort`` needs ``allowed_openai_params``, ``max_completion_tokens`` goes out as
``max_tokens``, and embeddings take no ``dimensions``. LITELLM_QWEN_PORTAL_SHIMS=0 leaves LiteLLM as it is, to the same
effect.
"""

import functools
import os
from collections.abc import Callable, Coroutine
from types import ModuleType
from typing import Any

import litellm
import litellm.main
from litellm.litellm_core_utils.core_helpers import process_response_headers

from litellm_qwen_portal.errors import PROVIDER
from litellm_qwen_portal.unoffered import PARAMETERS
from qwen_portal.quota.attempts import TAG
from qwen_portal.requests.chat_request import TOKEN_FIELDS

_MARK = "_qwen_portal_shim"
_THINKING = ("reasoning_effort", "thinking")
# OpenAI's parameters of embeddings; a custom provider's call with one of them ends in an error of LiteLLM's.
_EMBEDDING = ("dimensions", "encoding_format", "user")

Function = Callable[..., Any]


def install(register: Callable[[], None]) -> None:
    """Wrap the functions; the second call finds them wrapped.

    Args:
        register: Called before each call of this provider, which may have been forgotten in the meantime: a proxy that
            reloads its configuration or its prices assigns LiteLLM's lists anew.
    """
    if os.environ.get("LITELLM_QWEN_PORTAL_SHIMS") == "0":
        return
    _wrap(litellm.main, "_complete_custom_providers", functools.partial(_open_streams, register=register))
    _wrap(litellm.main, "get_optional_params", _keep_params)
    _wrap(litellm, "get_supported_openai_params", _list_supported)
    _wrap(litellm.main, "get_optional_params_embeddings", functools.partial(_allow_embedding, register=register))


def _wrap(module: ModuleType, name: str, wrapper: Callable[[Function], Function]) -> None:
    original = getattr(module, name, None)
    if original is None or hasattr(original, _MARK):
        return
    wrapped = functools.wraps(original)(wrapper(original))
    setattr(wrapped, _MARK, True)
    setattr(module, name, wrapped)


def _open_streams(original: Function, *, register: Callable[[], None]) -> Function:
    """Open async streams before the call returns, as built-in providers do.

    Otherwise an error comes with the first chunk, too late for retries, fallbacks and another deployment.
    """

    def complete(call: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(call, "custom_llm_provider", None) == PROVIDER:
            register()
        response = original(call, *args, **kwargs)
        stream = getattr(response, "completion_stream", None)
        # Not by class: a proxy may have loaded these modules a second time.
        if getattr(stream, "provider", None) != PROVIDER:
            return response
        if hasattr(stream, "__anext__"):
            return _opened(response, stream)
        _tell(response, stream)
        return response

    return complete


def _opened(response: Any, stream: Any) -> Coroutine[Any, Any, Any]:
    """Return what LiteLLM awaits where a built-in provider streams."""

    async def opening() -> Any:
        await stream.open()
        _tell(response, stream)
        return response

    return opening()


def _tell(response: Any, stream: Any) -> None:
    """Tell LiteLLM's wrapper what it has no other way to know of the stream inside it."""
    response.created = stream.created
    # In place: the wrapper has handed this dict on already.
    response._hidden_params["additional_headers"].update(process_response_headers(stream.headers))  # noqa: SLF001
    if stream.strategy is not None:
        response._hidden_params[TAG] = stream.strategy  # noqa: SLF001


def _keep_params(original: Function) -> Function:
    """Let the reasoning parameters through, and each limit under its name; no custom provider can say what it takes."""

    def get_optional_params(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("custom_llm_provider") != PROVIDER:
            return original(*args, **kwargs)
        kwargs["allowed_openai_params"] = [*(kwargs.get("allowed_openai_params") or ()), *_THINKING]
        limits = {name: kwargs[name] for name in TOKEN_FIELDS if kwargs.get(name) is not None}
        params = original(*args, **kwargs)
        if not limits or not isinstance(params, dict):
            return params
        return {name: value for name, value in params.items() if name not in TOKEN_FIELDS} | limits

    return get_optional_params


def _allow_embedding(original: Function, *, register: Callable[[], None]) -> Function:
    """Let the parameters of embeddings through, as for a built-in provider."""

    def get_optional_params_embeddings(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("custom_llm_provider") != PROVIDER:
            return original(*args, **kwargs)
        register()
        ours = {name: kwargs.pop(name) for name in _EMBEDDING if kwargs.get(name) is not None}
        return {**original(*args, **kwargs), **ours}

    return get_optional_params_embeddings


def _list_supported(original: Function) -> Function:
    """Say what is supported to who asks, such as a Router that leaves deployments out: thinking is, sound is not."""

    def get_supported_openai_params(model: str, custom_llm_provider: str | None = None, **kwargs: Any) -> Any:
        found = original(model, custom_llm_provider, **kwargs)
        ours = custom_llm_provider == PROVIDER or (not custom_llm_provider and model.startswith(f"{PROVIDER}/"))
        if not ours or not isinstance(found, list):
            return found
        return [*(name for name in found if name not in PARAMETERS), *_THINKING]

    return get_supported_openai_params
