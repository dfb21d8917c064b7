"""Results with what Qwen adds to OpenAI's answers: reasoning, prompt cache, who answered, stand-ins."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from qwen_portal.quota.attempts import TAG

if TYPE_CHECKING:
    from langchain_core.messages.ai import InputTokenDetails

# A name without a content translator of its own in langchain-core: its general one then makes the reasoning a
# content block, which the one for "openai" leaves out.
PROVIDER = "qwen-portal"


def complete_result(result: ChatResult, answer: Mapping[str, Any]) -> ChatResult:
    """Add to LangChain's reading of a completion what only Qwen's has.

    Args:
        result: What langchain-openai made of ``answer``.
        answer: The chat.completion dict.
    """
    result.llm_output = {**(result.llm_output or {}), "model_provider": PROVIDER}
    for generation, choice in zip(result.generations, answer["choices"], strict=True):
        _complete_message(generation.message, choice["message"], answer.get("usage"))
        _mark(generation.message, answer)
    return result


def complete_chunk(generation: ChatGenerationChunk, chunk: Mapping[str, Any]) -> ChatGenerationChunk:
    """Add to LangChain's reading of a chunk what only Qwen's has.

    Args:
        generation: What langchain-openai made of ``chunk``.
        chunk: The chat.completion.chunk dict; the one with the usage has no choices.
    """
    choices = chunk.get("choices") or [{}]
    _complete_message(generation.message, choices[0].get("delta") or {}, chunk.get("usage"))
    _mark(generation.message, chunk)
    return generation


def _mark(message: BaseMessage, answer: Mapping[str, Any]) -> None:
    if TAG in answer:
        message.response_metadata[TAG] = answer[TAG]


def _complete_message(message: BaseMessage, said: Mapping[str, Any], usage: Mapping[str, Any] | None) -> None:
    message.response_metadata["model_provider"] = PROVIDER
    if reasoning := said.get("reasoning_content"):
        message.additional_kwargs["reasoning_content"] = reasoning
    created = ((usage or {}).get("prompt_tokens_details") or {}).get("cache_creation_input_tokens")
    if created is not None and isinstance(message, AIMessage) and message.usage_metadata:
        known = message.usage_metadata.get("input_token_details") or {}
        message.usage_metadata["input_token_details"] = cast("InputTokenDetails", {**known, "cache_creation": created})
