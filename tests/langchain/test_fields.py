"""Every field of the model, inherited ones too, does something or is refused at construction: none is ignored."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, StdOutCallbackHandler
from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import BaseModel

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import (
    QwenQuotaExceededError,
    QwenServerError,
    QwenTimeoutError,
    QwenTokenNotAvailableError,
)
from qwen_portal.emulator import Emulator

if TYPE_CHECKING:
    from langchain_core.tracers.schemas import Run

Probe = Callable[[Emulator], None]

REFUSED: dict[str, Any] = {
    "client": object(),
    "async_client": object(),
    "root_client": object(),
    "root_async_client": object(),
    "http_client": object(),
    "http_async_client": object(),
    "http_socket_options": [(1, 2, 3)],
    "openai_proxy": "http://127.0.0.1:9",
    "default_query": {"a": "b"},
    "include_response_headers": True,
    "stream_chunk_timeout": 5,
    "tiktoken_model_name": "gpt-4",
    "openai_organization": "org",
    "service_tier": "flex",
    "logit_bias": {1: 5},
    "prompt_cache_options": {"a": 1},
    "use_responses_api": True,
    "use_previous_response_id": True,
    "reasoning": {"effort": "low"},
    "verbosity": "low",
    "context_management": [{"type": "compaction"}],
    "include": ["reasoning.encrypted_content"],
    "truncation": "auto",
}
REFUSED_SPELLINGS: dict[str, Any] = {"organization": "org", "output_version": "responses/v1"}
# Field: the value given, and what the request's body then has.
SENT: dict[str, tuple[Any, dict[str, Any]]] = {
    "model_name": ("vision-model", {"model": "vision-model"}),
    "temperature": (0.3, {"temperature": 0.3}),
    "top_p": (0.4, {"top_p": 0.4}),
    "presence_penalty": (0.5, {"presence_penalty": 0.5}),
    "frequency_penalty": (0.6, {"frequency_penalty": 0.6}),
    "seed": (7, {"seed": 7}),
    "n": (2, {"n": 2}),
    "stop": (["END"], {"stop": ["END"]}),
    "logprobs": (True, {"logprobs": True}),
    "top_logprobs": (3, {"top_logprobs": 3}),
    "max_tokens": (9, {"max_tokens": 9}),
    "model_kwargs": ({"top_k": 5}, {"top_k": 5}),
    "extra_body": ({"repetition_penalty": 1.1}, {"repetition_penalty": 1.1}),
    "reasoning_effort": ("low", {"enable_thinking": True, "thinking_budget": 1_024}),
    "enable_thinking": (True, {"enable_thinking": True}),
    "thinking_budget": (50, {"thinking_budget": 50}),
    "preserve_thinking": (True, {"preserve_thinking": True}),
    "output_cap": (100, {"max_tokens": 100}),
    "max_completion_tokens": (100, {"max_tokens": 100}),
    "streaming": (True, {"stream": True}),
}


class Listener(BaseCallbackHandler):
    """Notes how each run starts."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        """Note it."""
        self.started.append(kwargs)


class Limiter(BaseRateLimiter):
    """Counts who asks."""

    asked = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        """Let everybody through."""
        self.asked += 1
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Let everybody through."""
        return self.acquire()


class Pair(BaseModel):
    """Two numbers."""

    first: int
    second: int


def _ask(**options: Any) -> Any:
    return ChatQwenPortal(**options).invoke("What is 2+2?")


def name(emulator: Emulator) -> None:
    """A run is named after it."""
    runs: list[Run] = []
    model = ChatQwenPortal(name="calculator")
    model.with_listeners(on_end=runs.append).invoke("Hi")
    assert model.get_name() == "calculator"
    assert runs[0].name == "calculator"


def cache(emulator: Emulator) -> None:
    """The second time no request is made."""
    model = ChatQwenPortal(cache=InMemoryCache())
    assert model.invoke("What is 2+2?").text == model.invoke("What is 2+2?").text == "2+2 = 4"
    assert len(emulator.chats()) == 1


