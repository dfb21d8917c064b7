"""Every road of a request through this package: each door, whole and streamed, sync and async."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from tests import ways
from tests.langchain import ways as langchain
from tests.litellm import ways as litellm

# LiteLLM looks at every attribute of a stream's last chunk, two that pydantic wants read from the class among them.
LITELLMS_OWN = pytest.mark.filterwarnings(
    r"ignore:Accessing the 'model_\w*fields' attribute on the instance:pydantic.warnings.PydanticDeprecatedSince211"
)
Road = Callable[[], object]
# No back-off is waited for, and no account but the first is asked.
_ONCE: dict[str, Any] = {"max_retries": 0, "on_quota": "error"}


def _core(way: ways.Way) -> Road:
    return lambda: way(client=_ONCE)


def _langchain(way: langchain.Way) -> Road:
    return lambda: way(ChatQwenPortal(**_ONCE), "What is 2+2?")


def _litellm(way: Callable[..., object]) -> Road:
    return lambda: way(max_retries=0)


def _sdk(*, stream: bool) -> Road:
    def ask() -> object:
        with qwen_portal.openai_client(max_retries=0) as client:
            create: Any = client.chat.completions.create
            answer = create(model="coder-model", messages=ways.HELLO, stream=stream)
            return list(answer) if stream else answer

    return ask


def _async_sdk(*, stream: bool) -> Road:
    async def ask() -> object:
        async with qwen_portal.async_openai_client(max_retries=0) as client:
            create: Callable[..., Awaitable[Any]] = client.chat.completions.create
            answer = await create(model="coder-model", messages=ways.HELLO, stream=stream)
            return [chunk async for chunk in answer] if stream else answer

    return lambda: asyncio.run(ask())


ROADS: dict[str, Road] = {
    **{f"core {way.__name__}": _core(way) for way in ways.ALL},
    **{f"langchain {way.__name__}": _langchain(way) for way in langchain.ALL},
    **{f"litellm {name}": _litellm(way) for name, way in litellm.WAYS.items()},
    "openai chat": _sdk(stream=False),
    "openai stream": _sdk(stream=True),
    "openai achat": _async_sdk(stream=False),
    "openai astream": _async_sdk(stream=True),
}
