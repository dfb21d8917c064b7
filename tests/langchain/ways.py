"""The four ways to ask a LangChain model: whole or streamed, sync or async."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import Runnable

import qwen_portal

Model = Runnable[Any, Any]
Way = Callable[..., AIMessage]


def merged(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """Add a stream's chunks up."""
    full = chunks[0]
    for chunk in chunks[1:]:
        full += chunk
    return full


def invoke(model: Model, prompt: Any, /, **kwargs: Any) -> AIMessage:
    """Ask for a whole answer."""
    return cast("AIMessage", model.invoke(prompt, **kwargs))


def stream(model: Model, prompt: Any, /, **kwargs: Any) -> AIMessage:
    """Ask for a streamed answer."""
    return merged(list(model.stream(prompt, **kwargs)))


def ainvoke(model: Model, prompt: Any, /, **kwargs: Any) -> AIMessage:
    """Ask for a whole answer on an event loop of its own."""

    async def ask() -> AIMessage:
        try:
            return cast("AIMessage", await model.ainvoke(prompt, **kwargs))
        finally:
            await qwen_portal.aclose()

    return asyncio.run(ask())


def astream(model: Model, prompt: Any, /, **kwargs: Any) -> AIMessage:
    """Ask for a streamed answer on an event loop of its own."""

    async def ask() -> AIMessage:
        try:
            return merged([chunk async for chunk in model.astream(prompt, **kwargs)])
        finally:
            await qwen_portal.aclose()

    return asyncio.run(ask())


WHOLE: list[Way] = [invoke, ainvoke]
STREAMED: list[Way] = [stream, astream]
ALL: list[Way] = WHOLE + STREAMED
