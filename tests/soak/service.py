"""The service that a soak asks, in a process of its own: the emulator, its faults at random, its tokens canaries.

Its arguments are a seed and a number of accounts. It prints one line of JSON with its address and a sign-in for each
account, and then four times a second one with its figures. The line ``calm`` on stdin ends the faults; the end of
stdin ends the process.
"""

import json
import sys
import threading
from collections import Counter
from random import Random
from typing import Any
from unittest import mock

from qwen_portal.emulator import Emulator
from qwen_portal.emulator.app import BreakConnection, build_app
from qwen_portal.emulator.ledger import AccessToken, Ledger
from qwen_portal.emulator.state import State
from tests.soak.canaries import CANARY
from tests.soak.copilot_service import with_copilot
from tests.soak.faults import Gateway, RandomFaults

LIFE_SECONDS = 20.0
FRAME_SECONDS = 0.5
# A token that was issued a moment ago and is refused would mean that the service has ended; older ones were in use.
_REVOKED_AFTER = 6.0
# Of a thousand ticks.
_REVOCATIONS = 60
_TICK_SECONDS = 0.25
_OK, _BAD_REQUEST = 200, 400


class _Canaries(Ledger):
    """Tokens that are known wherever they show."""

    def _opaque(self) -> str:
        value = CANARY + super()._opaque()
        self.issued[-1] = value
        return value


class _Service:
    """The emulator, and what is counted of it."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - faults, not secrets
        self.faults = RandomFaults(Random(seed + 1))  # noqa: S311 - as above
        self.emulator = Emulator(access_life=LIFE_SECONDS, frame_delay=FRAME_SECONDS)
        self.emulator.state.ledger = self._ledger = _Canaries()
        self.emulator.state.scenarios = self.faults
        self._statuses: Counter[str] = Counter()

    def app(self, state: State, break_connection: BreakConnection) -> Gateway:
        """Build the application that is served in the place of the emulator's own."""
        inner = with_copilot(build_app(state, break_connection), state, lambda code: self._count("refresh", code))
        self._gateway = Gateway(inner, self.faults)
        return self._gateway

    def sign_ins(self, accounts: int) -> list[dict[str, Any]]:
        """Issue what a sign-in leaves behind, once for each account."""
        state, ledger = self.emulator.state, self._ledger
        with state.lock:
            grants = [ledger.new_grant() for _ in range(accounts)]
            return [
                {
                    "label": f"account-{grant.number}",
                    "access_token": ledger.new_access_token(
                        grant, state.clock.now() + LIFE_SECONDS, refreshed=False
                    ).value,
                    "refresh_token": ledger.new_refresh_token(grant).value,
                    "expires_in": LIFE_SECONDS,
                }
                for grant in grants
            ]

    def tick(self) -> dict[str, Any]:
        """Revoke a token now and then; return the figures."""
        state = self.emulator.state
        with state.lock:
            if self.faults.strikes(_REVOCATIONS):
                self._revoke()
            for entry in state.log:
                self._count(entry.place, entry.status)
            state.log.clear()
            dead = [each for each in self._ledger.access_tokens.values() if self._is_over(each)]
            figures = {
                "tokens": len(self._ledger.access_tokens),
                "ended": len(dead),
                "injected": dict(self.faults.injected),
                "statuses": dict(self._statuses),
            }
        connections = len(self.emulator._running._connections) if self.emulator._running else 0
        return {**figures, "connections": connections, "in_progress": self._gateway.in_progress}

    def _revoke(self) -> None:
        now = self.emulator.state.clock.now()
        used = [
            each
            for each in self._ledger.access_tokens.values()
            if not self._is_over(each) and each.expires_at - LIFE_SECONDS < now - _REVOKED_AFTER
        ]
        if used:
            self._random.choice(used).revoked = True
            self.faults.injected["revoked (401)"] += 1

    def _is_over(self, token: AccessToken) -> bool:
        return token.revoked or token.expires_at <= self.emulator.state.clock.now()

    def _count(self, place: str, status: int | None) -> None:
        self._statuses[f"{place} {status or 'dropped'}"] += 1


def main() -> None:
    """Serve until stdin ends."""
    seed, accounts = (int(argument) for argument in sys.argv[1:])
    service, over = _Service(seed), threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == "calm":
                service.faults.calm()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    with mock.patch("qwen_portal.emulator.server.build_app", service.app), service.emulator as emulator:
        _say({"url": emulator.url, "sign_ins": service.sign_ins(accounts)})
        while not over.wait(_TICK_SECONDS):
            _say(service.tick())


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)
