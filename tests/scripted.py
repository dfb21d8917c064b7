"""A host that answers from a script: small handlers in place of the network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from urllib.parse import parse_qsl

import httpx
import pytest

from qwen_portal.http import pools

Handler = Callable[[httpx.Request], httpx.Response]


@contextmanager
def answering(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Request]]:
    """Let the handler answer every request, on event loops and outside; yield what was asked."""
    asked: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return handler(request)

    # with the options of the real ones: what they forbid, such as to follow a redirect, is forbidden here too
    options = {**pools.OPTIONS, "transport": httpx.MockTransport(note)}
    with pools.Pool(**options) as client, monkeypatch.context() as patch:
        patch.setattr(pools, "_sync_pool", client)
        patch.setattr(pools, "lone_client", lambda: nullcontext(client))
        patch.setattr(pools, "lone_async_client", lambda: pools.AsyncPool(**options))
        yield asked


def form(request: httpx.Request) -> dict[str, str]:
    """Read a form body."""
    return dict(parse_qsl(request.content.decode()))
