"""A question and its answer: invoke, stream, async, batch, and what comes with the text."""

import gc
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.answers.chunks import ChunkReader
from qwen_portal.emulator import Emulator
from qwen_portal.http.pools import async_pool, sync_pool
from tests.connections import busy, until
from tests.langchain.ways import ALL, STREAMED, WHOLE, Way

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

pytestmark = pytest.mark.usefixtures("signed_in", "closing")


@pytest.mark.parametrize("ask", ALL)
def test_an_answer_says_who_gave_it_and_why_it_ended(ask: Way) -> None:
    """Text, finish reason, the service's model name and our provider name arrive in all four ways."""
    message = ask(ChatQwenPortal(), "What is 2+2?")
    assert message.text == "2+2 = 4"
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.response_metadata["model_name"] == "qwen3.6-plus"
    assert message.response_metadata["model_provider"] == "qwen-portal"


@pytest.mark.parametrize("ask", ALL)
def test_a_conversation_keeps_its_roles(ask: Way, emulator: Emulator) -> None:
    """System, user and assistant messages arrive as what they are."""
    ask(ChatQwenPortal(), [SystemMessage("Be brief."), HumanMessage("Hi"), AIMessage("Hello"), HumanMessage("2+2?")])
    assert [message["role"] for message in emulator.chats()[0].body["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]


@pytest.mark.parametrize("ask", ALL)
def test_the_model_of_one_call_is_the_calls(ask: Way, emulator: Emulator) -> None:
    """A call's model= wins over the constructor's, with or without our prefix."""
    ask(ChatQwenPortal(), "Hi", model="qwen-portal/qwen3-coder-plus")
    assert emulator.chats()[0].body["model"] == "qwen3-coder-plus"


def test_the_constructors_options_reach_the_service(emulator: Emulator) -> None:
    """Sampling options, stop words and headers of the model's are sent; thinking only if asked for."""
    model = ChatQwenPortal(
        temperature=0.2,
        top_p=0.9,
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.1,
        stop_sequences=["END"],
        max_tokens=50,
        default_headers={"X-Team": "blue"},
        model_kwargs={"top_k": 5},
    )
    model.invoke("Hi")
    entry = emulator.chats()[0]
    assert {name: value for name, value in entry.body.items() if name != "messages"} == {
        "model": "coder-model",
        "stream": False,
        "temperature": 0.2,
        "top_p": 0.9,
        "seed": 7,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.1,
        "stop": ["END"],
        "max_tokens": 50,
        "top_k": 5,
    }
    assert entry.headers["x-team"] == "blue"


def test_a_batch_answers_each_in_its_place() -> None:
    """batch() keeps the order of its questions."""
    answers = ChatQwenPortal().batch(["What is 1+1?", "What is 2+2?", "What is 3+3?"])
    assert [answer.text for answer in answers] == ["1+1 = 2", "2+2 = 4", "3+3 = 6"]


async def test_an_async_batch_answers_each_in_its_place() -> None:
    """abatch() keeps the order of its questions."""
    answers = await ChatQwenPortal().abatch(["What is 1+1?", "What is 2+2?"])
    assert [answer.text for answer in answers] == ["1+1 = 2", "2+2 = 4"]


def test_several_answers_to_one_question() -> None:
    """n=2 gives two generations."""
    result = ChatQwenPortal(n=2).generate([[HumanMessage("What is 2+2?")]])
    assert [generation.text for generation in result.generations[0]] == ["2+2 = 4", "2+2 = 4 (choice 2)"]


@pytest.mark.parametrize("ask", STREAMED)
def test_a_stream_is_one_answer(ask: Way, emulator: Emulator) -> None:
    """LangChain's streams have no place for a second one; it is not run into the first."""
    assert ask(ChatQwenPortal(n=2), "What is 2+2?").text == "2+2 = 4"
    assert ask(ChatQwenPortal().bind(n=2), "What is 2+2?").text == "2+2 = 4"
    assert ["n" in chat.body for chat in emulator.chats()] == [False, False]


@pytest.mark.parametrize("ask", ALL)
def test_a_developer_is_a_system(ask: Way, emulator: Emulator) -> None:
    """OpenAI's newer name for the role, which LangChain knows and Qwen does not."""
    assert ask(ChatQwenPortal(), [("developer", "Be brief."), ("user", "Hi")]).text
    assert [message["role"] for message in emulator.chats()[0].body["messages"]] == ["system", "user"]


def test_several_answers_cannot_be_streamed() -> None:
    """N above 1 with streaming=True is refused at construction."""
    with pytest.raises(ValueError, match="n must be 1"):
        ChatQwenPortal(n=2, streaming=True)


@pytest.mark.parametrize("ask", WHOLE)
def test_streaming_true_streams_an_invoke(ask: Way, emulator: Emulator) -> None:
    """A model made with streaming=True streams where nobody asked for chunks."""
    assert ask(ChatQwenPortal(streaming=True), "What is 2+2?").text == "2+2 = 4"
    assert emulator.chats()[0].body["stream"] is True


def test_every_chunk_names_the_provider() -> None:
    """All chunks from the service carry model_provider, also the one with the usage alone."""
    chunks = [chunk for chunk in ChatQwenPortal().stream("What is 2+2?") if chunk.chunk_position != "last"]
    assert {chunk.response_metadata.get("model_provider") for chunk in chunks} == {"qwen-portal"}


@pytest.mark.parametrize("ask", ALL)
def test_usage_is_counted_in_detail(ask: Way) -> None:
    """Totals, cached and reasoning tokens arrive in all four ways."""
    model = ChatQwenPortal(enable_thinking=True)
    ask(model, "What is 2+2?")
    usage = ask(model, "What is 2+2?").usage_metadata
    assert usage is not None
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_token_details"]["cache_read"] > 0
    assert usage["output_token_details"]["reasoning"] > 0


@pytest.mark.parametrize("ask", STREAMED)
def test_a_chunk_that_says_nothing_is_passed_over(ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """A null delta, as gateways send to keep a connection alive, does not end the stream."""
    real = ChunkReader.feed

    pause = b'data: {"choices": [{"delta": null, "finish_reason": null, "index": 0}], "usage": null}\n\n'

    def with_pauses(self: ChunkReader, data: bytes) -> "Iterator[dict[str, Any]]":
        return real(self, data.replace(b"data: {", pause + b"data: {"))

    monkeypatch.setattr(ChunkReader, "feed", with_pauses)
    assert ask(ChatQwenPortal(), "What is 2+2?").text == "2+2 = 4"


@pytest.mark.parametrize("ask", STREAMED)
@pytest.mark.parametrize("together", [False, True])
def test_a_stream_counts_its_usage_once(ask: Way, together: bool, emulator: Emulator) -> None:
    """The usage is the same whether it rides on the last chunk or comes after it."""
    if together:
        emulator.scenario("usage-together")
    usage = ask(ChatQwenPortal(), "What is 2+2?").usage_metadata
    assert usage is not None
    assert (usage["input_tokens"], usage["output_tokens"]) == (10, 5)


@pytest.mark.parametrize("ask", STREAMED)
def test_a_stream_without_usage_has_none(ask: Way) -> None:
    """stream_usage=False, at construction or for a call, leaves the usage out."""
    assert ask(ChatQwenPortal(stream_usage=False), "Hi").usage_metadata is None
    assert ask(ChatQwenPortal(), "Hi", stream_usage=False).usage_metadata is None


class Listener(BaseCallbackHandler):
    """Notes the tokens it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        """Note one."""
        self.heard.append(token)


@pytest.mark.parametrize("ask", STREAMED)
def test_callbacks_hear_each_token(ask: Way) -> None:
    """A streamed answer reaches on_llm_new_token piece by piece."""
    listener = Listener()
    ask(ChatQwenPortal(), "What is 2+2?", config={"callbacks": [listener]})
    assert "".join(listener.heard) == "2+2 = 4"
    assert len(listener.heard) > 3


def test_a_stream_left_early_gives_its_connection_up() -> None:
    """Breaking out of a stream leaves no connection in use."""
    for _ in ChatQwenPortal().stream("Count to 2000"):
        break
    gc.collect()
    assert until(lambda: not busy(sync_pool()))


async def test_an_async_stream_left_early_gives_its_connection_up() -> None:
    """Closing an async stream leaves no connection in use."""
    stream = cast("AsyncGenerator[Any, None]", ChatQwenPortal()._astream([HumanMessage("Count to 2000")]))
    async with aclosing(stream) as chunks:
        async for _ in chunks:
            break
    assert not busy(async_pool())


async def test_astream_events_tell_the_story() -> None:
    """astream_events starts, streams and ends."""
    events = [event["event"] async for event in ChatQwenPortal().astream_events("What is 2+2?", version="v2")]
    assert events[0] == "on_chat_model_start"
    assert "on_chat_model_stream" in events
    assert events[-1] == "on_chat_model_end"


def test_chunks_are_message_chunks() -> None:
    """A stream yields AIMessageChunk and ends with the one marked last."""
    chunks = list(ChatQwenPortal().stream("Hi"))
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    assert chunks[-1].chunk_position == "last"


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("output_version", ["v0", "v1"])
def test_content_blocks_are_the_same_in_all_ways(ask: Way, output_version: str) -> None:
    """Reasoning first, then text; in v1 they are the content itself."""
    message = ask(ChatQwenPortal(output_version=output_version, enable_thinking=True), "What is 2+2?")
    assert [block["type"] for block in message.content_blocks] == ["reasoning", "text"]
    assert message.content_blocks[1].get("text") == "2+2 = 4"


@pytest.mark.filterwarnings("ignore:astream_events version='v1'")
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_astream_events_carry_tokens_and_usage(version: Any) -> None:
    """In both versions: the tokens, and at the end the whole message."""
    events = [event async for event in ChatQwenPortal().astream_events("What is 2+2?", version=version)]
    streamed = [event["data"]["chunk"].text for event in events if event["event"] == "on_chat_model_stream"]
    assert "".join(streamed) == "2+2 = 4"
    assert events[-1]["data"]["output"].usage_metadata


def test_events_of_the_third_version_have_blocks() -> None:
    """stream_events(version="v3") begins, fills and ends a block each for reasoning and text."""
    stream: Any = ChatQwenPortal(enable_thinking=True).stream_events("What is 2+2?", version="v3")
    started = [event["content"]["type"] for event in stream if event["event"] == "content-block-start"]
    assert started == ["reasoning", "text"]
