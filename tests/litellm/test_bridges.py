"""What users expect to work through LiteLLM's own bridges and helpers; no code of this project makes them."""

import asyncio
import gc
import json
from importlib.util import find_spec
from typing import Any

import litellm
import pytest
from langchain_core.messages import HumanMessage
from langchain_litellm import ChatLiteLLM
from litellm import anthropic_interface as anthropic
from litellm.caching.caching import Cache

from qwen_portal.emulator import Emulator
from tests.canaries import KEY, assert_none_in
from tests.litellm.ways import HELLO, MODEL, TOOL, WAYS, WEATHER, ask, call, run


def test_responses(signed_in: Emulator) -> None:
    """OpenAI's newer interface, whole and streamed."""
    whole: Any = litellm.responses(model=MODEL, input="What is 2+2?")
    assert "4" in whole.output_text
    assert whole.usage.total_tokens > 0
    streamed: Any = litellm.responses(model=MODEL, input="What is 2+2?", stream=True)
    assert "response.completed" in [str(event.type.value) for event in streamed]


def test_anthropic_messages(signed_in: Emulator) -> None:
    """Anthropic's interface, with the service's own usage."""
    made: Any = run(lambda: anthropic.messages.acreate(model=MODEL, messages=HELLO, max_tokens=100))
    assert "4" in made["content"][0]["text"]
    assert made["usage"]["output_tokens"] > 0


def test_anthropic_messages_streamed(signed_in: Emulator) -> None:
    """The same in Anthropic's events, from the first to the last, with the usage of a whole answer."""
    expected = ask().usage
    cached = expected.prompt_tokens_details.cached_tokens or 0
    signed_in.clear_log()

    async def read() -> str:
        stream: Any = await anthropic.messages.acreate(model=MODEL, messages=HELLO, max_tokens=100, stream=True)
        return "".join([event.decode() async for event in stream])

    events = [json.loads(line.removeprefix("data: ")) for line in run(read).splitlines() if line.startswith("data: ")]
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    texts = [event["delta"]["text"] for event in events if event.get("delta", {}).get("type") == "text_delta"]
    assert "4" in "".join(texts)
    (last,) = [event for event in events if event["type"] == "message_delta"]
    assert last["delta"]["stop_reason"] == "end_turn"
    usage = last["usage"]
    assert usage["input_tokens"] + usage.get("cache_read_input_tokens", 0) == expected.prompt_tokens
    assert usage["output_tokens"] == expected.completion_tokens
    assert cached <= expected.prompt_tokens
    assert len(signed_in.chats()) == 1


def test_text_completion(signed_in: Emulator) -> None:
    """The oldest interface, whole and streamed."""
    whole: Any = litellm.text_completion(model=MODEL, prompt="What is 2+2?")
    assert "4" in whole.choices[0].text
    pieces: Any = litellm.text_completion(model=MODEL, prompt="What is 2+2?", stream=True)
    assert "4" in "".join(piece.choices[0].text or "" for piece in pieces)


