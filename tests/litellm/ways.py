"""The four ways to ask through LiteLLM: whole or streamed, sync or async."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import litellm
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

import qwen_portal

MODEL = "qwen-portal/coder-model"
Messages = list[Any]
HELLO: Messages = [{"role": "user", "content": "What is 2+2?"}]
WEATHER: Messages = [{"role": "user", "content": "What is the weather in Paris?"}]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
T = TypeVar("T")


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run async work on an event loop of its own, and LiteLLM's logging of it to its end."""

    async def whole() -> T:
        try:
            return await work()
        finally:
            async with asyncio.timeout(30):
                await finish_async_logging()
            await qwen_portal.aclose()

    return asyncio.run(whole())


async def finish_async_logging() -> None:
    """Wait until LiteLLM's tasks on this loop are done."""
    # A call that failed before its logging began has left the worker with an earlier loop.
    if GLOBAL_LOGGING_WORKER._bound_loop is asyncio.get_running_loop():
        await GLOBAL_LOGGING_WORKER.flush()
        await GLOBAL_LOGGING_WORKER.stop()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


def call(messages: Messages = HELLO, **params: Any) -> Any:
    """Ask for a whole answer."""
    return litellm.completion(**({"model": MODEL, "messages": messages} | params))


def call_stream(messages: Messages = HELLO, **params: Any) -> Any:
    """Ask for a stream, without reading it."""
    stream: Any = call(messages, stream=True, **params)
    stream.completion_stream.close()
    return stream


def acall(messages: Messages = HELLO, **params: Any) -> Any:
    """Ask for a whole answer on an event loop."""
    return run(lambda: litellm.acompletion(**({"model": MODEL, "messages": messages} | params)))


def acall_stream(messages: Messages = HELLO, **params: Any) -> Any:
    """Ask for a stream on an event loop, without reading it."""

    async def ask() -> Any:
        stream: Any = await litellm.acompletion(**({"model": MODEL, "messages": messages, "stream": True} | params))
        await stream.aclose()
        return stream

    return run(ask)


CALLS = {"completion": call, "acompletion": acall, "stream": call_stream, "astream": acall_stream}


@dataclass
class Answer:
    """What came back, whichever way was asked."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    tool_calls: list[dict[str, str]] = field(default_factory=list)
    usage: Any = None


def ask(messages: Messages = HELLO, **params: Any) -> Answer:
    """Ask for a whole answer."""
    return _answer(call(messages, **params))


def aask(messages: Messages = HELLO, **params: Any) -> Answer:
    """Ask for a whole answer on an event loop."""
    return _answer(acall(messages, **params))


def ask_stream(messages: Messages = HELLO, **params: Any) -> Answer:
    """Ask for a stream and read it."""
    return join(chunks(messages, **params))


def aask_stream(messages: Messages = HELLO, **params: Any) -> Answer:
    """Ask for a stream on an event loop and read it."""
    return join(achunks(messages, **params))


WAYS = {"completion": ask, "acompletion": aask, "stream": ask_stream, "astream": aask_stream}


def chunks(messages: Messages = HELLO, **params: Any) -> list[Any]:
    """Read a whole stream."""
    return list(call(messages, stream=True, **({"stream_options": {"include_usage": True}} | params)))


def achunks(messages: Messages = HELLO, **params: Any) -> list[Any]:
    """Read a whole stream on an event loop."""

    async def read() -> list[Any]:
        wanted = {"model": MODEL, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
        stream: Any = await litellm.acompletion(**(wanted | params))
        return [chunk async for chunk in stream]

    return run(read)


def join(pieces: Iterable[Any]) -> Answer:
    """Put the chunks of a stream together, as a client of OpenAI's does."""
    answer = Answer()
    for piece in pieces:
        answer.usage = getattr(piece, "usage", None) or answer.usage
        for choice in piece.choices:
            answer.text += choice.delta.content or ""
            answer.reasoning += getattr(choice.delta, "reasoning_content", None) or ""
            answer.finish_reason = choice.finish_reason or answer.finish_reason
            for fragment in choice.delta.tool_calls or ():
                _add(answer.tool_calls, fragment)
    return answer


def _add(calls: list[dict[str, str]], fragment: Any) -> None:
    if fragment.index == len(calls):
        calls.append({"id": fragment.id, "name": fragment.function.name, "arguments": ""})
    calls[fragment.index]["arguments"] += fragment.function.arguments


def _answer(response: Any) -> Answer:
    choice = response.choices[0]
    return Answer(
        text=choice.message.content or "",
        reasoning=getattr(choice.message, "reasoning_content", None) or "",
        finish_reason=choice.finish_reason,
        tool_calls=[
            {"id": made.id, "name": made.function.name, "arguments": made.function.arguments}
            for made in choice.message.tool_calls or ()
        ],
        usage=response.usage,
    )
