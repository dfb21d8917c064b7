"""Parameters that LiteLLM takes for supported and Qwen's models do not offer: OpenAI's web search, and sound.

The core would leave it out, and the answer would only look like what was asked for.
"""

import functools
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import litellm

from litellm_qwen_portal.errors import UnsupportedParameterError

PARAMETERS = ("web_search_options", "audio", "modalities")
_SEARCH, _SOUND = "web_search_options", "audio"
# LiteLLM's bridges from OpenAI's Responses and Anthropic's Messages. Their clients offer a search of the service's own
# with each request, as they offer their tools, and go on without it.
_BRIDGES = ("responses", "aresponses", "anthropic_messages")

_log = logging.getLogger("qwen_portal")


def without_unoffered(params: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters without what is not offered, where LiteLLM is to drop it or where it was an offer alone.

    Args:
        params: OpenAI's parameters.
        given: The handler's keyword arguments.

    Raises:
        UnsupportedParameterError: It is asked for.
    """
    rest = {name: value for name, value in params.items() if not (name in PARAMETERS and value is None)}
    rest = _without_search_tools(rest)
    if _SEARCH in rest and getattr(given.get("logging_obj"), "call_type", None) in _BRIDGES:
        del rest[_SEARCH]
        _tell_search()
    unoffered = [name for name in PARAMETERS if name in rest and not _is_text(name, rest[name])]
    if unoffered and not ((given.get("litellm_params") or {}).get("drop_params") or litellm.drop_params):
        raise _refusal(unoffered[0])
    return {name: value for name, value in rest.items() if name not in unoffered}


def _is_text(name: str, value: Any) -> bool:
    """Tell whether ``modalities`` asks for what there is."""
    return name == "modalities" and not (isinstance(value, Sequence) and _SOUND in value)


def _without_search_tools(params: dict[str, Any]) -> dict[str, Any]:
    """Leave out the searches among the tools; a request without any other has no tools."""
    tools = params.get("tools")
    if not isinstance(tools, Sequence):
        return params
    kept = [tool for tool in tools if not _is_search(tool)]
    if len(kept) == len(tools):
        return params
    _tell_search()
    return {**params, "tools": kept}


def _is_search(tool: Any) -> bool:
    return isinstance(tool, Mapping) and str(tool.get("type")).startswith("web_search")


@functools.cache  # told once in a process: a client such as Codex offers it with every request
def _tell_search() -> None:
    _log.warning(
        "a client offers a web search, which Qwen's models do not have as a tool; it is left out. enable_search=True "
        "in a deployment's litellm_params asks for the service's own, where the plan has it (said once)"
    )


def _refusal(name: str) -> UnsupportedParameterError:
    if name == _SEARCH:
        return UnsupportedParameterError(
            "web_search_options is not offered.", hint="Pass enable_search=True for the search of Qwen's service."
        )
    return UnsupportedParameterError(
        "The models answer in text, not in sound.", hint="Leave audio= and 'audio' in modalities= out."
    )