@pytest.mark.parametrize("way", WAYS)
def test_caching(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Three equal calls are one request."""
    monkeypatch.setattr(litellm, "cache", Cache())
    texts = [WAYS[way](caching=True).text for _ in range(3)]
    assert len(set(texts)) == 1
    assert len(signed_in.chats()) == 1


# A sync call with fallbacks runs on an event loop that LiteLLM leaves without closing what was opened on it (and a sync
# stream cannot be read after it, whatever the provider).
@pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning",
    "ignore:coroutine 'Logging.async_success_handler' was never awaited:RuntimeWarning",  # 1.91 only
)
@pytest.mark.parametrize("way", ["completion", "acompletion", "astream"])
def test_fallbacks(signed_in: Emulator, way: str) -> None:
    """A model that there is not makes way for one that there is."""
    assert "4" in WAYS[way](model="qwen-portal/none", fallbacks=[MODEL]).text
    assert [entry.body["model"] for entry in signed_in.chats()] == ["none", "coder-model"]
    gc.collect()


@pytest.mark.parametrize("way", WAYS)
def test_the_larger_window_without_a_router(signed_in: Emulator, way: str) -> None:
    """context_window_fallback_dict names the model that takes a longer prompt."""
    signed_in.scenario("input-range", times=1)
    vision = "qwen-portal/vision-model"
    assert "4" in WAYS[way](model=vision, context_window_fallback_dict={vision: MODEL}).text
    assert [entry.body["model"] for entry in signed_in.chats()] == ["vision-model", "coder-model"]


def test_health_check(signed_in: Emulator) -> None:
    """One request for one token; a failure is told, without a token of ours."""
    params = {"model": MODEL, "messages": HELLO, "max_tokens": 1}
    if find_spec("fastapi") is None:
        # older ones look up their proxy first, whatever the provider
        with pytest.raises(ModuleNotFoundError):
            run(lambda: litellm.ahealth_check(params, mode="chat"))
        return
    assert "error" not in run(lambda: litellm.ahealth_check(params, mode="chat"))
    assert [entry.body["max_tokens"] for entry in signed_in.chats()] == [1]
    signed_in.scenario("error-500")
    failed = run(lambda: litellm.ahealth_check(params | {"max_retries": 0}, mode="chat"))
    assert "qwen-portal" in str(failed["error"])
    assert_none_in(str(failed), signed_in.issued_tokens())


def test_check_valid_key(emulator: Emulator) -> None:
    """LiteLLM asks with the key that it is given; without an address for it the answer is no."""
    assert not litellm.check_valid_key(MODEL, KEY)
    assert not emulator.chats()


def test_get_valid_models() -> None:
    """LiteLLM lists the models of its own providers only."""
    assert litellm.get_valid_models(custom_llm_provider="qwen-portal") == []


def test_batch_completion(signed_in: Emulator) -> None:
    """Several conversations in threads."""
    answers: Any = litellm.batch_completion(model=MODEL, messages=[HELLO, WEATHER])
    assert len([answer.choices[0].message.content for answer in answers]) == 2
    assert len(signed_in.chats()) == 2


def test_token_counter_and_model_limits() -> None:
    """Counting needs no request, and a prompt can be held against the window that was registered."""
    counted = litellm.token_counter(model=MODEL, messages=HELLO)
    assert 0 < counted < (litellm.get_model_info(MODEL)["max_input_tokens"] or 0)
    assert litellm.get_max_tokens(MODEL) == 65_536
    long: Any = [{"role": "user", "content": "What is 2+2? " * 20_000}] * 4
    vision = "qwen-portal/vision-model"
    assert litellm.token_counter(model=vision, messages=long) > (
        litellm.get_model_info(vision)["max_input_tokens"] or 0
    )


def test_mock_response(signed_in: Emulator) -> None:
    """A test's own answer needs no service, and has the registered price."""
    answer = call(mock_response="Fine.")
    assert answer.choices[0].message.content == "Fine."
    assert answer._hidden_params["response_cost"] == 0.0
    assert not signed_in.chats()


def test_validate_environment() -> None:
    """No variable is missing: the sign-in is not one."""
    assert litellm.validate_environment(MODEL) == {"keys_in_environment": True, "missing_keys": []}


def test_chat_litellm(signed_in: Emulator) -> None:
    """LangChain's model for LiteLLM: an answer, a stream, a tool, with real usage."""
    model = ChatLiteLLM(model=MODEL)
    whole = model.invoke("What is 2+2?")
    assert "4" in str(whole.content)
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] > 0
    assert "4" in "".join(str(piece.content) for piece in model.stream("What is 2+2?"))
    called: Any = model.bind_tools([TOOL]).invoke([HumanMessage(WEATHER[0]["content"])])
    assert [made["args"] for made in called.tool_calls] == [{"city": "Paris"}]


def test_chat_litellm_shows_the_reasoning(signed_in: Emulator) -> None:
    """Apart from the text, whole and streamed."""
    model = ChatLiteLLM(model=MODEL, model_kwargs={"reasoning_effort": "low"})
    whole = model.invoke("What is 2+2?")
    reasoning = whole.additional_kwargs["reasoning_content"]
    assert reasoning
    assert reasoning not in str(whole.content)
    pieces = list(model.stream("What is 2+2?"))
    assert "".join(piece.additional_kwargs.get("reasoning_content", "") for piece in pieces) == reasoning
    assert [entry.body["thinking_budget"] for entry in signed_in.chats()] == [1_024, 1_024]


def test_the_loop_is_free_during_a_refresh(signed_in: Emulator) -> None:
    """While the service holds a refresh back, other tasks of the event loop go on."""
    signed_in.revoke()
    signed_in.scenario("held")

    async def ask() -> str:
        task = asyncio.create_task(litellm.acompletion(model=MODEL, messages=HELLO))
        async with asyncio.timeout(60):
            while not signed_in.log("refresh"):  # noqa: ASYNC110 - the emulator tells nobody
                await asyncio.sleep(0.01)
        assert not task.done()
        signed_in.scenario("held", on=False)
        answer: Any = await task
        return str(answer.choices[0].message.content)

    assert "4" in run(ask)
