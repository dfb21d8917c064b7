"""The HTTP connection pools: one for the process's threads, one for each event loop.

A pool is shared because opening one costs a TLS context (tens of milliseconds) and because kept-alive
connections belong to it. It carries no account and no bearer.
"""

import asyncio
import functools
import os
import platform
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from qwen_portal._version import __version__
from qwen_portal.http.bodies import ACCEPT_ENCODING, LimitedTransport
from qwen_portal.http.cancel_safe import CancelSafeTransport
from qwen_portal.http.network import proxied, tls_context
from qwen_portal.settings import CONNECT_TIMEOUT, SIGN_IN_TIMEOUT

USER_AGENT = f"qwen-portal/{__version__} ({platform.system()}; {platform.machine()}) python/{platform.python_version()}"

# Few idle connections: httpcore walks all of them on every request.
_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=20, keepalive_expiry=30.0)
_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPT_ENCODING}
# Every request brings its own limits; these hold for one that does not.
_TIMEOUT = httpx.Timeout(SIGN_IN_TIMEOUT, connect=CONNECT_TIMEOUT)
# What every client of the HTTP library is made with, its transports aside.
OPTIONS: Mapping[str, Any] = {
    "headers": _HEADERS,
    "follow_redirects": False,
    "timeout": _TIMEOUT,
    "trust_env": False,
}


class NoCookies(httpx.Cookies):
    """Takes none: no service of Qwen's needs any, and one that is set for an account would link it to the next.

    A jar that refuses them would cost more: the library makes it a copy of each request, with its headers.
    """

    def extract_cookies(self, response: httpx.Response) -> None:
        """Leave them where they are."""


class Pool(httpx.Client):
    """``httpx.Client`` without cookies."""

    cookies = NoCookies()  # type: ignore[override] # nobody sets it


class AsyncPool(httpx.AsyncClient):
    """``httpx.AsyncClient`` without cookies."""

    cookies = NoCookies()  # type: ignore[override] # as above


_lock = threading.Lock()
_sync_pool: httpx.Client | None = None
_async_pools: dict[int, tuple[weakref.ref[asyncio.AbstractEventLoop], httpx.AsyncClient]] = {}


def sync_pool() -> httpx.Client:
    """Return the pool that all threads of this process share."""
    global _sync_pool  # noqa: PLW0603 - see the module's first lines
    with _lock:
        if _sync_pool is None:
            _sync_pool = lone_client()
        return _sync_pool


def client_options() -> dict[str, Any]:
    """Return what every client of the HTTP library is made with, as this machine's variables want it.

    Raises:
        QwenError: One of them names a proxy or certificates that cannot be used.
    """
    return _options(LimitedTransport)


def async_client_options() -> dict[str, Any]:
    """Do what :func:`client_options` does, for event loops."""
    return _options(CancelSafeTransport)


def _options(transport: Callable[..., Any]) -> dict[str, Any]:
    plain = functools.partial(transport, verify=tls_context(), limits=_LIMITS, trust_env=False)
    return {**OPTIONS, "transport": plain(), "mounts": proxied(lambda proxy: plain(proxy=proxy))}


def lone_client() -> httpx.Client:
    """Open a client that nobody shares; the caller closes it.

    Raises:
        QwenError: As for :func:`client_options`.
    """
    return Pool(**client_options())


def lone_async_client() -> httpx.AsyncClient:
    """Open a client for one event loop that nobody shares; the caller closes it.

    Raises:
        QwenError: As for :func:`client_options`.
    """
    return AsyncPool(**async_client_options())


def async_pool() -> httpx.AsyncClient:
    """Return the pool of the running event loop; connections cannot cross loops."""
    loop = asyncio.get_running_loop()
    with _lock:
        for key, (ref, _) in list(_async_pools.items()):
            other = ref()
            if other is None or other.is_closed():
                del _async_pools[key]
        entry = _async_pools.get(id(loop))
        if entry is None:
            pool = lone_async_client()
            entry = _async_pools[id(loop)] = (weakref.ref(loop), pool)
        return entry[1]


def close_sync_pool() -> None:
    """Close the threads' pool; the next request opens a new one."""
    global _sync_pool
    with _lock:
        pool, _sync_pool = _sync_pool, None
    if pool is not None:
        pool.close()


async def close_async_pool() -> None:
    """Close the running loop's pool; the next request opens a new one."""
    with _lock:
        entry = _async_pools.pop(id(asyncio.get_running_loop()), None)
    if entry is not None:
        await entry[1].aclose()


def _after_fork() -> None:
    """Let a forked child open connections of its own; those it inherited belong to its parent."""
    global _lock, _sync_pool  # noqa: PLW0603 - see the module's first lines
    _lock = threading.Lock()
    _sync_pool = None
    _async_pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
