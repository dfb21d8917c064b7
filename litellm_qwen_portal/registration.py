"""Making LiteLLM know the provider: its handler, its models' limits, its prices."""

import functools
import logging
from importlib import metadata
from typing import Any

import litellm
from litellm.utils import custom_llm_setup

from litellm_qwen_portal import shims
from litellm_qwen_portal.errors import PROVIDER
from litellm_qwen_portal.handler import QwenPortalLLM
from qwen_portal.client import PortalClient
from qwen_portal.environment import LITELLM_TESTED, is_tested_litellm
from qwen_portal.errors import QwenError
from qwen_portal.service.embeddings import EMBEDDING_MODELS
from qwen_portal.service.models import known_ids, model_on
from qwen_portal.service.plans import OAUTH, Plan, find_plan
from qwen_portal.service.rows import EmbeddingModel, Model

_log = logging.getLogger("qwen_portal")

# One for the process: a proxy's configuration names it.
handler = QwenPortalLLM()

# All four are given, because LiteLLM logs a warning for prices without those of the cache.
_PRICES = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_creation_input_token_cost",
    "cache_read_input_token_cost",
)
_FREE: dict[str, Any] = {**dict.fromkeys(_PRICES, 0.0), "litellm_provider": PROVIDER}


def register() -> None:
    """Register the provider with LiteLLM; importing the package has done it once.

    What assigns ``litellm.custom_provider_map`` forgets every provider that was in it; the next call through this one
    registers it again, or this function does. Entries that are there stay, so calling it twice changes nothing.
    """
    _tell_if_untested(_litellm_version())
    if all(item["provider"] != PROVIDER for item in litellm.custom_provider_map):
        litellm.custom_provider_map.append({"provider": PROVIDER, "custom_handler": handler})
    # Without this the name is unknown until the first completion.
    custom_llm_setup()  # type: ignore[no-untyped-call] # LiteLLM left its types out
    names = {f"{PROVIDER}/{model}": model for model in known_ids()}
    if not names.keys() <= litellm.model_cost.keys():
        plan = _plan_in_use()
        chats = {name: _model_info(model_on(plan, model)) for name, model in names.items()}
        vectors = {f"{PROVIDER}/{row.id}": _embedding_info(row) for row in EMBEDDING_MODELS.values()}
        litellm.register_model(chats | vectors)
    shims.install(register)


@functools.cache  # it is read from the disk, and each call registers
def _litellm_version() -> str:
    return metadata.version("litellm")


@functools.cache  # told once in a process
def _tell_if_untested(version: str) -> None:
    """Warn of a LiteLLM that the tests have not seen.

    Args:
        version: Such as ``"1.106.2"``.
    """
    if not is_tested_litellm(version):
        _log.warning(
            "litellm %s is outside the tested range, %d.%d to below %d.%d: streams and reasoning parameters may behave "
            "as LiteLLM's own custom providers do (said once)",
            *(version, *LITELLM_TESTED[0], *LITELLM_TESTED[1]),
        )


def _plan_in_use() -> Plan:
    """Return the plan of the account that is active; the portal's where nobody can say."""
    try:
        return PortalClient().plan()
    except QwenError:
        return find_plan(OAUTH)


def _model_info(row: Model) -> dict[str, Any]:
    return {
        **_FREE,
        "mode": "chat",
        "max_input_tokens": row.context,
        "max_output_tokens": row.output,
        "max_tokens": row.output,
        "supports_function_calling": True,
        "supports_parallel_function_calling": True,
        "supports_tool_choice": row.can_be_forced,
        "supports_response_schema": row.json_schema,
        "supports_system_messages": True,
        "supports_reasoning": row.thinks != "never",
        "supports_vision": "image" in row.inputs,
        "supports_video_input": "video" in row.inputs,
    }


def _embedding_info(row: EmbeddingModel) -> dict[str, Any]:
    return {
        **_FREE,
        "mode": "embedding",
        "max_input_tokens": row.tokens,
        "max_tokens": row.tokens,
        "output_vector_size": row.dimensions[0],
    }
