"""What public reports say a service sends, byte by byte: the cases that every door is tried with.

A case names its source as ``repository#number``. Hosts that answer with it are scripted; no scenario of the emulator is
needed, because how a body is framed is what many of these are about.
"""

import json
from typing import Any, NamedTuple

import httpx

from qwen_portal import errors
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential

SSE = "text/event-stream"
JSON = "application/json"
QUOTA_WORDS = "Allocated quota exceeded, please increase your quota limit."


def event_error(status: int, code: str, message: str) -> bytes:
    """Write an error as DashScope writes it into a stream that began with 200."""
    data = json.dumps({"code": code, "message": message, "request_id": "r-1"})
    return f"id:1\nevent:error\n:HTTP_STATUS/{status}\ndata:{data}\n\n".encode()


def framed(body: Any) -> bytes:
    """Write JSON as the data of one event."""
    return f"data: {json.dumps(body)}\n\n".encode()


class Refused(NamedTuple):
    """A refusal.

    Attributes:
        source: Who reported it.
        content: The body.
        error: The class it is.
        words: What the error's text must say.
        status: HTTP status.
        kind: Content type.
    """

    source: str
    content: bytes
    error: type[errors.QwenAPIError]
    words: str
    status: int = 200
    kind: str = SSE

    def answer(self, _request: httpx.Request) -> httpx.Response:
        """Answer with it."""
        return httpx.Response(self.status, content=self.content, headers={"content-type": self.kind})


_EVENTS = "hermes-agent#58017, #86496; spring-ai-extensions#29"
_FRAMED = "OpenKB#242"
_NUMERIC = "guidellm#743, sglang#12081"
_BARE = "lemonade#2826, llama.cpp#14566"
_OVERFLOW = "langchain#37532, #39300"
_AGENTS = "goose#8005, ironclaw#1012, zeroclaw#3882, openless#947"
_AGENTS_ONLY = "Coding Plan is currently only available for Coding Agents"


def _coded(code: Any, **more: Any) -> bytes:
    return framed({"error": {"message": "so it says", "code": code, **more}})


def _overflow(message: str, **more: Any) -> Refused:
    body = json.dumps({"error": {"message": message, **more}}).encode()
    return Refused(_OVERFLOW, body, errors.QwenContextLengthError, message[:30], 400, JSON)


