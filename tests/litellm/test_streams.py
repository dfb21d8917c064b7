"""Streams through LiteLLM: real usage, one identity, reasoning, and nothing left open."""

import asyncio
import gc
import inspect
from typing import Any

import litellm
import pytest
from litellm import exceptions
from litellm.integrations.custom_logger import CustomLogger

from litellm_qwen_portal.chunks import UsageFirst
from qwen_portal import QwenStreamError
from qwen_portal.emulator import Emulator
from qwen_portal.http import pools
from tests.connections import busy, until
from tests.litellm.conftest import finish_logging
from tests.litellm.ways import HELLO, MODEL, WAYS, aask_stream, achunks, ask, ask_stream, call, chunks, run

STREAMS = {"stream": ask_stream, "astream": aask_stream}
READ = {"stream": chunks, "astream": achunks}


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("together", [False, True])
def test_a_stream_brings_the_services_own_usage(signed_in: Emulator, way: str, together: bool) -> None:
    """The numbers are those of a whole answer to the same question, also where usage rides on the finish frame."""
    signed_in.scenario("usage-together", on=together)
    expected = ask(reasoning_effort="low").usage
    usage = STREAMS[way](reasoning_effort="low").usage
    assert usage.prompt_tokens == expected.prompt_tokens > 0
    assert usage.completion_tokens == expected.completion_tokens > 0
    assert usage.completion_tokens_details.reasoning_tokens > 0


@pytest.mark.parametrize("way", READ)
def test_callbacks_get_real_usage_although_the_caller_did_not_ask(signed_in: Emulator, way: str) -> None:
    """The caller sees no usage chunk, and the cost tracking still has the service's numbers."""
    seen: list[Any] = []

    class Costs(CustomLogger):
        def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            seen.append(response_obj.usage)

        async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            seen.append(response_obj.usage)

    litellm.callbacks = [Costs()]
    pieces = READ[way](stream_options=None)
    finish_logging()
    assert not any(getattr(piece, "usage", None) for piece in pieces)
    expected = ask().usage
    assert seen
    assert {(usage.prompt_tokens, usage.completion_tokens) for usage in seen} == {
        (expected.prompt_tokens, expected.completion_tokens)
    }


class Announced(CustomLogger):
    """Counts what is said before a request and after its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.before = 0
        self.after = 0

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        """Before a request."""
        self.before += 1

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """After an answer."""
        self.after += 1

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """After an answer."""
        self.after += 1


@pytest.mark.parametrize("way", WAYS)
def test_a_call_is_announced_once_and_its_answer_too(signed_in: Emulator, way: str) -> None:
    """A proxy books what callbacks are told, so none is told twice."""
    told = Announced()
    litellm.callbacks = [told]
    WAYS[way]()
    finish_logging()
    assert (told.before, told.after) == (1, 1)


@pytest.mark.parametrize("way", READ)
def test_all_chunks_of_a_stream_are_of_one_answer(signed_in: Emulator, way: str) -> None:
    """One id, one time of creation, one model, and exactly one finish_reason, the last thing said."""
    # a clock of its own tells the service's time from LiteLLM's
    signed_in.advance(-3_600)
    pieces = READ[way](stream_options=None)
    assert len({piece.id for piece in pieces}) == 1
    assert len({piece.created for piece in pieces}) == 1
    assert {piece.model for piece in pieces} == {"coder-model"}
    reasons = [piece.choices[0].finish_reason for piece in pieces]
    assert reasons == [None] * (len(pieces) - 1) + ["stop"]


@pytest.mark.parametrize("way", READ)
def test_litellm_rebuilds_the_answer_from_its_chunks(signed_in: Emulator, way: str) -> None:
    """stream_chunk_builder makes the response that a call without streaming gives."""
    rebuilt: Any = litellm.stream_chunk_builder(READ[way](), messages=HELLO)
    assert rebuilt.choices[0].message.content == ask().text
    assert rebuilt.usage.total_tokens == ask().usage.total_tokens


@pytest.mark.parametrize("name", ["content", "reasoning_content"])
def test_words_on_the_finish_frame_are_not_lost(name: str) -> None:
    """They pass first; the finish_reason follows after the usage, without them."""
    order = UsageFirst("coder-model", 1)
    frame = {"id": "a", "choices": [{"index": 0, "delta": {name: "end"}, "finish_reason": "stop"}], "usage": {}}
    passed = [*order.feed(frame), *order.feed({"choices": [], "usage": {"total_tokens": 3}}), *order.end()]
    assert [len(piece.choices) for piece in passed] == [1, 0, 1]
    assert getattr(passed[0].choices[0].delta, name) == "end"
    assert [piece.choices[0].finish_reason for piece in (passed[0], passed[2])] == [None, "stop"]
    assert not getattr(passed[2].choices[0].delta, name, None)


def test_without_the_shim_an_async_stream_is_sent_with_its_first_chunk(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a LiteLLM that has nothing to wrap, streams are lazy and still whole."""
    monkeypatch.setattr(
        litellm.main, "_complete_custom_providers", inspect.unwrap(litellm.main._complete_custom_providers)
    )
    signed_in.scenario("error-500", times=1)
    answer = aask_stream()
    assert (answer.text, answer.usage.total_tokens) == (ask().text, ask().usage.total_tokens)


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_a_streams_response_headers_are_passed_on(signed_in: Emulator, way: str) -> None:
    """The request id is in the hidden parameters, as with built-in providers."""
    wanted: dict[str, Any] = {"model": MODEL, "messages": HELLO, "stream": True}

    async def ask_async() -> Any:
        stream: Any = await litellm.acompletion(**wanted)
        await stream.aclose()
        return stream

    stream: Any = litellm.completion(**wanted) if way == "stream" else run(ask_async)
    assert stream._hidden_params["additional_headers"]["llm_provider-x-request-id"]


