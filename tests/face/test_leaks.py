"""No secret in reprs, errors, logs, pickles or frames, whatever a server echoes."""

import copy
import json
import logging
import pickle
import time
from collections.abc import Callable

import httpx
import pytest

import qwen_portal
from qwen_portal import errors
from qwen_portal.auth import PortalAuth
from qwen_portal.errors import QwenAPIError, QwenError
from qwen_portal.oauth import DeviceAuthorization, TokenResponse
from qwen_portal.secrets import MASK, Secret, printable
from qwen_portal.session import Session
from qwen_portal.settings import load_settings
from qwen_portal.storage.credential import Credential
from tests.canaries import ACCESS, ALL, DEVICE, KEY, REFRESH, assert_none_in, assert_none_in_error
from tests.scripted import answering

HELLO = [{"role": "user", "content": "Hello"}]


def credential() -> Credential:
    """Make a sign-in full of canaries."""
    return Credential(
        kind="oauth",
        plan="oauth",
        access_token=Secret(ACCESS),
        refresh_token=Secret(REFRESH),
        issued_at=time.time(),
        expires_at=time.time() + 3600,
        generation=int(time.time() * 1000),
    )


@pytest.fixture
def kept() -> None:
    """Keep that sign-in as the account ``default``."""
    Session().accounts.signed_in("default", credential())


OBJECTS: list[Callable[[], object]] = [
    lambda: Secret(ACCESS),
    credential,
    lambda: TokenResponse(Secret(ACCESS), Secret(REFRESH)),
    lambda: DeviceAuthorization(Secret(DEVICE), "u", "https://x", "https://x", 1.0, 1.0),
    lambda: load_settings(environ={"QWEN_PORTAL_API_KEY": KEY, "QWEN_PORTAL_PLAN": "coding"}),
    lambda: PortalAuth("default"),
    lambda: qwen_portal.PortalClient(account="default"),
    lambda: vars(qwen_portal.PortalClient(account="default")),
    qwen_portal.accounts,
    lambda: vars(Session().tokens),
]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("make", OBJECTS)
def test_no_object_shows_its_secret(make: Callable[[], object]) -> None:
    """Neither repr nor str nor format, for anything a debugger or a logger may print."""
    qwen_portal.get_access_token("default")
    made = make()
    for text in (repr(made), str(made), f"{made}", "%s" % (made,)):  # noqa: UP031 - the old way must not leak either
        assert_none_in(text)


def test_a_secret_cannot_be_pickled_but_copied() -> None:
    """A pickle is a file somebody keeps; an in-process copy is not."""
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(credential())
    assert copy.copy(credential()).access_token == Secret(ACCESS)
    assert Secret(ACCESS) != ACCESS
    assert len({Secret(ACCESS), Secret(ACCESS)}) == 1
    assert not Secret("")


ECHOES = [
    (400, "application/json", lambda bearer: json.dumps({"error": {"message": f"bad {bearer}", "code": bearer}})),
    (401, "application/json", lambda bearer: json.dumps({"error": {"message": f"Bearer {bearer}"}})),
    (403, "text/plain", lambda bearer: f"forbidden {bearer}"),
    (500, "text/html", lambda bearer: f"<html>{bearer}</html>"),
    (500, "text/plain", lambda bearer: f"{bearer} " * 100_000),
    (418, "application/octet-stream", lambda bearer: f"\xff\xfe{bearer}"),
    (200, "application/json", lambda bearer: json.dumps({"note": bearer})),
    (200, "text/html", lambda bearer: f"<!doctype html>{bearer}"),
]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(("status", "kind", "body"), ECHOES)
@pytest.mark.parametrize("ask", [lambda client: client.chat(HELLO), lambda client: next(client.stream(HELLO))])
def test_a_server_that_echoes_the_bearer_is_masked_and_cut(  # noqa: PLR0917 - pytest passes by name
    status: int,
    kind: str,
    body: Callable[[str], str],
    ask: Callable[[qwen_portal.PortalClient], object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever the body, the error's text, chain and frames and all logs stay clean and short."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(503)
        bearer = request.headers["authorization"].removeprefix("Bearer ")
        return httpx.Response(status, content=body(bearer).encode("latin-1"), headers={"content-type": kind})

    client = qwen_portal.PortalClient(max_retries=0)
    with caplog.at_level(logging.DEBUG), answering(handler, monkeypatch), pytest.raises(QwenError) as caught:
        ask(client)
    assert len(str(caught.value)) < 1000
    assert_none_in_error(caught.value)
    assert_none_in(caplog.text)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("error", [httpx.ReadError("x"), httpx.ReadTimeout("x"), httpx.ConnectError("x")])
def test_a_broken_connection_carries_no_bearer(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTTP library's frames, which hold the request, do not travel with our error."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    with answering(fail, monkeypatch), pytest.raises(QwenAPIError) as caught:
        qwen_portal.PortalClient(max_retries=0).chat(HELLO)
    assert_none_in_error(caught.value)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_takes_the_prompt_nowhere(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the bearer nor the body follows a redirect."""
    away = httpx.Response(status, headers={"location": "https://evil.example/"})
    with answering(lambda request: away, monkeypatch) as asked, pytest.raises(QwenAPIError):
        qwen_portal.PortalClient(max_retries=0).chat(HELLO)
    assert {request.url.host for request in asked} == {"portal.qwen.ai"}


def test_a_bearer_is_not_sent_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """PortalAuth on somebody's own client refuses before the request leaves."""
    Session().accounts.signed_in("default", credential())
    asked: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    with (
        httpx.Client(transport=httpx.MockTransport(note), auth=PortalAuth()) as client,
        pytest.raises(errors.QwenHostNotAllowedError) as caught,
    ):
        client.get("https://portal.qwen.ai.evil.example/v1/models")
    assert asked == []
    assert_none_in_error(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain", "plain"),
        ("a\x1b[31mred\x1b[0m b", "ared b"),
        ("\x1b]8;;https://evil\x07link\x1b]8;;\x07", "link"),
        ("line\r\nnext\tand\u202edne", "line next and dne"),
        ("Bearer abc.def", f"Bearer {MASK}"),
        ("key sk-sp-1234567890", f"key {MASK}"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_server_text_is_made_printable(given: str, expected: str) -> None:
    """Escape sequences, direction marks, token shapes and lengths are dealt with once, for all messages."""
    assert printable(given) == expected


def test_errors_survive_a_pickle_whole() -> None:
    """A process pool hands them over with hint, status and what was received."""
    error = errors.QwenStreamError("cut", status=200, partial_text="so far", request_id="r")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own pickle
    assert type(again) is errors.QwenStreamError
    assert str(again) == str(error)
    assert (again.status, again.partial_text, again.request_id) == (200, "so far", "r")


def test_every_error_is_in_one_tree_with_an_exit_code() -> None:
    """The tree in the module's first lines is the tree."""
    found = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, QwenError)]
    tree = (errors.__doc__ or "").split()
    assert {kind.__name__ for kind in found} == {word for word in tree if word.startswith("Qwen")}
    assert {kind.exit_code for kind in found} == {1, 3, 4, 5, 6}
    assert set(ALL)
