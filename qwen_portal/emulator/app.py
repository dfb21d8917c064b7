"""The ASGI application: one door for both hosts of the service and for the control calls."""

import ipaddress
import json
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from qwen_portal.emulator import chat, control, embeddings, faults, oauth, pages
from qwen_portal.emulator.scenarios import Place
from qwen_portal.emulator.state import LogEntry, State
from qwen_portal.emulator.streaming import Dropped, EventStream, Held, Silence

# The hosts that a TLS bridge in front of the emulator passes on: those of the service and of its key plans.
_SERVICE_DOMAINS = (".qwen.ai", ".aliyuncs.com", ".qwencloudapi.com")

_PLACES = {
    "/api/v1/oauth2/device/code": Place.DEVICE,
    "/api/v1/oauth2/token": Place.POLL,
    "/authorize": Place.PAGE,
    "/v1/chat/completions": Place.CHAT,
    "/compatible-mode/v1/chat/completions": Place.CHAT,
    "/v1/embeddings": Place.EMBEDDINGS,
    "/compatible-mode/v1/embeddings": Place.EMBEDDINGS,
    "/v1/models": Place.MODELS,
    "/compatible-mode/v1/models": Place.MODELS,
}

BreakConnection = Callable[[tuple[str, int] | None], None]


def build_app(state: State, break_connection: BreakConnection) -> Starlette:
    """Build the application.

    Args:
        state: The emulator's memory.
        break_connection: Closes the connection of the client with this address, at once.
    """
    door = _Door(state, break_connection)
    return Starlette(routes=[Route("/{path:path}", door)])


class _Door:
    """Reads a request, logs it, finds who answers it."""

    def __init__(self, state: State, break_connection: BreakConnection) -> None:
        self._state = state
        self._break_connection = break_connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            raw = await request.body()
        except ClientDisconnect:
            return
        with self._state.lock:
            response = self._answer(request, raw)
        await response(scope, receive, send)

    def _answer(self, request: Request, raw: bytes) -> Response:
        hostname = _hostname(request.headers.get("host", ""))
        if not _is_loopback(request.client.host if request.client else "") or not _may_ask(hostname):
            return JSONResponse({"error": "the emulator answers loopback clients only"}, 403)
        body = _parse(raw, request.headers.get("content-type", ""))
        if _is_from_another_site(request):
            return JSONResponse({"error": "a web page of another site turns nothing here"}, 403)
        if request.url.path.startswith(control.PREFIX):
            if not _is_loopback(hostname):
                return JSONResponse({"error": "control calls must name a loopback host"}, 403)
            return control.control(self._state, request.method, request.url.path, body)
        entry = self._log(request, body)
        response = self._service(request, entry)
        if not isinstance(response, Dropped | Silence):
            entry.status = response.status_code
            entry.finished = not isinstance(response, EventStream)
        return response

    def _log(self, request: Request, body: Any) -> LogEntry:
        state = self._state
        entry = LogEntry(
            n=len(state.log) + 1,
            time=state.clock.now(),
            method=request.method,
            path=request.url.path,
            host=request.headers.get("host", ""),
            headers=dict(request.headers),
            body=body,
            place=_place(request.url.path, body),
        )
        state.log.append(entry)
        return entry

    def _service(self, request: Request, entry: LogEntry) -> Response:
        state = self._state

        def break_connection() -> None:
            self._break_connection(_address(request.scope))

        if entry.place is Place.CHAT:
            # Noted before anything else, so that no other refusal can hide a request above the cap.
            entry.above_cap = chat.above_cap(entry)
        if answer := faults.fault(state, entry, break_connection):
            return answer
        handlers: dict[tuple[str, Place], Callable[[], Response]] = {
            ("POST", Place.DEVICE): lambda: oauth.device_code(state, entry),
            ("POST", Place.POLL): lambda: oauth.token(state, entry),
            ("POST", Place.REFRESH): lambda: self._after_refresh(oauth.token(state, entry), entry, break_connection),
            ("GET", Place.PAGE): lambda: pages.show(state, dict(request.query_params)),
            ("POST", Place.PAGE): lambda: pages.decide(state, entry),
            ("POST", Place.CHAT): lambda: chat.chat(state, entry, break_connection),
            ("POST", Place.EMBEDDINGS): lambda: embeddings.embeddings(state, entry),
            ("GET", Place.MODELS): lambda: chat.models(state, entry),
        }
        # The service answers a wrong path, such as one without /v1, with 404 and no body.
        return handlers.get((entry.method, entry.place), lambda: Response(b"", 404))()

    def _after_refresh(self, answer: Response, entry: LogEntry, break_connection: Callable[[], None]) -> Response:
        """Lose or hold an answer whose refresh token is spent already, if a scenario says so."""
        state = self._state
        if state.hits("lost-answer", entry):
            return Dropped(break_connection)
        if state.hits("held", entry):
            return Held(answer, lambda: "held" not in state.scenarios.active())
        return answer


def _place(path: str, body: Any) -> Place:
    place = _PLACES.get(path, Place.OTHER)
    return oauth.place_of(body) if place is Place.POLL else place


def _parse(raw: bytes, content_type: str) -> Any:
    if not raw:
        return None
    text = raw.decode("utf-8", "replace")
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(text, keep_blank_values=True))
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _address(scope: MutableMapping[str, Any]) -> tuple[str, int] | None:
    client = scope.get("client")
    return (client[0], client[1]) if client else None


def _hostname(host: str) -> str:
    bare = host.rsplit(":", 1)[0] if host.count(":") <= 1 or host.startswith("[") else host
    return bare.strip("[]").lower()


def _is_loopback(hostname: str) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def _is_from_another_site(request: Request) -> bool:
    # a browser says so of every form and script of a page; programs say nothing
    origin = request.headers.get("origin")
    return request.method != "GET" and origin is not None and origin != f"http://{request.headers.get('host', '')}"


def _may_ask(hostname: str) -> bool:
    # Any other name would be a web page that points its own domain at this machine (DNS rebinding).
    return _is_loopback(hostname) or hostname.endswith(_SERVICE_DOMAINS)
