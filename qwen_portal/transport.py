"""Sends shaped requests and returns whole answers: one sync and one async function, alike line for line.

Each request gets its retries, its time limits and typed errors; the bearer comes from an ``httpx.Auth``.
"""

import asyncio
import time
from typing import Any

import httpx

from qwen_portal.errors import QwenAPIError
from qwen_portal.exchange import Exchange
from qwen_portal.pools import async_pool, sync_pool
from qwen_portal.shape import ChatRequest


def send(request: ChatRequest, auth: httpx.Auth, *, timeout: float, max_retries: int) -> dict[str, Any]:
    """Send a request and return its completion.

    Args:
        request: From :class:`Shaper`.
        auth: Puts the bearer on.
        timeout: Seconds for the whole answer, retries included.
        max_retries: Repeats at most.

    Raises:
        QwenAPIError: Typed by what happened.
    """
    exchange, pool = Exchange(request, auth, timeout, max_retries), sync_pool()
    while True:
        cause: httpx.HTTPError | None = None
        try:
            return exchange.judge(pool.send(exchange.build(pool, exchange.note), auth=auth))
        except httpx.HTTPError as exc:
            error, cause = exchange.failure(exc), exc
        except QwenAPIError as exc:
            error = exc
        time.sleep(exchange.wait_after(error, cause))


async def asend(request: ChatRequest, auth: httpx.Auth, *, timeout: float, max_retries: int) -> dict[str, Any]:  # noqa: ASYNC109 - limits the retries too, not one await
    """Do what :func:`send` does without blocking the event loop."""
    exchange, pool = Exchange(request, auth, timeout, max_retries), async_pool()
    while True:
        cause: httpx.HTTPError | None = None
        try:
            return exchange.judge(await pool.send(exchange.build(pool, exchange.anote), auth=auth))
        except httpx.HTTPError as exc:
            error, cause = exchange.failure(exc), exc
        except QwenAPIError as exc:
            error = exc
        await asyncio.sleep(exchange.wait_after(error, cause))
