"""Sends shaped requests and returns whole answers: one sync and one async function, alike line for line.

Each request gets its retries, its time limits and typed errors; the bearer comes from an ``httpx.Auth``.
"""

import asyncio
import time
from typing import Any

import httpx

from qwen_portal.errors import QwenAPIError
from qwen_portal.http.exchange import Exchange
from qwen_portal.http.pools import async_pool, sync_pool
from qwen_portal.secrets import frames_emptied


def send(exchange: Exchange) -> dict[str, Any]:
    """Send a request and return its completion.

    Args:
        exchange: The request and its limits.

    Raises:
        QwenAPIError: Typed by what happened.
    """
    pool = sync_pool()
    with exchange.recording as recording:
        while True:
            try:
                with frames_emptied():
                    response = pool.send(exchange.build(pool, exchange.note), auth=exchange.auth)
                return recording.answered(exchange.parse_response(response))
            except (httpx.HTTPError, QwenAPIError) as exc:
                exchange.failed(exc)
            time.sleep(exchange.pause())


async def asend(exchange: Exchange) -> dict[str, Any]:
    """Do what :func:`send` does without blocking the event loop."""
    pool = async_pool()
    with exchange.recording as recording:
        while True:
            try:
                with frames_emptied():
                    response = await pool.send(exchange.build(pool, exchange.anote), auth=exchange.auth)
                return recording.answered(exchange.parse_response(response))
            except (httpx.HTTPError, QwenAPIError) as exc:
                exchange.failed(exc)
            await asyncio.sleep(exchange.pause())
