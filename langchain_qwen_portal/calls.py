"""The four ways to ask, by the core's clients: langchain-openai's conversions without its client."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Self, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, SecretStr, model_validator

from langchain_qwen_portal.connection import KEPT, client_settings, kept_clients
from langchain_qwen_portal.errors import translated, unreadable_answers
from langchain_qwen_portal.results import complete_chunk, complete_result
from langchain_qwen_portal.token_counts import TokenCounts
from langchain_qwen_portal.tool_calls import NamelessCalls, readable_calls, unreadable_calls
from qwen_portal import AsyncPortalClient, PortalClient

F = TypeVar("F", bound=Callable[..., Any])


def _signed(method: F) -> F:
    """Keep a method's signature with it: LangChain asks for it at every call, and Python would work it out anew."""
    method.__signature__ = inspect.signature(method)  # type: ignore[attr-defined] # PEP 362: a function may have one
    return method


class PortalCalls(TokenCounts):
    """A chat model whose requests go through PortalClient and AsyncPortalClient."""

    __slots__ = (KEPT,)

    # A mistyped option must not print the key that stands beside it.
    model_config = ConfigDict(hide_input_in_errors=True)

    account: str | None = None
    """Account label; it pins the model to that account. Without it the active account is used."""

    # Written down nowhere: neither dumps() nor a trace has it.
    openai_api_key: SecretStr | str | None = Field(  # type: ignore[assignment]  # a str is wrapped at once
        default=None, alias="api_key", exclude=True, repr=False
    )
    """A key of a Qwen plan, used as it is and never stored; QWEN_PORTAL_API_KEY if not given."""

    plan: str | None = None
    """The plan of ``api_key``, such as ``studio-intl``; QWEN_PORTAL_PLAN if not given."""

    on_quota: str | None = None
    """What to try in turn when a quota is used up: any of ``switch,degrade,cli``, or ``error``; QWEN_PORTAL_ON_QUOTA if
    not given. An answer that is not the one asked for has ``response_metadata["on_quota"]``."""

    store: str | None = None  # type: ignore[assignment]  # OpenAI's field of that name does not exist at Qwen
    """Where sign-ins are kept; QWEN_PORTAL_STORE if not given."""

    openai_api_base: str | None = Field(default=None, alias="base_url")
    """Where ``api_key`` goes. For a sign-in the address comes from the environment: QWEN_PORTAL_BASE_URL."""

    request_timeout: float | None = Field(default=None, alias="timeout", gt=0)
    """Seconds for one whole answer, retries included; QWEN_PORTAL_TIMEOUT if not given."""

    max_retries: int | None = Field(default=None, ge=0)
    """Repeats of a request that failed in passing; 2 if not given."""

    n: int | None = Field(default=None, ge=1)
    """How many answers to ask for; streams give one."""

    stream_usage: bool | None = True
    """Whether a stream ends with the usage; without it no ``stream_options`` are sent, which not all services know."""

    @model_validator(mode="after")
    def validate_environment(self) -> Self:
        """Check the settings. It replaces the parent's, which builds OpenAI's clients from OPENAI_* variables."""
        if self.streaming and (self.n or 1) > 1:
            raise ValueError("n must be 1 when streaming.")
        with translated():
            self._client()
        return self

    def _use_responses_api(self, payload: dict[str, Any]) -> bool:  # noqa: ARG002 - the parent's signature
        return False

    def _client_settings(self) -> dict[str, Any]:
        return client_settings(
            account=self.account,
            on_quota=self.on_quota,
            api_key=self.openai_api_key,
            plan=self.plan,
            timeout=self.request_timeout,
            max_retries=self.max_retries,
            base_url=self.openai_api_base,
            store=self.store,
        )

    def _client(self) -> PortalClient:
        return kept_clients(self, self._client_settings()).sync()

    def _async_client(self) -> AsyncPortalClient:
        return kept_clients(self, self._client_settings()).for_loops()

    @_signed
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - there is nothing to tell in between
        **kwargs: Any,
    ) -> ChatResult:
        payload = self._get_request_payload(messages, stop=stop, **kwargs)
        with translated():
            return self._create_chat_result(self._client().chat(**_whole(payload)))

    @_signed
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - there is nothing to tell in between
        **kwargs: Any,
    ) -> ChatResult:
        payload = self._get_request_payload(messages, stop=stop, **kwargs)
        with translated():
            return self._create_chat_result(await self._async_client().chat(**_whole(payload)))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        stream_usage: bool | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        payload = self._get_request_payload(messages, stop=stop, **kwargs)
        with_usage, nameless = self._should_stream_usage(stream_usage, **kwargs), NamelessCalls()
        question = _streamed(payload, with_usage=with_usage)
        with translated(), self._client().stream(**question) as chunks:
            for chunk in chunks:
                generation = self._read_chunk(nameless.mark(chunk), with_usage=with_usage)
                if generation is None:
                    continue
                if run_manager:
                    run_manager.on_llm_new_token(generation.text, chunk=generation)
                yield generation

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        *,
        stream_usage: bool | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        payload = self._get_request_payload(messages, stop=stop, **kwargs)
        with_usage, nameless = self._should_stream_usage(stream_usage, **kwargs), NamelessCalls()
        question = _streamed(payload, with_usage=with_usage)
        with translated():
            async with self._async_client().stream(**question) as chunks:
                async for chunk in chunks:
                    generation = self._read_chunk(nameless.mark(chunk), with_usage=with_usage)
                    if generation is None:
                        continue
                    if run_manager:
                        await run_manager.on_llm_new_token(generation.text, chunk=generation)
                    yield generation

    def _read_chunk(self, chunk: dict[str, Any], *, with_usage: bool) -> ChatGenerationChunk | None:
        if not with_usage:
            chunk = {**chunk, "usage": None}
        return self._convert_chunk_to_generation_chunk(chunk, AIMessageChunk, None)

    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        with unreadable_answers():
            result = super()._create_chat_result(readable_calls(response), generation_info)
            for generation, choice in zip(result.generations, response["choices"], strict=True):
                if isinstance(generation.message, AIMessage):
                    generation.message.invalid_tool_calls += unreadable_calls(choice["message"])
            return complete_result(result, response)

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        with unreadable_answers():
            generation = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
            return None if generation is None else complete_chunk(generation, chunk)


def _whole(payload: dict[str, Any]) -> dict[str, Any]:
    """Leave ``stream`` to the method that is called."""
    return {name: value for name, value in payload.items() if name != "stream"}


def _streamed(payload: dict[str, Any], *, with_usage: bool) -> dict[str, Any]:
    """Ask for one answer: LangChain's streams have no place for a second one, and would run them together."""
    wanted = {name: value for name, value in _whole(payload).items() if name != "n"}
    return wanted if with_usage else {**wanted, "stream_options": {"include_usage": False}}
