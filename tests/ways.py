"""The four ways to ask: whole or streamed, sync or async."""

import asyncio
from collections.abc import Callable
from typing import Any

import qwen_portal
from qwen_portal import AsyncPortalClient, PortalClient

Messages = list[dict[str, Any]]
HELLO: Messages = [{"role": "user", "content": "What is 2+2?"}]
Way = Callable[..., str]


def _text(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def chat(messages: Messages = HELLO, *, client: dict[str, Any] | None = None, **params: Any) -> str:
    """Ask for a whole answer."""
    return str(PortalClient(**(client or {})).chat(messages, **params)["choices"][0]["message"]["content"])


def stream(messages: Messages = HELLO, *, client: dict[str, Any] | None = None, **params: Any) -> str:
    """Ask for a streamed answer."""
    with PortalClient(**(client or {})).stream(messages, **params) as chunks:
        return _text(list(chunks))


def achat(messages: Messages = HELLO, *, client: dict[str, Any] | None = None, **params: Any) -> str:
    """Ask for a whole answer on an event loop of its own."""

    async def ask() -> str:
        try:
            answer = await AsyncPortalClient(**(client or {})).chat(messages, **params)
            return str(answer["choices"][0]["message"]["content"])
        finally:
            await qwen_portal.aclose()

    return asyncio.run(ask())


def astream(messages: Messages = HELLO, *, client: dict[str, Any] | None = None, **params: Any) -> str:
    """Ask for a streamed answer on an event loop of its own."""

    async def ask() -> str:
        try:
            async with AsyncPortalClient(**(client or {})).stream(messages, **params) as chunks:
                return _text([chunk async for chunk in chunks])
        finally:
            await qwen_portal.aclose()

    return asyncio.run(ask())


WHOLE: list[Way] = [chat, achat]
STREAMED: list[Way] = [stream, astream]
ALL: list[Way] = WHOLE + STREAMED
