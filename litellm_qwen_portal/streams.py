"""The streams handed to LiteLLM.

Each is a generator that is started when the stream is opened. A started generator is closed when it is dropped (an
async one by its event loop), and closing it closes the connection: a stream that is abandoned, or never read at all,
leaves nothing behind.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from typing import Self

from litellm.types.utils import ModelResponseStream

from litellm_qwen_portal.call import Call
from litellm_qwen_portal.chunks import UsageFirst
from litellm_qwen_portal.errors import PROVIDER, raised_as_litellm
from qwen_portal.streams import AsyncChunkStream, ChunkStream


class Stream(Iterator[ModelResponseStream]):
    """An answer for ``for``.

    Args:
        chunks: From the core's client, not opened yet.
        call: What it answers.

    Attributes:
        created: When, in seconds since the epoch; every chunk says so.
    """

    provider = PROVIDER

    def __init__(self, chunks: ChunkStream, call: Call) -> None:
        self.created = int(time.time())
        self._chunks = chunks
        self._generator = _translated(chunks, _order(call, self.created), call)

    @property
    def strategy(self) -> str | None:
        """Which strategy for a spent quota answers, once the stream is open; see :mod:`qwen_portal.quota.attempts`."""
        return self._chunks.strategy

    @property
    def headers(self) -> Mapping[str, str]:
        """The response's headers, once the stream is open."""
        return self._chunks.headers

    def open(self) -> Self:
        """Send the request and wait for the first content, so that errors come here.

        Raises:
            openai.OpenAIError: One of litellm.exceptions.
        """
        next(self._generator)
        return self

    def close(self) -> None:
        """Close the connection; what was not read is lost."""
        self._chunks.close()
        self._generator.close()

    def __next__(self) -> ModelResponseStream:
        while (chunk := next(self._generator)) is None:
            pass
        return chunk


class AsyncStream(AsyncIterator[ModelResponseStream]):
    """The same for ``async for``.

    Args:
        chunks: From the core's async client, not opened yet.
        call: What it answers.

    Attributes:
        created: When, in seconds since the epoch; every chunk says so.
    """

    provider = PROVIDER

    def __init__(self, chunks: AsyncChunkStream, call: Call) -> None:
        self.created = int(time.time())
        self._chunks = chunks
        self._generator = _atranslated(chunks, _order(call, self.created), call)

    @property
    def strategy(self) -> str | None:
        """Which strategy for a spent quota answers, once the stream is open; see :mod:`qwen_portal.quota.attempts`."""
        return self._chunks.strategy

    @property
    def headers(self) -> Mapping[str, str]:
        """The response's headers, once the stream is open."""
        return self._chunks.headers

    async def open(self) -> Self:
        """Send the request and wait for the first content, so that errors come here.

        Raises:
            openai.OpenAIError: One of litellm.exceptions.
        """
        await anext(self._generator)
        return self

    async def aclose(self) -> None:
        """Close the connection; what was not read is lost."""
        await self._chunks.aclose()
        await self._generator.aclose()

    async def __anext__(self) -> ModelResponseStream:
        while (chunk := await anext(self._generator)) is None:
            pass
        return chunk


def _order(call: Call, created: int) -> UsageFirst:
    return UsageFirst(call.model, created, merge_reasoning=call.merge_reasoning)


def _translated(chunks: ChunkStream, order: UsageFirst, call: Call) -> Generator[ModelResponseStream | None]:
    """Yield None when the stream is open, then its chunks."""
    with raised_as_litellm(call.model, call.observation), chunks:
        yield None
        for chunk in chunks:
            yield from order.feed(chunk)
        yield from order.end()


async def _atranslated(
    chunks: AsyncChunkStream, order: UsageFirst, call: Call
) -> AsyncGenerator[ModelResponseStream | None]:
    with raised_as_litellm(call.model, call.observation):
        async with chunks:
            yield None
            async for chunk in chunks:
                for ordered in order.feed(chunk):
                    yield ordered
            for ordered in order.end():
                yield ordered
