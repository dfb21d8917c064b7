"""Any header: of a caller's, which must stay one line of its request; of a server's, which must end nothing."""

from collections.abc import Iterator
from typing import Any

import h11
import httpx
import litellm
import openai
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import litellm_qwen_portal  # noqa: F401 - importing it registers the provider
from qwen_portal import PortalClient, QwenError, oauth
from qwen_portal.errors import QwenAPIError, QwenBadRequestError
from qwen_portal.requests.extra_headers import checked_headers
from qwen_portal.secrets import Secret
from tests.canaries import ACCESS, REFRESH, assert_none_in
from tests.reported import SSE, chunk, framed
from tests.screens import assert_shows_itself
from tests.scripted import answering
from tests.sign_ins import keep_tokens
from tests.ways import HELLO

ANY = settings(max_examples=400, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
FEW = settings(ANY, max_examples=60)

_NAMES = [
    "Host",
    "host ",
    "Content-Length",
    "Transfer-Encoding",
    "X-Note",
    "x-note",
    "Cookie",
    "Proxy-X",
    "TE",
    ":path",
]
_PIECES = ["\r\n", "\n", "\r", ":", " ", "\t", "\0", "\x0b", "a", "é", "\u212a", "\ud800", "chunked", "7", ";", ","]
pieces = st.lists(st.sampled_from(_PIECES) | st.text(max_size=3), max_size=4).map("".join)
names = st.sampled_from(_NAMES) | st.builds("{}{}".format, st.sampled_from(_NAMES), pieces) | pieces
values = pieces | st.none() | st.integers() | st.binary(max_size=3)


@ANY
@given(st.dictionaries(names, values, max_size=3))
def test_a_callers_header_is_one_line_of_its_request_or_refused(given_: dict[str, Any]) -> None:
    """As the HTTP library writes it; none of them says where the request goes, or where it ends."""
    try:
        headers = checked_headers(given_)
    except QwenBadRequestError as exc:
        str(exc).encode("utf-8", "backslashreplace")
        return
    request = httpx.Request("POST", "https://portal.qwen.ai/v1/chat/completions", headers=headers, content=b"{}")
    written = h11.Connection(h11.CLIENT).send(h11.Request(method="POST", target="/", headers=request.headers.raw))
    assert written is not None
    lines = written.split(b"\r\n")[1:-2]
    sent = {name.decode().lower(): value for name, value in (line.split(b":", 1) for line in lines)}
    assert len(lines) == len(sent) == len({name.lower() for name in headers}) + 2
    assert (sent["host"], sent["content-length"]) == (b" portal.qwen.ai", b" 2")


_SAID = [
    b"caf\xc3\xa9",
    b"\xff\xfe",
    b"\xc2\x9b31m",
    b"\xe2\x80\xae",
    b"r" * 200,
    b"7",
    b"nan",
    b"inf",
    b"-1",
    b"1e999",
]
_DATES = [b"Mon, 01 Jan 2024 00:00:00 +99999999999999999999", b"Mon, 01 Jan 99999999999999999999 00:00:00 GMT"]
said = st.sampled_from([*_SAID, *_DATES, ACCESS.encode()]) | st.binary(max_size=6)
servers = st.dictionaries(
    st.sampled_from([b"x-request-id", b"retry-after", b"server", b"x-note", b"location", b"date", b"set-cookie"]),
    said,
    max_size=4,
)
KINDS = ["refused", "stream", "cut", "answer"]


def _answer(request: httpx.Request, kind: str, headers: dict[bytes, bytes]) -> httpx.Response:
    given_ = [(name, value) for name, value in headers.items() if name != b"location"]
    if request.url.path.endswith("/token"):
        tokens = {"access_token": ACCESS, "refresh_token": REFRESH}
        return httpx.Response(
            400 if kind == "refused" else 200, json={} if kind == "refused" else tokens, headers=given_
        )
    if kind == "refused":
        return httpx.Response(400, json={"error": {"message": "no", "code": "x"}}, headers=given_)
    if kind == "answer":
        message = {"message": {"content": "4"}, "finish_reason": "stop"}
        return httpx.Response(200, json={"choices": [message]}, headers=given_)
    content = framed(chunk({"content": "4"}, reason=None if kind == "cut" else "stop"))
    return httpx.Response(200, content=content, headers=[(b"content-type", SSE.encode()), *given_])


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Let the hosts answer with what stands in the dictionary, to an account whose token is a canary."""
    keep_tokens(access=ACCESS)
    given_: dict[str, Any] = {}
    with answering(lambda request: _answer(request, **given_), monkeypatch):
        yield given_


def _assert_fit_to_show(error: QwenError) -> None:
    shown = f"{error} {getattr(error, 'request_id', None)} {getattr(error, 'code', None)}"
    assert_shows_itself(shown)
    assert_none_in(shown)
    assert len(getattr(error, "request_id", None) or "") <= 80


def test_a_servers_header_ends_no_answer(answers: dict[str, Any]) -> None:
    """An answer, or a typed error that can be shown and holds no echo of the bearer."""

    @ANY
    @given(kind=st.sampled_from(KINDS), headers=servers)
    @example(kind="cut", headers={b"x-request-id": ACCESS.encode()})
    @example(kind="cut", headers={b"x-request-id": b"r" * 200})
    @example(kind="refused", headers={b"x-request-id": ACCESS.encode()})
    @example(kind="refused", headers={b"retry-after": _DATES[0]})
    @example(kind="refused", headers={b"retry-after": b"Mon, 01 Jan 99999999999999999999 00:00:00 GMT"})
    @example(kind="refused", headers={b"retry-after": b"1e308"})
    def ask(kind: str, headers: dict[bytes, bytes]) -> None:
        answers.update(kind=kind, headers=headers)
        for way in (
            lambda: PortalClient(max_retries=0).chat(HELLO),
            lambda: list(PortalClient(max_retries=0).stream(HELLO)),
        ):
            try:
                assert way()
            except QwenAPIError as exc:
                _assert_fit_to_show(exc)

    ask()


def test_a_servers_header_costs_no_refreshed_pair(answers: dict[str, Any]) -> None:
    """One that is not ASCII was a raw error, after the refresh token was spent."""

    @ANY
    @given(kind=st.sampled_from(["answer", "refused"]), headers=servers)
    @example(kind="answer", headers={b"server": "caf\u00e9".encode()})
    def ask(kind: str, headers: dict[bytes, bytes]) -> None:
        answers.update(kind=kind, headers=headers)
        try:
            assert oauth.refresh(Secret(REFRESH)).access_token.reveal() == ACCESS
        except QwenError as exc:
            assert kind == "refused"
            _assert_fit_to_show(exc)

    ask()


def test_a_servers_header_reaches_a_proxys_client_only_as_a_header(answers: dict[str, Any]) -> None:
    """In LiteLLM's exception and in its hidden parameters; a proxy writes them as Latin-1, and cannot write others."""

    @FEW
    @given(kind=st.sampled_from(["answer", "refused"]), headers=servers)
    @example(kind="refused", headers={b"x-request-id": b"r" * 200})
    @example(kind="refused", headers={b"x-note": ACCESS.encode(), b"server": "caf\u00e9".encode()})
    @example(kind="answer", headers={b"x-note": ACCESS.encode(), b"server": "\u202e".encode()})
    def ask(kind: str, headers: dict[bytes, bytes]) -> None:
        answers.update(kind=kind, headers=headers)
        try:
            answer = litellm.completion(model="qwen-portal/coder-model", messages=HELLO, max_retries=0)
            handed_on = answer._hidden_params["additional_headers"]
        except openai.APIError as exc:
            handed_on = exc.litellm_response_headers  # type: ignore[attr-defined]
        for name, value in handed_on.items():
            f"{name}: {value}".encode("latin-1")
            assert_shows_itself(str(value))
        assert_none_in(dict(handed_on))

    ask()