def verbose(emulator: Emulator) -> None:
    """LangChain's own handler for the terminal listens."""
    heard: list[Any] = []

    class Open(ChatQwenPortal):
        def _generate(self, *args: Any, run_manager: Any = None, **kwargs: Any) -> Any:
            heard.extend(run_manager.handlers)
            return super()._generate(*args, **kwargs)

    Open(verbose=True).invoke("Hi")
    assert any(isinstance(handler, StdOutCallbackHandler) for handler in heard)


def callbacks(emulator: Emulator) -> None:
    """They hear of each run."""
    listener = Listener()
    _ask(callbacks=[listener])
    assert len(listener.started) == 1


def tags(emulator: Emulator) -> None:
    """Runs carry them."""
    listener = Listener()
    _ask(callbacks=[listener], tags=["blue"])
    assert listener.started[0]["tags"] == ["blue"]


def metadata(emulator: Emulator) -> None:
    """Runs carry it, beside LangChain's own."""
    listener = Listener()
    _ask(callbacks=[listener], metadata={"team": "blue"})
    assert listener.started[0]["metadata"]["team"] == "blue"


def custom_get_token_ids(emulator: Emulator) -> None:
    """It counts exactly."""
    assert ChatQwenPortal(custom_get_token_ids=lambda text: [1] * len(text)).get_num_tokens("abc") == 3


def rate_limiter(emulator: Emulator) -> None:
    """It is asked before each request, whole or streamed."""
    limiter = Limiter()
    model = ChatQwenPortal(rate_limiter=limiter)
    model.invoke("Hi")
    list(model.stream("Hi"))
    assert limiter.asked == 2


def disable_streaming(emulator: Emulator) -> None:
    """A stream is then one whole answer."""
    list(ChatQwenPortal(disable_streaming=True).stream("Hi"))
    assert emulator.chats()[0].body["stream"] is False


def output_version(emulator: Emulator) -> None:
    """Content becomes blocks."""
    assert _ask(output_version="v1").content == [{"type": "text", "text": "2+2 = 4"}]


def profile(emulator: Emulator) -> None:
    """The user's own counts."""
    assert ChatQwenPortal(profile={"max_input_tokens": 5}).profile == {"max_input_tokens": 5}


def openai_api_key(emulator: Emulator) -> None:
    """It is the bearer."""
    _ask(api_key="sk-mine", base_url=emulator.base_url)
    assert emulator.chats()[0].headers["authorization"] == "Bearer sk-mine"


def openai_api_base(emulator: Emulator) -> None:
    """Requests go there."""
    _ask(base_url=f"{emulator.url}/compatible-mode/v1", api_key="sk-mine")
    assert emulator.chats()[0].path == "/compatible-mode/v1/chat/completions"


def request_timeout(emulator: Emulator) -> None:
    """An answer may take that long, and no longer."""
    emulator.scenario("silence")
    with pytest.raises(QwenTimeoutError, match="no answer for 30 s"):
        _ask(timeout=30)


def max_retries(emulator: Emulator) -> None:
    """So often is a failure repeated."""
    emulator.scenario("error-500")
    with pytest.raises(QwenServerError):
        _ask(max_retries=1)
    assert len(emulator.chats()) == 2


def stream_usage(emulator: Emulator) -> None:
    """Without it a stream has no usage."""
    chunks = list(ChatQwenPortal(stream_usage=False).stream("Hi"))
    assert not any(chunk.usage_metadata for chunk in chunks)


def default_headers(emulator: Emulator) -> None:
    """Requests carry them."""
    ChatQwenPortal(default_headers={"X-Team": "blue", "X-Room": "1"}).invoke("Hi", extra_headers={"X-Room": "2"})
    headers = emulator.chats()[0].headers
    assert (headers["x-team"], headers["x-room"]) == ("blue", "2")


def disabled_params(emulator: Emulator) -> None:
    """They are not sent, whoever sets them."""
    model = ChatQwenPortal(disabled_params={"parallel_tool_calls": None, "seed": [7]}, seed=7)
    model.with_structured_output(Pair).invoke("Give me 1 and 2.")
    model.bind_tools([Pair], parallel_tool_calls=True).invoke("Hi", seed=8)
    forced, free = (entry.body for entry in emulator.chats())
    assert not {"parallel_tool_calls", "seed"} & set(forced)
    assert "parallel_tool_calls" not in free
    assert free["seed"] == 8


