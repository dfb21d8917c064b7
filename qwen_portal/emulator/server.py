"""Running the emulator: in a thread of this process, or as a command."""

import asyncio
import ipaddress
import json
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from qwen_portal.emulator import control
from qwen_portal.emulator.app import build_app
from qwen_portal.emulator.scenarios import Place
from qwen_portal.emulator.state import LogEntry, Settings, State

Address = tuple[str, int] | None


class Emulator:
    """The Qwen portal service on 127.0.0.1: sign-in host, chat host and control surface at one address.

    It runs in a thread of this process, answers any process of this machine over plain HTTP, and is ready when the
    `with` block is entered.

    Example:
        >>> with Emulator(scenarios=["ended"], quota=100) as emulator:
        ...     print(emulator.url, emulator.base_url)

    Args:
        scenarios: Names of SCENARIOS that are on from the start, and again after a reset.
        auto_approve: Whether device codes approve themselves.
        port: TCP port; 0 lets the system pick one.
        host: A loopback address.
        **settings: Fields of Settings.

    Raises:
        ValueError: The host is not loopback, or a scenario or setting is unknown.
        OSError: The port is taken, or nothing can be served (from the start).
    """

    def __init__(
        self,
        scenarios: Iterable[str] = (),
        *,
        auto_approve: bool = True,
        port: int = 0,
        host: str = "127.0.0.1",
        **settings: Any,
    ) -> None:
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            message = f"the emulator binds to loopback only, not to {host}"
            raise ValueError(message)
        self.state = State(Settings(auto_approve=auto_approve).changed(settings), tuple(scenarios))
        self._host, self._port = host, port
        self._running: _Running | None = None

    # Life.

    def start(self) -> Self:
        """Bind the port and serve; returns when requests are answered."""
        self._running = _Running(self.state, self._host, self._port)
        return self

    def stop(self) -> None:
        """Close every connection, end every stream, free the port; idempotent."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    # Addresses.

    @property
    def url(self) -> str:
        """The root, e.g. "http://127.0.0.1:41234"; the sign-in host of QWEN_PORTAL_OAUTH_URL."""
        if self._running is None:
            message = "the emulator is not running; use it in a with block"
            raise RuntimeError(message)
        return self._running.url

    @property
    def base_url(self) -> str:
        """The chat base URL: the root with /v1."""
        return f"{self.url}/v1"

    # What happened.

    def log(self, place: Place | str | None = None) -> list[LogEntry]:
        """The requests so far, oldest first; of one place only ("device", "poll", "refresh", "chat", …) if named."""
        wanted = None if place is None else Place(place)
        with self.state.lock:
            return [replace(entry) for entry in self.state.log if wanted is None or entry.place is wanted]

    def chats(self) -> list[LogEntry]:
        """The chat requests so far."""
        return self.log(Place.CHAT)

    def above_cap(self) -> list[LogEntry]:
        """The chat requests that asked for more output tokens than the model's cap; a good client causes none."""
        return [entry for entry in self.chats() if entry.above_cap]

    def clear_log(self) -> None:
        """Forget the requests so far, and nothing else."""
        with self.state.lock:
            self.state.log.clear()

    def issued_tokens(self) -> list[str]:
        """Every device code, access and refresh token ever handed out, also before a reset."""
        with self.state.lock:
            return list(self.state.ledger.issued)

    # What shall happen.

    def scenario(self, name: str, times: int | None = None, *, where: str | None = None, on: bool = True) -> None:
        """Turn a scenario on or off.

        Args:
            name: A key of SCENARIOS.
            times: How many requests it hits; None for every one.
            where: The place that it hits instead of its own, e.g. "refresh" for "error-500".
            on: False turns it off.

        Raises:
            UnknownScenarioError: The name or the place is unknown.
        """
        with self.state.lock:
            if on:
                self.state.switch_on(name, times, where)
            else:
                self.state.scenarios.switch_off(name)

    def configure(self, **settings: Any) -> None:
        """Change settings while running (fields of Settings)."""
        with self.state.lock:
            self.state.settings = self.state.settings.changed(settings)

    def advance(self, seconds: float) -> None:
        """Move the emulator's clock, so that tokens and codes expire now."""
        with self.state.lock:
            self.state.clock.advance(seconds)

    def approve(self, user_code: str | None = None) -> None:
        """Approve a sign-in: that of this user code, or the newest undecided one."""
        with self.state.lock:
            control.decide(self.state, user_code, approve=True)

    def deny(self, user_code: str | None = None) -> None:
        """Deny a sign-in: that of this user code, or the newest undecided one."""
        with self.state.lock:
            control.decide(self.state, user_code, approve=False)

    def revoke(self, *, refresh_too: bool = False) -> None:
        """Kill all access tokens issued so far, and all refresh tokens if asked."""
        with self.state.lock:
            self.state.ledger.revoke(refresh_too=refresh_too)

    def set_quota(self, limit: int | None, account: int | None = None) -> None:
        """Set the chats per day, of one account (1 is the first sign-in) or of all, and start counting again."""
        with self.state.lock:
            self.state.set_quota(limit, account)

    def reset(self) -> None:
        """Back to the moment of the start; only issued_tokens() keeps its list."""
        with self.state.lock:
            self.state.reset()


