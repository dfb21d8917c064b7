"""Traces: what LangSmith sorts calls by."""

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models.base import LangSmithParams

from langchain_qwen_portal.results import PROVIDER


def trace_params(params: Mapping[str, Any], stop: list[str] | None) -> LangSmithParams:
    """Return what langchain-openai would return.

    It works all parameters of the request out for that, which LangChain has asked for a moment before.

    Args:
        params: The model's and the call's parameters, with the limits that are sent.
        stop: What the answer is to end at.
    """
    said = LangSmithParams(
        ls_provider=PROVIDER,
        ls_model_name=params["model"],
        ls_model_type="chat",
        ls_temperature=params.get("temperature"),
    )
    if longest := params.get("max_tokens") or params.get("max_completion_tokens"):
        said["ls_max_tokens"] = longest
    if ends := stop or params.get("stop"):
        said["ls_stop"] = ends
    return said