REFUSED: dict[str, Refused] = {
    # a stream that began with 200
    "event, quota": Refused(
        _EVENTS,
        event_error(429, "Throttling.AllocationQuota", QUOTA_WORDS),
        errors.QwenQuotaExceededError,
        "Allocated quota exceeded",
    ),
    "event, rate": Refused(
        _EVENTS, event_error(429, "Throttling.RateQuota", "Too many."), errors.QwenRateLimitError, "Too many"
    ),
    "event, moderation": Refused(
        _EVENTS,
        event_error(400, "DataInspectionFailed", "Input data may contain inappropriate content."),
        errors.QwenContentFilterError,
        "inappropriate",
    ),
    "event, bad parameter": Refused(
        _EVENTS, event_error(400, "InvalidParameter", "No such thing."), errors.QwenBadRequestError, "No such thing"
    ),
    "event, server": Refused(
        _EVENTS, event_error(500, "InternalError", "It fell over."), errors.QwenServerError, "It fell over"
    ),
    "event, key": Refused(
        _EVENTS, event_error(401, "InvalidApiKey", "Invalid API-key."), errors.QwenAuthenticationError, "API key"
    ),
    "event, no words": Refused(_EVENTS, b"event: error\ndata: gone\n\n", errors.QwenServerError, "gone"),
    # an answer that is a refusal by its status, too
    "framed, error object": Refused(
        _FRAMED,
        framed({"error": {"code": "insufficient_quota", "message": "Free allocated quota exceeded."}}),
        errors.QwenQuotaExceededError,
        "Free allocated",
        429,
    ),
    "framed, as JSON": Refused(
        _FRAMED,
        framed({"error": {"code": "data_inspection_failed", "message": "inappropriate"}}),
        errors.QwenContentFilterError,
        "inappropriate",
        400,
        JSON,
    ),
    "framed, four lines": Refused(
        _FRAMED,
        event_error(429, "Throttling.AllocationQuota", QUOTA_WORDS),
        errors.QwenQuotaExceededError,
        "Allocated quota",
        429,
        JSON,
    ),
    "framed, CRLF and a byte order mark": Refused(
        _FRAMED,
        b'\xef\xbb\xbfdata: {"error": {"code": "insufficient_quota", "message": "Free quota"}}\r\n\r\n',
        errors.QwenQuotaExceededError,
        "Free quota",
        403,
    ),
    # numbers and texts where a code should be
    "code 400": Refused(_NUMERIC, _coded(400), errors.QwenBadRequestError, "so it says"),
    "code 401": Refused(_NUMERIC, _coded(401), errors.QwenAuthenticationError, "(HTTP 401"),
    "code 404": Refused(_NUMERIC, _coded(404), errors.QwenModelNotFoundError, "so it says"),
    "code 429": Refused(_NUMERIC, _coded(429), errors.QwenRateLimitError, "so it says"),
    "code '429'": Refused(_NUMERIC, _coded("429"), errors.QwenRateLimitError, "so it says"),
    "code 503": Refused(_NUMERIC, _coded(503), errors.QwenServerError, "so it says"),
    "code rate_limit_exceeded": Refused(
        _NUMERIC, _coded("rate_limit_exceeded"), errors.QwenRateLimitError, "so it says"
    ),
    "type BadRequestError": Refused(
        _NUMERIC, _coded(None, type="BadRequestError"), errors.QwenBadRequestError, "so it says"
    ),
    "a status in the message": Refused(
        _NUMERIC,
        framed({"error": {"message": "<400> InternalError.Algo.InvalidParameter: no"}}),
        errors.QwenBadRequestError,
        "InvalidParameter: no",
    ),
    # no event at all
    "bare object": Refused(
        _BARE, b'{"error": {"message": "no such model", "code": 404}}', errors.QwenModelNotFoundError, "no such model"
    ),
    "bare object over lines": Refused(
        _BARE,
        b'{\n  "error": {\n    "message": "so it says",\n    "code": 400\n  }\n}\n',
        errors.QwenBadRequestError,
        "so it says",
    ),
    "error field": Refused(
        _BARE,
        b'error: {"code": 400, "message": "the request is odd", "type": "invalid_request_error"}\n\n',
        errors.QwenBadRequestError,
        "the request is odd",
    ),
    "error field in words": Refused(_BARE, b"error: it is over\n\n", errors.QwenServerError, "it is over"),
    "object error": Refused(
        _BARE,
        framed({"object": "error", "message": "max_tokens is odd", "type": "BadRequestError", "code": 400}),
        errors.QwenBadRequestError,
        "max_tokens is odd",
    ),
    # the prompt is too long
    "vLLM": _overflow("This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."),
    "vLLM, newer": _overflow("The decoder prompt (length 9000) is longer than the maximum model length of 8192."),
    "SGLang": _overflow("The input (9000 tokens) is longer than the model's context length (8192 tokens)."),
    "SGLang, total": _overflow("Requested token count exceeds the model's maximum context length of 8192 tokens."),
    "LiteLLM": _overflow("litellm.ContextWindowExceededError: no room", code="400"),
    "llama.cpp": _overflow("the request exceeds the available context size, try increasing it", code=400),
    "llama.cpp, type": _overflow("no room for 9000 tokens", type="exceed_context_size_error"),
    "OpenAI": _overflow("Your input exceeds the context window of this model."),
    # a plan for other clients
    "405": Refused(
        _AGENTS,
        json.dumps({"error": _AGENTS_ONLY}).encode(),
        errors.QwenPlanNotForProgramsError,
        "only available for Coding Agents",
        405,
        JSON,
    ),
    "405, as an object": Refused(
        _AGENTS,
        json.dumps({"error": {"message": _AGENTS_ONLY, "type": "access_terminated_error"}}).encode(),
        errors.QwenPlanNotForProgramsError,
        "only available for Coding Agents",
        403,
        JSON,
    ),
}


def keep_key(label: str = "key", plan: str = "https://models.example/v1") -> None:
    """Keep a key of a plan by its address."""
    Session().accounts.add(label, Credential.from_key(Secret("sk-x"), plan=plan))


def chunk(delta: Any, *, reason: Any = None, **more: Any) -> dict[str, Any]:
    """Write a chunk with one choice."""
    return {"id": "c-1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}


def stream_of(*chunks: Any, done: bytes = b"data: [DONE]\n\n") -> httpx.Response:
    """Answer with these events."""
    content = b"".join(map(framed, chunks)) + done
    return httpx.Response(200, content=content, headers={"content-type": SSE})


def whole_of(message: Any, *, reason: Any = "stop", **more: Any) -> httpx.Response:
    """Answer with a completion of one choice."""
    body = {"id": "c-1", "choices": [{"message": message, "finish_reason": reason}], **more}
    return httpx.Response(200, content=json.dumps(body), headers={"content-type": JSON})


def call(arguments: Any, *, name: str = "add", call_id: str = "c1", index: Any = 0) -> dict[str, Any]:
    """Write one tool call, or a fragment of one."""
    return {
        "index": index,
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
