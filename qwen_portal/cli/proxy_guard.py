"""A guard that keeps web pages away from a proxy that asks nobody for a key."""

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from qwen_portal.service.hosts import is_loopback

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Callable[[], Awaitable[MutableMapping[str, Any]]], Send], Awaitable[None]]

_REFUSED = (
    b'{"error": {"message": "This proxy asks for no key, so it serves no web pages of other sites and no other name '
    b'than this machine\'s. Set LITELLM_MASTER_KEY, or LITELLM_CORS_ORIGINS for a page of yours.", "code": "403"}}'
)


class ThisMachineOnly:
    """ASGI middleware that refuses what a browser sends on behalf of another site.

    The reading of answers is what CORS forbids; a page could still have requests made at the account's cost, or read
    after its own name was made to point to this machine (DNS rebinding). Programs send neither header.

    A page of this machine, at another port, is another site too, whoever made it: what it sends must be JSON, for which
    a browser asks first, and then hears no.

    Args:
        app: What answers the other requests.
        origins: Origins of pages that may ask all the same; ``*`` stands for all.
    """

    def __init__(self, app: App, origins: Collection[str] = ()) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        """Answer one request."""
        if scope["type"] not in ("http", "websocket") or self._is_welcome(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSED})

    def _is_welcome(self, scope: Scope) -> bool:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not _is_here(f"//{headers.get('host', '')}"):
            return False
        origin = headers.get("origin")
        if origin is None:
            # an image or a link: a browser names no origin there
            return headers.get("sec-fetch-site") in {None, "none", "same-origin"}
        if "*" in self._origins or origin in self._origins:
            return True
        is_own = origin.partition("://")[2] == headers.get("host")
        is_asked_first = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
        return _is_here(origin) and (is_own or is_asked_first)


def _is_here(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
