"""ChatQwenPortal: langchain-openai's conversions on this package's own transport."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput, ModelProfile
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import Field, SecretStr, model_validator

from langchain_qwen_portal.errors import translated
from langchain_qwen_portal.options import settle_options
from langchain_qwen_portal.payload import plain_response_format, prefer_call_limit, think_unless_forced
from langchain_qwen_portal.profiles import DerivedProfile, model_profile
from langchain_qwen_portal.results import PROVIDER, complete_chunk, complete_result
from langchain_qwen_portal.token_estimate import estimate_message_tokens, estimate_tokens
from qwen_portal import AsyncPortalClient, PortalClient, QwenError, __version__
from qwen_portal.models import CODER


def _output_version() -> str | None:
    # LC_OUTPUT_VERSION is LangChain's; its third value, responses/v1, is for OpenAI's Responses API alone.
    version = os.environ.get("LC_OUTPUT_VERSION")
    return version if version in {"v0", "v1"} else None


class ChatQwenPortal(BaseChatOpenAI):
    """Qwen's models in LangChain."""

    model_name: str = Field(default=CODER, alias="model")
    """``coder-model``, ``vision-model`` or another id, with or without ``qwen-portal/``."""

    account: str | None = None
    """Account label; it pins the model to that account. Without it the active account is used."""

    # Written down nowhere: neither dumps() nor a trace has it.
    openai_api_key: SecretStr | None = Field(default=None, alias="api_key", exclude=True, repr=False)
    """A key of a Qwen plan, used as it is and never stored; QWEN_PORTAL_API_KEY if not given."""

    plan: str | None = None
    """The plan of ``api_key``, such as ``coding-intl``; QWEN_PORTAL_PLAN if not given."""

    max_tokens: int | None = Field(default=None, ge=1)
    """Output tokens at most. It is lowered to what the model gives; unset, the portal gets that cap."""

    enable_thinking: bool | None = None
    """Whether the model reasons before it answers; left to the service if not given."""

    thinking_budget: int | None = Field(default=None, ge=1)
    """Tokens of reasoning at most."""

    output_cap: int | None = Field(default=None, ge=1)
    """Replaces the known cap on output tokens."""

    allow_images: bool = False
    """Whether to send images to a model that is known to take text only."""

    store: str | None = None  # type: ignore[assignment]  # OpenAI's field of that name does not exist at Qwen
    """Where sign-ins are kept; QWEN_PORTAL_STORE if not given."""

    openai_api_base: str | None = Field(default=None, alias="base_url")
    """Chat base URL; overrides the account's own."""

    request_timeout: float | None = Field(default=None, alias="timeout", gt=0)
    """Seconds for one whole answer, retries included; QWEN_PORTAL_TIMEOUT if not given."""

    max_retries: int | None = Field(default=None, ge=0)
    """Repeats of a request that failed in passing; 2 if not given."""

    n: int | None = Field(default=None, ge=1)
    """How many answers to ask for; streams give one."""

    stream_usage: bool | None = True
    """Whether a stream ends with the usage."""

    output_version: str | None = Field(default_factory=_output_version)
    """``v0`` or ``v1``: whether content stays as the service sent it or becomes LangChain's content blocks."""

    # The parent's defaults for these read variables that are not ours.
    openai_proxy: str | None = Field(default=None, exclude=True, repr=False)
    stream_chunk_timeout: float | None = Field(default=None, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _settle_options(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Take the constructor's other spellings, and refuse what could only be ignored."""
        values = settle_options(values)
        if isinstance(values.get("profile"), DerivedProfile):
            del values["profile"]
        return values

    @model_validator(mode="after")
    def validate_environment(self) -> Self:
        """Check the settings. It replaces the parent's, which builds OpenAI's clients from OPENAI_* variables."""
        if self.streaming and (self.n or 1) > 1:
            raise ValueError("n must be 1 when streaming.")
        with translated():
            self._client()
        return self

    @model_validator(mode="after")
    def _set_qwen_portal_version(self) -> Self:
        self._add_version("qwen-portal", __version__)
        return self

    def _resolve_model_profile(self) -> ModelProfile | None:
        return model_profile(self.model_name, self._client().plan())

    # Identity.

    @property
    def _llm_type(self) -> str:
        return PROVIDER

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Say yes: no secret is in the object, so it can be written down whole."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """There are none: accounts hold the tokens and keys."""
        return {}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return {**super()._get_ls_params(stop=stop, **kwargs), "ls_provider": PROVIDER}

    # What is sent.

    @property
    def _default_params(self) -> dict[str, Any]:
        ours = {
            "enable_thinking": self.enable_thinking,
            "thinking_budget": self.thinking_budget,
            "output_cap": self.output_cap,
            "allow_images": self.allow_images or None,
        }
        params = super()._default_params
        params.pop("store", None)
        return {name: value for name, value in ours.items() if value is not None} | params

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        """Show traces the ``max_tokens`` that is sent, not the one that was wished for."""
        params = prefer_call_limit(super()._get_invocation_params(stop=stop, **kwargs), kwargs)
        try:
            limit = self._client().output_limit(**params)
        except QwenError:
            # The call that follows reports what is wrong with the settings.
            return params
        params.pop("max_completion_tokens", None)
        return params if limit is None else {**params, "max_tokens": limit}

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        payload = super()._get_request_payload(input_, stop=stop, **kwargs)
        payload = plain_response_format(think_unless_forced(prefer_call_limit(payload, kwargs)))
        if self.default_headers:
            payload["extra_headers"] = {**self.default_headers, **(payload.get("extra_headers") or {})}
        return payload

    def _use_responses_api(self, payload: dict[str, Any]) -> bool:  # noqa: ARG002 - the parent's signature
        return False

    def _client_settings(self) -> dict[str, Any]:
        key = self.openai_api_key
        return {
            "account": self.account,
            "api_key": None if key is None else key.get_secret_value(),
            "plan": self.plan,
            "timeout": self.request_timeout,
            "max_retries": 2 if self.max_retries is None else self.max_retries,
            "base_url": self.openai_api_base,
            "store": self.store,
        }

    def _client(self) -> PortalClient:
        # A client is made for each call: it costs microseconds, and the model stays plain data that can be copied,
        # pickled, changed and used on any thread. Connections and tokens belong to the process.
        return PortalClient(**self._client_settings())

    def _async_client(self) -> AsyncPortalClient:
        return AsyncPortalClient(**self._client_settings())

    # What comes back.

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - there is nothing to tell in between
        **kwargs: Any,
    ) -> ChatResult:
        payload = self._get_request_payload(messages, stop=stop, **kwargs)
        with translated():
            answer = self._client().chat(**_whole(payload))
        return self._create_chat_result(answer)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - there is nothing to tell in between
        **kwargs: Any,
    ) -> ChatResult:
        payload = self._get_request_payload(messages, stop=stop, **kwargs)
        with translated():
            answer = await self._async_client().chat(**_whole(payload))
        return self._create_chat_result(answer)

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
        with_usage = self._should_stream_usage(stream_usage, **kwargs)
        with translated(), self._client().stream(**_whole(payload)) as chunks:
            for chunk in chunks:
                generation = self._read_chunk(chunk, with_usage=with_usage)
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
        with_usage = self._should_stream_usage(stream_usage, **kwargs)
        with translated():
            async with self._async_client().stream(**_whole(payload)) as chunks:
                async for chunk in chunks:
                    generation = self._read_chunk(chunk, with_usage=with_usage)
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
        return complete_result(super()._create_chat_result(response, generation_info), response)

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        generation = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        return None if generation is None else complete_chunk(generation, chunk)

    # Structured output and token counts.

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Literal["function_calling", "json_mode", "json_schema"] = "function_calling",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Make a runnable that answers with the schema's data.

        Args:
            schema: A Pydantic class, TypedDict class, JSON schema or OpenAI tool.
            method: ``function_calling`` forces a tool call. ``json_mode`` asks for JSON; the prompt must say "json" and
                describe the schema. ``json_schema`` is ``function_calling``, because Qwen guarantees no schema.
            include_raw: Whether to return ``{"raw", "parsed", "parsing_error"}``.
            strict: Passed on in the tool definition; not for ``json_mode``.
            **kwargs: Bound to every call.
        """
        return super().with_structured_output(
            schema,
            method="function_calling" if method == "json_schema" else method,
            include_raw=include_raw,
            strict=strict,
            **kwargs,
        )

    def get_token_ids(self, text: str) -> list[int]:
        """Return a text's token ids by ``custom_get_token_ids``; Qwen's vocabulary is not part of this package.

        Raises:
            NotImplementedError: No ``custom_get_token_ids`` was given.
        """
        if self.custom_get_token_ids is None:
            raise NotImplementedError(
                "Token ids need Qwen's vocabulary: pass custom_get_token_ids. get_num_tokens() estimates without it."
            )
        return self.custom_get_token_ids(text)

    def get_num_tokens(self, text: str) -> int:
        """Estimate a text's length in tokens; exact with ``custom_get_token_ids``."""
        return estimate_tokens(text) if self.custom_get_token_ids is None else len(self.get_token_ids(text))

    def get_num_tokens_from_messages(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
        **_: Any,
    ) -> int:
        """Estimate what messages, images and tool definitions come to in tokens, without the network."""
        return estimate_message_tokens(messages, tools)


def _whole(payload: dict[str, Any]) -> dict[str, Any]:
    """Leave ``stream`` to the method that is called."""
    return {name: value for name, value in payload.items() if name != "stream"}