def account(emulator: Emulator) -> None:
    """That account is asked for."""
    with pytest.raises(QwenTokenNotAvailableError, match="nobody"):
        _ask(account="nobody")


def plan(emulator: Emulator) -> None:
    """It says what stands behind a name."""
    there = ChatQwenPortal(model="vision-model", api_key="sk-sp-x", plan="coding-intl")
    assert there.profile != ChatQwenPortal(model="vision-model").profile
    with pytest.raises(Exception, match="no key of it"):
        ChatQwenPortal(plan="coding-intl")


def store(emulator: Emulator) -> None:
    """Sign-ins are looked up there, and nowhere else."""
    with pytest.raises(QwenTokenNotAvailableError):
        _ask(store="memory")


def allow_images(emulator: Emulator) -> None:
    """A text model is then sent pictures, and the service judges."""
    question: Any = ("user", [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}])
    with pytest.raises(Exception, match="Unexpected item type in content"):
        ChatQwenPortal(allow_images=True, max_retries=0).invoke([question])
    assert len(emulator.chats()) == 1


def prompt_caching(emulator: Emulator) -> None:
    """Marks are set."""
    _ask(prompt_caching=True)
    assert emulator.chats()[0].body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}


def on_quota(emulator: Emulator) -> None:
    """A spent quota is the end of it: nothing else is tried."""
    emulator.set_quota(0)
    with pytest.raises(QwenQuotaExceededError):
        _ask(on_quota="error")
    assert len(emulator.chats()) == 1


EFFECTS: tuple[Probe, ...] = (
    *(name, cache, verbose, callbacks, tags, metadata, custom_get_token_ids, rate_limiter, disable_streaming),
    *(output_version, profile, openai_api_key, openai_api_base, request_timeout, max_retries, stream_usage),
    *(default_headers, disabled_params, account, plan, store, allow_images, prompt_caching, on_quota),
)


def test_the_walk_leaves_no_field_out() -> None:
    """Whatever langchain-openai adds to its model must be decided here before it ships."""
    decided = {*REFUSED, *SENT, *(probe.__name__ for probe in EFFECTS)}
    assert not set(ChatQwenPortal.model_fields) - decided


@pytest.mark.parametrize("option", [*REFUSED, *REFUSED_SPELLINGS])
def test_a_field_without_meaning_is_refused(option: str) -> None:
    """What could only be ignored is named at construction, with a reason."""
    with pytest.raises(ValueError, match=rf"{option}\S* \w+"):
        ChatQwenPortal(**{option: (REFUSED | REFUSED_SPELLINGS)[option]})


@pytest.mark.parametrize("option", sorted(set(REFUSED) & set(ChatQwenPortal.model_fields)))
def test_a_field_left_at_its_default_is_no_wish(option: str) -> None:
    """Passing a default changes nothing; frameworks do that."""
    default = ChatQwenPortal.model_fields[option].get_default(call_default_factory=True)
    assert ChatQwenPortal(**{option: default}).model_dump() == ChatQwenPortal().model_dump()


@pytest.mark.parametrize("option", SENT)
def test_a_field_is_sent(option: str, signed_in: Emulator) -> None:
    """It stands in the request."""
    value, expected = SENT[option]
    _ask(**{option: value})
    body = signed_in.chats()[0].body
    assert {name: body.get(name) for name in expected} == expected


@pytest.mark.usefixtures("over_when_silent")
@pytest.mark.parametrize("probe", EFFECTS, ids=lambda probe: str(probe.__name__))
def test_a_field_has_its_effect(probe: Probe, signed_in: Emulator) -> None:
    """Each has the effect that its probe describes."""
    probe(signed_in)


@pytest.mark.parametrize("option", ["no_such_option", "max_token"])
def test_an_unknown_option_is_told(option: str) -> None:
    """A mistyped name is not swallowed: LangChain warns, and takes it for a parameter of the service's."""
    options: dict[str, Any] = {option: 1}
    with pytest.warns(UserWarning, match=option):
        ChatQwenPortal(**options)
