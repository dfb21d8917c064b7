"""The handler that LiteLLM calls for ``qwen-portal/…``: answers whole or streamed, and vectors, sync or async."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, NoReturn

from litellm.llms.custom_llm import CustomLLM
from litellm.types.utils import EmbeddingResponse, ModelResponse, ModelResponseStream

from litellm_qwen_portal.call import Call
from litellm_qwen_portal.chunks import whole_answer
from litellm_qwen_portal.embeddings import EmbeddingCall
from litellm_qwen_portal.errors import raised_as_litellm
from litellm_qwen_portal.messages import check_media
from litellm_qwen_portal.observation import Observation
from litellm_qwen_portal.streams import AsyncStream, Stream
from qwen_portal.errors import QwenBadRequestError


class QwenPortalLLM(CustomLLM):
    """Qwen's portal for LiteLLM; ``litellm_qwen_portal.handler`` is one, ready for a proxy's custom_provider_map.

    LiteLLM passes everything by keyword: see litellm.llms.custom_llm.CustomLLM for the names. Each method raises one of
    litellm.exceptions, with the core's error as ``__cause__``.
    """

    def completion(self, *_args: Any, **given: Any) -> ModelResponse:
        """Ask for a whole answer."""
        observation = Observation(given["logging_obj"])
        with raised_as_litellm(given["model"], observation):
            call = _begin(given, observation)
            answer = call.client().chat(**call.arguments())
            return whole_answer(answer, call.model, given["model_response"], observation.headers)

    async def acompletion(self, *_args: Any, **given: Any) -> ModelResponse:
        """Ask for a whole answer without blocking the event loop."""
        observation = Observation(given["logging_obj"])
        with raised_as_litellm(given["model"], observation):
            call = _begin(given, observation)
            answer = await call.async_client().chat(**call.arguments())
            return whole_answer(answer, call.model, given["model_response"], observation.headers)

    def streaming(  # type: ignore[override] # LiteLLM takes its own stream chunks too, see CustomStreamWrapper
        self, *_args: Any, **given: Any
    ) -> Iterator[ModelResponseStream]:
        """Ask for a streamed answer; the request is sent here, so that its errors come at the call."""
        observation = Observation(given["logging_obj"])
        with raised_as_litellm(given["model"], observation):
            call = _begin(given, observation)
            return Stream(call.client().stream(**call.arguments()), call).open()

    def astreaming(  # type: ignore[override] # as above, and LiteLLM does not await it
        self, *_args: Any, **given: Any
    ) -> AsyncIterator[ModelResponseStream]:
        """Ask for a streamed answer without blocking; LiteLLM calls this in a thread that has no event loop.

        The request is sent when the stream is opened on the caller's loop: by a shim, or else by the first chunk.
        """
        observation = Observation(given["logging_obj"])
        with raised_as_litellm(given["model"], observation):
            call = _begin(given, observation)
            return AsyncStream(call.async_client().stream(**call.arguments()), call)

    def embedding(self, *_args: Any, **given: Any) -> EmbeddingResponse:
        """Ask for the vectors of texts."""
        observation = Observation(given["logging_obj"])
        with raised_as_litellm(given["model"], observation):
            asked = _begin_embedding(given, observation)
            answer = asked.call.client().embeddings(**asked.arguments())
            return asked.response(answer, given["model_response"])

    async def aembedding(self, *_args: Any, **given: Any) -> EmbeddingResponse:
        """Ask for the vectors of texts without blocking the event loop."""
        observation = Observation(given["logging_obj"])
        with raised_as_litellm(given["model"], observation):
            asked = _begin_embedding(given, observation)
            answer = await asked.call.async_client().embeddings(**asked.arguments())
            return asked.response(answer, given["model_response"])

    def image_generation(self, *_args: Any, **given: Any) -> NoReturn:
        """Refuse: the service has none. LiteLLM's own answer would be a 500, which a Router repeats."""
        _refuse(given, "images")

    async def aimage_generation(self, *_args: Any, **given: Any) -> NoReturn:
        """Refuse, as ``image_generation`` does."""
        _refuse(given, "images")

    def image_edit(self, *_args: Any, **given: Any) -> NoReturn:
        """Refuse, as ``image_generation`` does."""
        _refuse(given, "images")

    async def aimage_edit(self, *_args: Any, **given: Any) -> NoReturn:
        """Refuse, as ``image_generation`` does."""
        _refuse(given, "images")


def _refuse(given: dict[str, Any], what: str) -> NoReturn:
    with raised_as_litellm(given["model"]):
        raise QwenBadRequestError(
            f"This provider makes no {what}: it chats and embeds only.",
            hint="Model Studio has models for it, at an OpenAI-compatible address: use LiteLLM's openai/… with a key.",
        )


def _begin(given: dict[str, Any], observation: Observation) -> Call:
    call = Call.read(given, observation)
    call.announce(given["logging_obj"], "messages", call.messages)
    # after it: LiteLLM's raw request shows what was asked for, as it does where the service refuses
    check_media(call.messages)
    return call


def _begin_embedding(given: dict[str, Any], observation: Observation) -> EmbeddingCall:
    call = Call.read(given, observation)
    call.announce(given["logging_obj"], "input", given["input"])
    return EmbeddingCall.read(call, given)
