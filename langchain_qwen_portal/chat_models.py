"""ChatQwenPortal: langchain-openai's conversions on this package's own transport."""

import os
from collections.abc import Mapping
from typing import Any, Self

from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from pydantic import Field, model_validator

from langchain_qwen_portal.errors import translated
from langchain_qwen_portal.options import settle_options
from langchain_qwen_portal.payload import (
    mark_for_caching,
    plain_response_format,
    prefer_call_limit,
    refuse_local_files,
    with_known_roles,
    with_reasoning,
    with_service_videos,
)
from langchain_qwen_portal.profiles import DerivedProfile
from langchain_qwen_portal.results import PROVIDER
from langchain_qwen_portal.structured_output import StructuredOutput
from langchain_qwen_portal.traces import trace_params
from qwen_portal import QwenError, __version__
from qwen_portal.requests.chat_request import TOKEN_FIELDS
from qwen_portal.service.models import CODER


def _output_version() -> str | None:
    # LC_OUTPUT_VERSION is LangChain's; its third value, responses/v1, is for OpenAI's Responses API alone.
    version = os.environ.get("LC_OUTPUT_VERSION")
    return version if version in {"v0", "v1"} else None


class ChatQwenPortal(StructuredOutput):
    """Qwen's models in LangChain: a sign-in made once, or the API key of a Qwen plan.

    Setup:
        .. code-block:: bash

            pip install "qwen-portal[langchain]"
            qwen-portal login                      # or: qwen-portal login --plan studio-intl --api-key-stdin

    Instantiate:
        Constructing reads no secret and makes no request. Options of OpenAI's that Qwen has no use for are refused.

        .. code-block:: python

            from langchain_qwen_portal import ChatQwenPortal

            model = ChatQwenPortal(model="coder-model", max_tokens=2_000, temperature=0)

    Invoke:
        .. code-block:: python

            answer = model.invoke([("system", "Answer briefly."), ("user", "What is 2+2?")])
            print(answer.text)

    Stream:
        .. code-block:: python

            for chunk in model.stream("Count to 5"):
                print(chunk.text, end="")

    Async:
        Any number of event loops and threads may share a model.

        .. code-block:: python

            import asyncio

            import qwen_portal


            async def ask() -> None:
                print((await model.ainvoke("What is 2+2?")).text)
                async for chunk in model.astream("Count to 5"):
                    print(chunk.text, end="")
                await qwen_portal.aclose()  # closes this loop's connections; optional


            asyncio.run(ask())

    Tool calling:
        A request that forces a tool goes without thinking, because the service refuses the two together.

        .. code-block:: python

            from langchain_core.tools import tool


            @tool
            def add(a: int, b: int) -> int:
                '''Add two numbers.'''
                return a + b


            called = model.bind_tools([add], tool_choice="any").invoke("What is 17 + 25?")
            print(called.tool_calls)

    Structured output:
        Methods ``function_calling`` (the default), ``json_mode`` (the prompt must say "json" and describe the keys),
        and ``json_schema``. The first and the last stand in for each other: a model that always thinks cannot be made
        to call a tool, so it is sent the schema (qwen3.8-max on the Token Plan), and one that is not known to keep to
        a schema is made to call a tool. Of who can do neither (qwq-plus) an answer in text is read as JSON, and an
        ``OutputParserException`` says so if it is none.

        .. code-block:: python

            from pydantic import BaseModel


            class Joke(BaseModel):
                '''A joke.'''

                setup: str
                punchline: str


            print(model.with_structured_output(Joke).invoke("Tell me a joke about cats."))

    Image input:
        For ``vision-model``, by address, as data, or from a file, and for every other model that sees, as
        ``coder-model`` does on Model Studio. A text model refuses images before the request.

        .. code-block:: python

            from langchain_core.messages import HumanMessage

            from langchain_qwen_portal import image_block

            question = [{"type": "text", "text": "What is this?"}, image_block("https://example.com/cat.png")]
            print(ChatQwenPortal(model="vision-model").invoke([HumanMessage(question)]).text)
            # image_block("cat.png") reads a file; it makes the block that any LangChain model takes.

        Video is for the models whose profile says so, as LangChain's block (``{"type": "video", "url": …}``, or
        ``base64`` with ``mime_type``) or the service's own ``video_url``; the others refuse it before the request.

    Reasoning:
        ``enable_thinking``, ``thinking_budget`` and ``reasoning_effort`` (``minimal`` to ``max``, ``none``) work with
        every model that thinks: they are sent in its own words. An effort that it lacks is the next stronger one that
        it has, or a budget where it knows no efforts; an effort in ``extra_body`` is sent as it is.

        .. code-block:: python

            thinking = ChatQwenPortal(enable_thinking=True, thinking_budget=500).invoke("What is 17 * 3?")
            print([block["type"] for block in thinking.content_blocks])  # ['reasoning', 'text']

    Token usage:
        Also at the end of streams; ``get_num_tokens`` estimates offline.

        .. code-block:: python

            print(answer.usage_metadata, model.get_num_tokens("What is 2+2?"))

    Prompt caching:
        ``prompt_caching=True`` marks the system message, the last tool and the last message. The service counts the
        first reading of marked tokens at 125 %, later ones within five minutes at 10 %; it needs 1,024 tokens. What
        was read from its cache is in the usage, also without marks.

        .. code-block:: python

            caching = ChatQwenPortal(prompt_caching=True)
            long_rules = ("system", "Answer with the number alone. " * 200)
            for question in ("What is 1+1?", "What is 1+2?"):
                print(caching.invoke([long_rules, ("user", question)]).usage_metadata)

    Response metadata:
        .. code-block:: python

            print(answer.response_metadata["model_name"], answer.response_metadata["finish_reason"])

    Agents:
        The profile says whether the model keeps to a schema; where it does not, agents ask for a ``response_format``
        through a tool, by themselves. It has the window, too, which
        ``SummarizationMiddleware(trigger=("fraction", 0.8))`` and deepagents need.

        .. code-block:: python

            from langchain.agents import create_agent

            agent = create_agent(ChatQwenPortal(), tools=[add])
            print(agent.invoke({"messages": [("user", "Use add to compute 17 plus 25.")]})["messages"][-1].text)

    By name:
        LangChain's own ``init_chat_model`` cannot be told of other packages; this one knows both.

        .. code-block:: python

            from langchain_qwen_portal import init_chat_model

            named = init_chat_model("qwen-portal:coder-model", configurable_fields=["model", "temperature"])
            print(named.invoke("What is 2+2?", config={"configurable": {"model": "vision-model"}}).text)

    State:
        A model is plain data: pickle, deepcopy, ``model_copy`` and ``dumps`` work. ``dumps`` writes no key down; a
        pickle is a whole copy, and has an ``api_key`` that was given in Python. Loading needs the class to be allowed
        by name. A response cache is shared by all accounts whose plans mean the same model.

        .. code-block:: python

            from langchain_core.load import dumps, loads

            allowed = {"allowed_objects": [ChatQwenPortal], "valid_namespaces": ["langchain_qwen_portal"]}
            print(loads(dumps(model), **allowed) == model)

    Errors:
        Each is the core's error and LangChain's at once: QwenQuotaExceededError is also a ModelRateLimitError, and so
        on through both trees. ``.hint`` says what helps, ``.is_retryable`` whether trying again may. A stream that
        breaks off keeps ``.partial_text`` and ``.partial_tool_calls``.

        .. code-block:: python

            from langchain_core.exceptions import ModelError

            try:
                model.invoke("Hello")
            except ModelError as error:
                print(error)

            patient = model.with_retry(retry_if_exception_type=(ModelError,), stop_after_attempt=2)
            safe = patient.with_fallbacks([ChatQwenPortal(model="vision-model")], exceptions_to_handle=(ModelError,))
            print(safe.invoke("What is 2+2?").text)

    Not there:
        Audio, PDF, and options of OpenAI's own service or client: each is refused when the model is made, and never
        silently ignored. Embeddings are a class of their own, :class:`QwenPortalEmbeddings`.
    """

    model_name: str = Field(default=CODER, alias="model")
    """``coder-model``, ``vision-model`` or another id, with or without ``qwen-portal/``."""

    max_tokens: int | None = Field(default=None, ge=1)
    """Output tokens at most. It is lowered to what the model gives; unset, the portal gets that cap."""

    max_completion_tokens: int | None = Field(default=None, ge=1)
    """The same with thinking counted in, where the service tells the two apart; the portal gets the smaller of both."""

    enable_thinking: bool | None = None
    """Whether the model reasons before it answers; left to the service if not given. ``False`` becomes what switches
    that very model off; one that always thinks refuses it."""

    thinking_budget: int | None = Field(default=None, ge=1)
    """Tokens of reasoning at most."""

    preserve_thinking: bool | None = None
    """Whether the model reads its earlier reasoning again; then it is sent back with each turn."""

    output_cap: int | None = Field(default=None, ge=1)
    """Replaces the known cap on output tokens."""

    allow_images: bool = False
    """Whether to send images and videos to a model that is known to take none."""

    prompt_caching: bool = False
    """Whether to mark prompts for the service's cache: a first reading then costs more, a repeated one less."""

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
    def _set_qwen_portal_version(self) -> Self:
        self._add_version("qwen-portal", __version__)
        return self

    # Identity.

    @property
    def _llm_type(self) -> str:
        return PROVIDER

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Say yes: accounts hold the secrets, and a key given in Python is not written down."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Name none: a loaded model finds its account, or QWEN_PORTAL_API_KEY, by itself."""
        return {}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return trace_params(self._with_limits({**self._default_params, **kwargs}, kwargs), stop)

    # What is sent.

    @property
    def _default_params(self) -> dict[str, Any]:
        ours = {
            "max_completion_tokens": self.max_completion_tokens,
            "enable_thinking": self.enable_thinking,
            "thinking_budget": self.thinking_budget,
            "preserve_thinking": self.preserve_thinking,
            "output_cap": self.output_cap,
            "allow_images": self.allow_images or None,
            "prompt_caching": self.prompt_caching or None,
        }
        params = super()._default_params
        params.pop("store", None)
        return {name: value for name, value in ours.items() if value is not None} | params

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        return self._with_limits(super()._get_invocation_params(stop=stop, **kwargs), kwargs)

    def _with_limits(self, params: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Show traces the limits that are sent, not those that were wished for."""
        params = prefer_call_limit(params, given)
        try:
            limits = self._client().output_limits(**params)
        except QwenError:
            # The call that follows reports what is wrong with the settings.
            return params
        return {name: value for name, value in params.items() if name not in TOKEN_FIELDS} | limits

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        messages = self._convert_input(input_).to_messages()
        payload = super()._get_request_payload(with_service_videos(messages), stop=stop, **kwargs)
        payload = plain_response_format(
            prefer_call_limit(self._filter_disabled_params(**payload), kwargs), self._strictness
        )
        payload = with_reasoning(with_known_roles(payload), messages)
        with translated():
            refuse_local_files(payload)
        if payload.pop("prompt_caching", None):
            payload = mark_for_caching(payload)
        if self.default_headers:
            payload["extra_headers"] = {**self.default_headers, **(payload.get("extra_headers") or {})}
        return payload