class _Running:
    """One listening socket, one thread, one event loop."""

    def __init__(self, state: State, host: str, port: int) -> None:
        self._connections: dict[Address, asyncio.Transport] = {}
        self._socket = _listen(host, port)
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            build_app(state, self._break_connection),
            http=_protocol(self._connections),
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=3600,
        )
        self._started: Future[None] = Future()
        self._server = _Server(config, lambda: self._started.set_result(None))
        self._thread = threading.Thread(target=self._run, name="qwen-portal-emulator", daemon=True)
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self._socket.close()
            raise

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except BaseException as exc:
            if self._started.done():
                raise
            self._started.set_exception(exc)

    def stop(self) -> None:
        self._server.stop()
        self._thread.join()

    def _break_connection(self, address: Address) -> None:
        if transport := self._connections.get(address):
            transport.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named, which socket.create_server does not; with it
    # each answer of two writes waits 40 ms for the client's delayed acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(512)
    except OSError:
        listening.close()
        raise
    return listening


class _Server(uvicorn.Server):
    """uvicorn without its ticks: ready and stopped at once instead of at the next tenth of a second."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_ready()
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A connection that is being accepted when the listener closes is closed by nobody.
        while accepting := [task for task in asyncio.all_tasks() if _is_accepting(task)]:
            await asyncio.wait(accepting)
        for listening in self.servers:
            listening.close()
        for open_socket in sockets or []:
            open_socket.close()
        # A silent stream ends only when its client leaves, so here every client leaves.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        # An aborted connection is closed in the loop's next round.
        await asyncio.sleep(0)

    def stop(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)


def _is_accepting(task: asyncio.Task[Any]) -> bool:
    # asyncio's own name, which nothing public tells; a test notices when it goes
    return getattr(task.get_coro(), "__name__", "") == "_accept_connection2"


def _protocol(connections: dict[Address, asyncio.Transport]) -> type[H11Protocol]:
    """The protocol of uvicorn, which also tells which transport belongs to which client address."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            connections[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            connections.pop(self.client, None)
            super().connection_lost(exc)

    return Protocol


def serve(port: int = 0, scenarios: Iterable[str] = (), *, auto_approve: bool = True, **settings: Any) -> None:
    """Serve until SIGINT or SIGTERM; the first line on stdout is {"url": …}.

    Args:
        port: TCP port; 0 lets the system pick one.
        scenarios: Names of SCENARIOS that are on.
        auto_approve: Whether device codes approve themselves.
        **settings: Fields of Settings.
    """
    # a handler may put() in the middle of the get(); an Event's set() would wait for the lock that its wait() holds
    received: SimpleQueue[int] = SimpleQueue()
    before = {
        each: signal.signal(each, lambda number, _: received.put(number)) for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with Emulator(scenarios, auto_approve=auto_approve, port=port, **settings) as emulator:
            sys.stdout.write(json.dumps({"url": emulator.url}) + "\n")
            sys.stdout.flush()
            received.get()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
