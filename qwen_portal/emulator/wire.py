"""The gateway's dress for answers: JSON spelling, headers, error envelopes, OAuth errors."""

import json
import uuid
from typing import Any

from starlette.responses import Response

_GATEWAY_HEADERS = {
    "x-dashscope-call-gateway": "true",
    "x-dashscope-finished": "true",
    "x-dashscope-timeout": "298",
    "x-envoy-upstream-service-time": "12",
    "req-cost-time": "12",
    "server": "istio-envoy",
    "vary": "Origin,Access-Control-Request-Method,Access-Control-Request-Headers",
}

# What the models' own servers put before their words; the gateway's words come without it.
ALGO = "<400> InternalError.Algo.InvalidParameter: "

_FIREWALL_PAGE = (
    '<!doctypehtml><html><head><meta charset="utf-8"><meta name="aliyun_waf_aa" content="0123456789abcdef">'
    '<meta name="aliyun_waf_bb" content="fedcba9876543210"></head><body><script>/* challenge */</script></body></html>'
)


def new_request_id() -> str:
    """A request id as the gateway makes them; a chat's answer has the same one behind "chatcmpl-"."""
    return str(uuid.uuid4())


def compact(data: Any) -> str:
    """JSON without spaces and with letters of every script as they are, like the service's."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def gateway_headers(request_id: str, now: float) -> dict[str, str]:
    """The headers of the DashScope gateway (docs/protocol.md, Chat answers)."""
    arrived = str(int(now * 1000))
    return {"x-request-id": request_id, "req-arrive-time": arrived, "resp-start-time": arrived} | _GATEWAY_HEADERS


def json_answer(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer in the service's spelling."""
    return Response(compact(data), status, headers, media_type="application/json")


def oauth_error(status: int, code: str, description: str) -> Response:
    """An error of the sign-in host (RFC 6749 §5.2, RFC 8628 §3.5)."""
    return json_answer({"error": code, "error_description": description}, status, {"server": "istio-envoy"})


def firewall_page() -> Response:
    """The page of the web firewall in front of the sign-in host: status 200, HTML."""
    return Response(_FIREWALL_PAGE, 200, media_type="text/html")


class Refusal(Exception):  # noqa: N818 - it is an answer of the service, not a fault of the emulator
    """The service says no: carries the answer's status and error envelope.

    Attributes:
        status: HTTP status.
        code: `error.code`.
        kind: `error.type`.
        param: `error.param`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.kind, self.param = status, code, message, kind, param
        self.headers = headers or {}

    def envelope(self, request_id: str) -> dict[str, Any]:
        """The body of the answer."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        body: dict[str, Any] = {"error": error, "request_id": request_id}
        if self.code == "data_inspection_failed":
            # Seen on the wire with moderation errors only.
            body["id"] = f"chatcmpl-{request_id}"
        return body

    def response(self, now: float) -> Response:
        """The answer itself."""
        request_id = new_request_id()
        return json_answer(self.envelope(request_id), self.status, gateway_headers(request_id, now) | self.headers)

    def framed(self, now: float) -> Response:
        """The answer as a gateway gives it that makes an event of whatever it passes on."""
        request_id = new_request_id()
        body = f"data: {compact(self.envelope(request_id))}\n\n"
        return Response(body, self.status, gateway_headers(request_id, now), media_type="text/event-stream")


def invalid_parameter(message: str) -> Refusal:
    """400 with the code that the service uses for almost every bad request."""
    return Refusal(400, "invalid_parameter_error", message)
