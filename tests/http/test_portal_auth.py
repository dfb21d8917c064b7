"""Danger: PortalAuth serves clients that limit nothing, in requests that say of themselves what they like."""

import functools
import gzip
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx
import httpx2
import pytest

from qwen_portal import PortalAuth
from qwen_portal.errors import QwenBadRequestError
from qwen_portal.http import bodies
from tests.http.test_bodies import MIB, answering

KIB = 1024
STATUSES = [401, 403, 504]


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the HTTP library of a user who has a key."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-x")
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", "http://127.0.0.1:9/v1")
    return request.param


@functools.cache  # packing takes longer than all that is tested
def _packed() -> list[bytes]:
    return [gzip.compress(b"{" + b" " * 64 * MIB)]


def _endless() -> Iterator[bytes]:
    yield from itertools.repeat(b" " * 10_000, 2000)


BODIES: list[tuple[dict[str, str], Callable[[], Iterable[bytes]]]] = [
    ({"content-encoding": "gzip"}, _packed),
    ({}, _endless),
]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(("headers", "body"), BODIES, ids=["packed", "endless"])
def test_of_an_error_that_it_judges_the_beginning_is_read(
    headers: dict[str, str], body: Any, status: int, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the user asked for a stream, and would have read nothing."""
    with answering(status, headers, body) as address:
        monkeypatch.setenv("QWEN_PORTAL_BASE_URL", address)
        with (
            library.Client(auth=PortalAuth(), trust_env=False) as client,
            client.stream("POST", f"{address}/chat/completions", json={}) as response,
        ):
            assert response.status_code == status
            assert len(response.read()) == 64 * KIB


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(("headers", "body"), BODIES, ids=["packed", "endless"])
async def test_of_an_error_that_it_judges_the_beginning_is_read_on_an_event_loop(
    headers: dict[str, str], body: Any, status: int, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in threads."""
    with answering(status, headers, body) as address:
        monkeypatch.setenv("QWEN_PORTAL_BASE_URL", address)
        async with (
            library.AsyncClient(auth=PortalAuth(), trust_env=False) as client,
            client.stream("POST", f"{address}/chat/completions", json={}) as response,
        ):
            assert response.status_code == status
            assert len(await response.aread()) == 64 * KIB


def test_an_error_that_drips_is_not_waited_for(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come of it by then is judged."""

    def drip() -> Iterator[bytes]:
        yield b" "
        judged.wait(30)

    judged = threading.Event()
    monkeypatch.setattr(bodies, "_PATIENCE", 0.0)
    with answering(401, {}, drip) as address:
        monkeypatch.setenv("QWEN_PORTAL_BASE_URL", address)
        with library.Client(auth=PortalAuth(), trust_env=False) as client:
            assert client.post(f"{address}/chat/completions", json={}).content == b" "
        judged.set()


def test_an_error_that_somebody_has_read_is_left_as_it_is(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook of the client's, for instance."""
    with answering(401, {}, lambda: [b"x" * 100 * KIB]) as address:
        monkeypatch.setenv("QWEN_PORTAL_BASE_URL", address)
        hooks = {"response": [lambda response: response.read()]}
        with library.Client(auth=PortalAuth(), trust_env=False, event_hooks=hooks) as client:
            assert len(client.post(f"{address}/chat/completions", json={}).content) == 100 * KIB


@pytest.mark.parametrize(
    ("asked", "sent"), [("gzip, br, zstd", "gzip"), ("identity", "identity"), ("br;q=1", "identity")]
)
def test_only_what_can_be_unpacked_within_a_limit_is_accepted(asked: str, sent: str, library: Any) -> None:
    """The libraries ask for more where more is installed."""
    (request,) = _sent(library, headers={"Accept-Encoding": asked})
    assert request.headers["accept-encoding"] == sent


def _sent(library: Any, method: str = "POST", **given: Any) -> list[Any]:
    """Return what goes out."""
    sent: list[Any] = []

    def note(request: Any) -> Any:
        sent.append(request)
        return library.Response(200, json={})

    with library.Client(auth=PortalAuth(), transport=library.MockTransport(note)) as client:
        client.request(method, "http://127.0.0.1:9/v1/files", **given)
    return sent


FRAMED: list[dict[str, Any]] = [
    {"Transfer-Encoding": "chunked", "Content-Length": "5"},
    {"Transfer-Encoding": "gzip"},
    {"Transfer-Encoding": "chunked, chunked"},
    {"Content-Length": "5, 5"},
    {"Content-Length": "+5"},
    {"Connection": "upgrade", "Upgrade": "h2c"},
    {"Connection": "close, X-Api-Version"},
    *({name: "x"} for name in ("Upgrade", "TE", "Trailer", "Expect", "Keep-Alive", "Proxy-Authorization")),
]


@pytest.mark.parametrize("headers", FRAMED, ids=repr)
def test_a_request_whose_framing_the_caller_set_gets_no_bearer(headers: dict[str, str], library: Any) -> None:
    """A second request could hide in it, and go to whatever stands behind the address."""
    with pytest.raises(QwenBadRequestError):
        _sent(library, content=b"12345", headers=headers)


PLAIN: list[dict[str, Any]] = [
    {"method": "GET"},
    {"json": {}},
    {"content": b"12345"},
    {"content": (piece for piece in [b"12", b"345"])},
    {"data": {"a": "b"}},
    {"files": {"file": b"12345"}},
    {"json": {}, "headers": {"Connection": "close"}},
    {"json": {}, "headers": {"Content-Length": "2"}},
    {"json": {}, "headers": {"X-Trace-Id": "7"}},
    {"json": {}, "headers": {"Cookie": "mine=1"}},
]


@pytest.mark.parametrize("given", PLAIN, ids=range(len(PLAIN)))
def test_a_request_that_the_library_framed_passes(given: dict[str, Any], library: Any) -> None:
    """With a length or in pieces; cookies are of the client's own jar."""
    if not isinstance(given.get("content", b""), bytes):
        given = {"content": iter([b"12", b"345"])}
    (request,) = _sent(library, **given)
    assert request.headers["authorization"] == "Bearer sk-x"
