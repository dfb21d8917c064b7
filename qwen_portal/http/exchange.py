"""One request and what came back of it: its limits, its tries, and the judgement of the answer.

The sync and the async transport share all of this; they differ in how they wait alone.
"""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from qwen_portal.account.api_keys import hint_for_refused, whose_key
from qwen_portal.account.record import Account
from qwen_portal.answers.chunks import ChunkReader
from qwen_portal.answers.collected import collected
from qwen_portal.answers.error_responses import error_from_response, is_web_page, is_wrong_key
from qwen_portal.answers.fields import UnreadableError
from qwen_portal.answers.refusals import is_refusal
from qwen_portal.errors import (
    QwenAPIError,
    QwenAuthenticationError,
    QwenBadRequestError,
    QwenConnectionError,
    QwenPlanNotForProgramsError,
    QwenStreamError,
    QwenTimeoutError,
)
from qwen_portal.http.bodies import TooLargeError
from qwen_portal.http.deadlines import Deadline
from qwen_portal.http.retry import Retries
from qwen_portal.recording.recorder import Recorder, Recording, Sent
from qwen_portal.requests.chat_request import PreparedRequest
from qwen_portal.requests.embedding_request import embedding_hint
from qwen_portal.requests.thinking_mode import streams_only_hint
from qwen_portal.secrets import Secret, printable, reason
from qwen_portal.service.hosts import origin
from qwen_portal.settings import CHUNK_TIMEOUT, CONNECT_TIMEOUT
from qwen_portal.untrusted_json import json_value

_OK = 200
_HEADER_LIMIT = 1000
# What a connection may take to end after its answer has; one that has ended serves the next request.
_FAREWELL = 1.0
# Names a request's extension: a list for the secrets that it may have told the server.
TOLD = "qwen_portal.told"


