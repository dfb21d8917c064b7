"""What users expect to work through LiteLLM's own bridges and helpers; no code of this project makes them."""

import asyncio
from typing import Any

import litellm
import pytest
from langchain_core.messages import HumanMessage
from langchain_litellm import ChatLiteLLM
from litellm import anthropic_interface as anthropic
from litellm.caching.caching import Cache

from qwen_portal.emulator import Emulator
from tests.litellm.ways import HELLO, MODEL, TOOL, WAYS, WEATHER, acall, call, run


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
    """The same in Anthropic's events, from the first to the last."""

    async def read() -> str:
        stream: Any = await anthropic.messages.acreate(model=MODEL, messages=HELLO, max_tokens=100, stream=True)
        return "".join([event.decode() if isinstance(event, bytes) else str(event) async for event in stream])

    events = run(read)
    assert "message_start" in events
    assert "message_stop" in events


def test_text_completion(signed_in: Emulator) -> None:
    """The oldest interface, whole and streamed."""
    whole: Any = litellm.text_completion(model=MODEL, prompt="What is 2+2?")
    assert "4" in whole.choices[0].text
    pieces: Any = litellm.text_completion(model=MODEL, prompt="What is 2+2?", stream=True)
    assert "4" in "".join(piece.choices[0].text or "" for piece in pieces)


@pytest.mark.parametrize("way", ["completion", "acompletion", "stream"])
def test_caching(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Three equal calls are one request."""
    monkeypatch.setattr(litellm, "cache", Cache())
    texts = [WAYS[way](caching=True).text for _ in range(3)]
    assert len(set(texts)) == 1
    assert len(signed_in.chats()) == 1


def test_fallbacks(signed_in: Emulator) -> None:
    """A model that there is not makes way for one that there is."""
    # a sync call with fallbacks runs on an event loop that LiteLLM leaves without closing what it opened
    assert "4" in acall(model="qwen-portal/none", fallbacks=[MODEL]).choices[0].message.content


def test_batch_completion(signed_in: Emulator) -> None:
    """Several conversations in threads."""
    answers: Any = litellm.batch_completion(model=MODEL, messages=[HELLO, WEATHER])
    assert len([answer.choices[0].message.content for answer in answers]) == 2
    assert len(signed_in.chats()) == 2


def test_token_counter_and_model_limits() -> None:
    """Counting needs no request, and a prompt can be held against the window."""
    assert litellm.token_counter(model=MODEL, messages=HELLO) > 0
    assert litellm.get_max_tokens(MODEL) == 65_536


def test_mock_response(signed_in: Emulator) -> None:
    """A test's own answer needs no service."""
    assert call(mock_response="Fine.").choices[0].message.content == "Fine."
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
