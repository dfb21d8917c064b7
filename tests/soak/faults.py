"""Faults of a soak: how often each of the emulator's scenarios strikes, and a gateway in front of it."""

import zlib
from collections import Counter
from random import Random
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qwen_portal.emulator.scenarios import Place, Switchboard

# How many of a thousand requests a scenario hits.
CHATS = {
    "drop": 15,
    "silence": 8,
    "burst": 20,
    "quota": 4,
    "error-500": 15,
    "html-502": 10,
    "gateway-504": 10,
    "firewall": 8,
    "empty": 5,
    "cut": 15,
    "reset": 15,
    "error-frame": 10,
    "error-finish": 5,
    "not-sse": 8,
}
# None of these spends the refresh token: they stand before the service. An answer that is lost behind it costs the
# sign-in of any client, and has tests of its own.
REFRESHES = {"drop": 60, "silence": 10, "error-500": 60, "html-502": 30, "gateway-504": 30, "firewall": 60, "empty": 30}
_PACKED, _ECHOED = 300, 8


class RandomFaults(Switchboard):
    """The emulator's switchboard, with dice in place of switches.

    Args:
        random: The dice.

    Attributes:
        injected: How often each fault struck.
    """

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._rates = {Place.CHAT: CHATS, Place.REFRESH: REFRESHES}
        self.injected: Counter[str] = Counter()

    def hits(self, name: str, place: Place) -> bool:
        """Whether a scenario strikes now."""
        hit = self.strikes(self._rates.get(place, {}).get(name, 0))
        if hit:
            self.injected[f"{name} ({place})"] += 1
        return hit

    def strikes(self, rate: int) -> bool:
        """Throw the dice for what befalls so many of a thousand."""
        return bool(self._rates) and self._random.randrange(1000) < rate

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self._rates = {}


class Gateway:
    """A gateway before the application: it packs some answers, and quotes some bearers in a refusal.

    Args:
        app: The application.
        faults: The dice.

    Attributes:
        in_progress: Requests that are being answered.
    """

    def __init__(self, app: ASGIApp, faults: RandomFaults) -> None:
        self._app = app
        self._faults = faults
        self.in_progress = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        bearer = headers.get("authorization", "")
        app = self._app
        if bearer and self._faults.strikes(_ECHOED):
            self._faults.injected["bearer echoed"] += 1
            error = {"message": f"cannot serve {bearer}", "type": "invalid_request_error", "code": bearer}
            app = JSONResponse({"error": error}, 400, {"x-request-id": bearer})
        elif "gzip" in headers.get("accept-encoding", "") and self._faults.strikes(_PACKED):
            self._faults.injected["gzip"] += 1
            send = _Packer(send).send
        self.in_progress += 1
        try:
            await app(scope, receive, send)
        finally:
            self.in_progress -= 1


class _Packer:
    """Packs a body with gzip, piece by piece."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message["headers"] if name.lower() != b"content-length"]
            message = {**message, "headers": [*kept, (b"content-encoding", b"gzip")]}
        elif message["type"] == "http.response.body":
            message = {**message, "body": self._packed(message)}
        await self._send(message)

    def _packed(self, message: Message) -> bytes:
        body: Any = message.get("body", b"")
        end = zlib.Z_SYNC_FLUSH if message.get("more_body") else zlib.Z_FINISH
        return self._packer.compress(body) + self._packer.flush(end)
