"""Gateways, firewalls and connections that fail before the service sees the request."""

from collections.abc import Callable

from starlette.responses import PlainTextResponse, Response

from qwen_portal.emulator.scenarios import Place
from qwen_portal.emulator.state import LogEntry, State
from qwen_portal.emulator.streaming import DONE, Break, Dropped, Silence, sse
from qwen_portal.emulator.wire import Refusal, compact, firewall_page, json_answer

Answer = Callable[[], Response]

_AGENTS_ONLY = "Coding Plan is currently only available for Coding Agents"
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
        "framed-refusal": lambda: quota_spent().framed(now),
        "coding-agents-only": lambda: json_answer({"error": _AGENTS_ONLY}, 405),
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


def quota_spent(status: int = 429) -> Refusal:
    """The day's quota is used up."""
    code = "insufficient_quota"
    return Refusal(status, code, "Free allocated quota exceeded.", kind=code)


def _dashscope_event(request_id: str) -> bytes:
    message = "Allocated quota exceeded, please increase your quota limit."
    data = compact({"code": "Throttling.AllocationQuota", "message": message, "request_id": request_id})
    return f"id:1\nevent:error\n:HTTP_STATUS/429\ndata:{data}\n\n".encode()


def _numeric_code(_request_id: str) -> bytes:
    message = "The input (131073 tokens) is longer than the model's context length (131072 tokens)."
    error = {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}
    return sse({"error": error}) + DONE


def _bare_error(_request_id: str) -> bytes:
    message = "request (19185 tokens) exceeds the available context size (16384 tokens), try increasing it"
    numbers = {"n_prompt_tokens": 19_185, "n_ctx": 16_384}
    error = {"code": 400, "message": message, "type": "exceed_context_size_error"} | numbers
    return compact({"error": error}).encode()


# The whole body of a stream that is an error and nothing else, made of its request id.
ERROR_STREAMS: dict[str, Callable[[str], bytes]] = {
    "dashscope-event-error": _dashscope_event,
    "numeric-code": _numeric_code,
    "bare-error": _bare_error,
}


def _too_many(state: State) -> Refusal:
    wait = state.settings.retry_after
    headers = {} if wait is None else {"retry-after": str(wait)}
    message = "You exceeded your current requests list."
    return Refusal(429, "limit_requests", message, kind="limit_requests", headers=headers)


def _is_stream(entry: LogEntry) -> bool:
    return entry.place is Place.CHAT and isinstance(entry.body, dict) and entry.body.get("stream") is True