@pytest.mark.parametrize("read", [0, 1])
def test_an_abandoned_stream_gives_its_connection_back(signed_in: Emulator, read: int) -> None:
    """Dropping a stream, begun or never read, closes its connection."""
    stream: Any = call(stream=True)
    for _ in range(read):
        next(stream)
    assert len(busy(pools.sync_pool())) == 1
    del stream
    finish_logging()
    gc.collect()
    assert until(lambda: not busy(pools.sync_pool()))


@pytest.mark.parametrize("how", ["dropped unread", "dropped", "closed", "cancelled"])
def test_an_abandoned_async_stream_gives_its_connection_back(signed_in: Emulator, how: str) -> None:
    """Dropping, closing or cancelling an async stream closes its connection while the loop runs on."""
    signed_in.configure(frame_delay=30 if how == "cancelled" else 0)

    async def abandon() -> None:
        if how == "cancelled":
            task = asyncio.create_task(begin())
            while not busy(pools.async_pool()):  # noqa: ASYNC110 - the pool tells nobody
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return
        stream = await begin()
        assert len(busy(pools.async_pool())) == 1
        if how == "dropped":
            await anext(stream)
        if how == "closed":
            await stream.aclose()
        del stream
        gc.collect()

    async def begin() -> Any:
        return await litellm.acompletion(model=MODEL, messages=HELLO, stream=True)

    async def watch() -> None:
        await abandon()
        async with asyncio.timeout(30):
            while busy(pools.async_pool()):  # noqa: ASYNC110 - the pool tells nobody
                await asyncio.sleep(0.01)

    run(watch)


@pytest.mark.parametrize("way", READ)
@pytest.mark.parametrize("scenario", ["cut", "reset", "error-finish", "error-frame"])
def test_a_stream_that_breaks_ends_in_an_error_that_a_router_can_act_on(
    signed_in: Emulator, way: str, scenario: str
) -> None:
    """It is LiteLLM's error for the middle of a stream, and what had arrived is in ours behind it."""
    signed_in.scenario(scenario)
    with pytest.raises(exceptions.MidStreamFallbackError) as caught:
        READ[way](max_retries=0)
    original = caught.value.original_exception
    assert original is not None
    assert getattr(original.__cause__, "partial_text", "")
    if scenario in ("cut", "reset"):
        assert isinstance(original, exceptions.APIConnectionError)
        assert isinstance(original.__cause__, QwenStreamError)
        assert "partial_text" in str(caught.value)