class Exchange:
    """What the two transports share: one request, its limits, and the judgement of what came back.

    Args:
        request: From :mod:`qwen_portal.requests`.
        auth: Puts the bearer on.
        timeout: Seconds for the whole answer, retries included.
        max_retries: Repeats at most; for a stream only before its first content.
        account: Whose bearer that is.
        recorder: Where what is kept of it goes; ``None`` for nowhere.
        on_quota: The strategy for a spent quota that it is a try of, or ``None``.
    """

    def __init__(
        self,
        request: PreparedRequest,
        auth: httpx.Auth,
        timeout: float,
        max_retries: int,
        account: Account,
        *,
        recorder: Recorder | None = None,
        on_quota: str | None = None,
    ) -> None:
        self.request = request
        self.auth = auth
        self.account = account
        self.timeout = timeout
        self.retries = Retries(max_retries, timeout)
        self.host = origin(request.url).partition("://")[2]
        self.content = _encoded(request.body)
        self.is_streamed = bool(request.body.get("stream", False))
        self.connected = False
        self.answered = False
        # what the server may repeat, and nobody else is to read: of every try
        self.secrets: list[Secret] = []
        self._headers: Callable[[], Mapping[str, str]] = dict
        self._connection_was_stale = False
        # An error raised from a variable makes a cycle with the frame that has it: those frames hold streams.
        self._failures: list[QwenAPIError] = []
        sent = Sent(account, request, self.content, on_quota)
        self.recording = Recording() if recorder is None else recorder.begin(sent)

    def build(self, pool: httpx.Client | httpx.AsyncClient, trace: Any) -> httpx.Request:
        """Make the request of one attempt.

        All of it has the time that is left; within that a stream may be silent for :attr:`silence`.
        """
        self.connected = self.answered = False
        self.recording.begin_try()
        left, latest = self.retries.remaining(), self.retries.deadline
        whole = Deadline(left, latest=latest)
        self.silence = Deadline(min(CHUNK_TIMEOUT, left), latest=latest)
        read, connect = self.silence if self.is_streamed else whole, Deadline(min(CONNECT_TIMEOUT, left))
        return pool.build_request(
            self.request.method,
            self.request.url,
            content=self.content if self.request.method == "POST" else None,
            headers=dict(self.request.headers),
            timeout=httpx.Timeout(whole, read=read, connect=connect),
            extensions={"trace": trace, TOLD: self.secrets},
        )

    def note(self, event: str, _info: Mapping[str, Any]) -> None:
        """Learn from httpcore whether the connection is new, and whether a byte came back."""
        if event == "connection.connect_tcp.started":
            self.connected = True
        elif event.endswith("receive_response_headers.complete"):
            self.answered = True

    async def anote(self, event: str, info: Mapping[str, Any]) -> None:
        """Do what :meth:`note` does, for the async pool."""
        self.note(event, info)

    def heard(self, *, has_news: bool, is_over: bool) -> None:
        """Let a stream be silent anew if it has brought news, and only for a moment once it has said all.

        Args:
            has_news: Whether a chunk came; before the first content every byte is news.
            is_over: Whether the answer is.
        """
        if is_over:
            self.silence.renew(_FAREWELL)
        elif has_news:
            self.silence.renew()

    def parse_response(self, response: httpx.Response) -> dict[str, Any]:
        """Return a whole answer, as the request reads it.

        Raises:
            QwenAPIError: It is none.
        """
        self.note_headers(response)
        answer = self._collected(response) if self.is_stream(response) else self._whole(response)
        if answer is None:
            raise self.refused(response)
        return answer

    def _whole(self, response: httpx.Response) -> dict[str, Any] | None:
        """Read an answer that came in one piece; ``None`` if it is none."""
        if response.status_code != _OK or is_web_page(response.headers, response.content):
            return None
        try:
            body = json_value(response.content)
        except ValueError:
            return None
        if not isinstance(body, dict) or is_refusal(body):
            return None
        try:
            return self.request.read(body)
        except UnreadableError:
            return None

    def _collected(self, response: httpx.Response) -> dict[str, Any] | None:
        """Put together what came as a stream that nobody asked for; ``None`` if it is no whole answer.

        Raises:
            QwenAPIError: It holds a refusal.
        """
        reader = ChunkReader(self.host, self.response_headers.get("x-request-id"), self.secrets)
        try:
            return self.request.read(collected([*reader.feed(response.content), *reader.end()]))
        except (QwenStreamError, UnreadableError):
            return None
        except QwenAPIError as exc:
            # without the reader's frames, which hold what the service said, unmasked
            raise self.explained(exc.with_traceback(None)) from None

    def is_stream(self, response: httpx.Response) -> bool:
        """Tell whether an answer is the event stream that was asked for."""
        return response.status_code == _OK and "text/event-stream" in response.headers.get("content-type", "").lower()

    def refused(self, response: httpx.Response) -> QwenAPIError:
        """Make the error of an answer that is none; a bearer echoed by the server is masked."""
        self.note_headers(response)
        return self.explained(
            error_from_response(
                response.status_code,
                self.response_headers,
                response.content,
                host=self.host,
                secrets=self.secrets,
            )
        )

    def note_headers(self, response: httpx.Response) -> None:
        """Keep an answer's headers, for callbacks, a proxy's clients and the record of the request."""
        self._headers = _presentable(response.headers, self.secrets)
        if self.recording.is_wanted:
            self.recording.received(response.status_code, self.response_headers, self.secrets)

    @property
    def response_headers(self) -> Mapping[str, str]:
        """The headers of the last answer, as they may be shown and sent."""
        return self._headers()

    def explained(self, error: QwenAPIError) -> QwenAPIError:
        """Say what the refusal of a key means; other errors are returned as they are."""
        body = self.request.body
        error.hint = streams_only_hint(error, body) or embedding_hint(error, body) or error.hint
        if self.account.kind == "oauth" or not isinstance(error, QwenAuthenticationError):
            return error
        if isinstance(error, QwenPlanNotForProgramsError):
            return error
        return self._key_refused(error) if is_wrong_key(error) else self._not_allowed(error)

    def _key_refused(self, error: QwenAPIError) -> QwenAuthenticationError:
        """Explain what the service calls an expired token even where it was given a key of another plan.

        Source: docs/protocol.md, "Plans".
        """
        said = f"HTTP {error.status}" if error.code is None else f"HTTP {error.status}, {error.code}"
        return QwenAuthenticationError(
            f"{self.host} refused {whose_key(self.account)} ({said}): it is wrong, or of another plan. A key works at "
            "its own plan's address alone, and any other answers this.",
            hint=hint_for_refused(self.account, self.secrets),
            kind="key",
            status=error.status,
            code=error.code,
            request_id=error.request_id,
        )

    def _not_allowed(self, error: QwenAPIError) -> QwenAPIError:
        """Leave the service its words, and say whose key it is."""
        whose = whose_key(self.account)
        error.hint = (
            f"{whose[0].upper()}{whose[1:]} is known there, but may not do this; the console of its plan says what it "
            "may."
        )
        return error

    def failure(self, exc: httpx.HTTPError, *, streaming: bool = False) -> QwenAPIError:
        """Turn the HTTP library's error into ours."""
        why = reason(exc, secrets=self.secrets)
        if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
            error = QwenConnectionError(f"{self.host} could not be reached ({why}).")
            error.sent = False
            return error
        if isinstance(exc, httpx.TimeoutException):
            return self._too_late(streaming=streaming)
        if isinstance(exc, TooLargeError):
            return _too_large(exc, streaming=streaming)
        if streaming:
            return QwenStreamError(f"The connection to {self.host} broke in the middle of the answer ({why}).")
        return QwenConnectionError(f"The connection to {self.host} broke ({why}).")

    def _too_late(self, *, streaming: bool) -> QwenTimeoutError:
        if streaming and self.retries.remaining() <= 0:
            return self.incomplete()
        seconds = min(CHUNK_TIMEOUT, self.timeout) if self.is_streamed else self.timeout
        return QwenTimeoutError(f"{self.host} sent {'no chunk' if streaming else 'no answer'} for {seconds:g} s.")

    def incomplete(self) -> QwenTimeoutError:
        """Make the error of an answer whose time is over."""
        return QwenTimeoutError(f"The answer was not complete after {self.timeout:g} s.")

    def failed(self, exc: httpx.HTTPError | QwenAPIError) -> None:
        """Note what ended an attempt."""
        died = isinstance(exc, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError)
        self._connection_was_stale = died and not self.connected and not self.answered
        self._failures.append(self.failure(exc) if isinstance(exc, httpx.HTTPError) else exc)

    def pause(self) -> float:
        """Return how many seconds to wait before the next attempt.

        Raises:
            QwenAPIError: What ended the last one, if there is no next.
        """
        wait = self.retries.wait_after(self._failures[-1], stale_connection=self._connection_was_stale)
        if wait is None:
            raise self._failures.pop()
        self._failures.clear()
        return wait


def _too_large(exc: TooLargeError, *, streaming: bool) -> QwenAPIError:
    kind = QwenStreamError if streaming else QwenConnectionError
    return kind(f"Nobody reads on: {exc}.", hint="Ask for less at once: a smaller max_tokens, or a smaller n.")


def _presentable(headers: httpx.Headers, secrets: list[Secret]) -> Callable[[], Mapping[str, str]]:
    """Return what makes an answer's headers fit to be shown, once somebody asks for them: few do, and it costs."""

    @functools.cache
    def made() -> Mapping[str, str]:
        return {
            name: printable(value, limit=_HEADER_LIMIT, secrets=secrets).encode("ascii", "replace").decode()
            for name, value in headers.items()
        }

    return made


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # half of a pair, such as a text that was cut in the middle of an emoji has
        why = "a text holds half a character (a lone surrogate)"
    except (TypeError, ValueError, RecursionError) as exc:
        why = reason(exc)
    raise QwenBadRequestError(f"The request cannot be written as JSON: {why}.")
