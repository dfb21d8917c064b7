"""Gateways, firewalls and connections that fail before the service sees the request."""

from collections.abc import Callable

from starlette.responses import PlainTextResponse, Response

from qwen_portal.emulator.scenarios import Place
from qwen_portal.emulator.state import LogEntry, State
from qwen_portal.emulator.streaming import Break, Dropped, Silence
from qwen_portal.emulator.wire import Refusal, firewall_page

Answer = Callable[[], Response]

_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def fault(state: State, entry: LogEntry, break_connection: Break) -> Response | None:
    """The answer of whatever stands before the service, if a scenario says that it fails here."""
    now = state.clock.now()
    answers: dict[str, Answer] = {
        "drop": lambda: Dropped(break_connection),
        "firewall": firewall_page,
        "empty": lambda: Response(b"", 200),
        "burst": lambda: _too_many(state).response(now),
        "gateway-504": lambda: PlainTextResponse("stream timeout", 504),
        "html-502": lambda: Response(_BAD_GATEWAY, 502, media_type="text/html"),
        "error-500": lambda: internal_error("Internal server error!").response(now),
    }
    if not _is_stream(entry):
        answers["silence"] = Silence
    for name, answer in answers.items():
        if state.hits(name, entry):
            return answer()
    return None


def internal_error(message: str) -> Refusal:
    """500 in the service's own envelope."""
    return Refusal(500, "internal_error", message, kind="internal_error")


def _too_many(state: State) -> Refusal:
    wait = state.settings.retry_after
    headers = {} if wait is None else {"retry-after": str(wait)}
    message = "You exceeded your current requests list."
    return Refusal(429, "limit_requests", message, kind="limit_requests", headers=headers)


def _is_stream(entry: LogEntry) -> bool:
    return entry.place is Place.CHAT and isinstance(entry.body, dict) and entry.body.get("stream") is True
