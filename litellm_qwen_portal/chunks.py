"""A streamed answer in the order that LiteLLM can read.

LiteLLM stops reading a custom provider's stream at the first chunk without content after a finish_reason, and so loses
the usage that OpenAI-style streams send last. Here usage comes before finish_reason.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from litellm.litellm_core_utils.core_helpers import process_response_headers
from litellm.litellm_core_utils.llm_response_utils.convert_dict_to_response import convert_to_model_response_object
from litellm.types.utils import ModelResponse, ModelResponseStream

from litellm_qwen_portal.errors import unreadable_answers
from litellm_qwen_portal.think_tags import ThinkTags
from qwen_portal.quota.attempts import TAG

Chunk = dict[str, Any]


class UsageFirst:
    """Puts one stream's chunks in order, all with one ``id``, ``created`` and ``model``.

    Args:
        model: The model asked for. LiteLLM writes the last chunks itself and names this one in them.
        created: Seconds since the epoch, for the same reason LiteLLM's own and not the service's.
        merge_reasoning: Whether reasoning belongs into the text.
    """

    def __init__(self, model: str, created: int, *, merge_reasoning: bool = False) -> None:
        self._tags = ThinkTags() if merge_reasoning else None
        self._envelope: Chunk = {"model": model, "created": created}
        self._usage: Chunk | None = None
        self._finishes: list[Chunk] = []

    def feed(self, chunk: Chunk) -> Iterator[ModelResponseStream]:
        """Yield what may pass already; usage and finish_reason are kept back, the last of each counts."""
        for name in ("id", "system_fingerprint"):
            self._envelope.setdefault(name, chunk.get(name))
        self._usage = chunk.get("usage") or self._usage
        choices = [self._without_finish(self._tagged(choice)) for choice in chunk.get("choices") or ()]
        passing = [choice for choice in choices if choice is not None]
        if passing:
            yield self._chunk(passing)

    def end(self) -> Iterator[ModelResponseStream]:
        """Yield what was kept back."""
        if self._usage is not None:
            yield self._chunk([], usage=self._usage)
        for choice in self._finishes:
            yield self._chunk([choice])

    def _tagged(self, choice: Chunk) -> Chunk:
        return choice if self._tags is None else self._tags.merge(choice)

    def _without_finish(self, choice: Chunk) -> Chunk | None:
        if not choice.get("finish_reason"):
            return choice
        self._finishes.append({**choice, "delta": {}})
        delta = choice.get("delta") or {}
        has_content = any(delta.get(name) for name in ("content", "reasoning_content", "tool_calls"))
        return {**choice, "finish_reason": None} if has_content else None

    def _chunk(self, choices: list[Chunk], **more: Any) -> ModelResponseStream:
        with unreadable_answers():
            return ModelResponseStream(**self._envelope, choices=choices, **more)  # type: ignore[arg-type] # it takes dicts


def whole_answer(
    answer: dict[str, Any], model: str, model_response: ModelResponse, headers: Mapping[str, str]
) -> ModelResponse:
    """Turn a chat.completion dict into LiteLLM's response.

    Args:
        answer: From the core's client.
        model: The model asked for. LiteLLM looks the price of an answer up by the name in it, and has none for what the
            service calls the model.
        model_response: The empty response that LiteLLM made for this call.
        headers: Of the service's response.
    """
    plain = {name: value for name, value in answer.items() if name != TAG} | {"model": model}
    with unreadable_answers():
        filled = cast(
            "ModelResponse",
            convert_to_model_response_object(response_object=plain, model_response_object=model_response),
        )
    filled._hidden_params["additional_headers"] = process_response_headers(dict(headers))  # noqa: SLF001 - as below
    if TAG in answer:
        filled._hidden_params[TAG] = answer[TAG]  # noqa: SLF001 - LiteLLM's place for what is beside an answer
    return filled
