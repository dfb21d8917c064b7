"""Danger: a bearer leaves for a host that is not Qwen's. Every way in which an address arrives, with every address."""

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import NoneType
from typing import Any

import httpx
import litellm
import openai
import pytest
import pytest_socket
from langchain_core.load import dumpd, loads
from langchain_core.runnables import ConfigurableField

import litellm_qwen_portal  # noqa: F401 - importing it registers the provider
import qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import AsyncPortalClient, PortalAuth, PortalClient
from qwen_portal.errors import QwenError, QwenHostNotAllowedError
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import sign_in
from qwen_portal.storage.credential import Credential
from tests.addresses import BAD, GOOD, MALFORMED, is_qwens
from tests.canaries import ACCESS, KEY, REFRESH
from tests.scripted import answering

pytestmark = [
    pytest.mark.filterwarnings("ignore:Parameters:UserWarning"),
    pytest.mark.filterwarnings("ignore:The function `loads` is in beta"),
]
HELLO: list[Any] = [{"role": "user", "content": "What is 2+2?"}]
MODEL = "qwen-portal/coder-model"
PLACES = {"chat.qwen.ai", "portal.qwen.ai"}
_ANSWER = {"id": "1", "choices": [{"index": 0, "message": {"content": "4"}, "finish_reason": "stop"}]}
_CHUNK = {"id": "1", "choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": "stop"}]}
_GENERATIONS = itertools.count(1)
_DEVICE = {"device_code": "d", "user_code": "U", "verification_uri": "https://chat.qwen.ai/a", "expires_in": 900}


def answer(request: httpx.Request, named: str | None = None) -> httpx.Response:
    """Answer as the service does, with tokens that name an address."""
    path = request.url.path
    if path.endswith("/device/code"):
        return httpx.Response(200, json=_DEVICE)
    if path.endswith("/token"):
        tokens = {"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": 21600, "resource_url": named}
        return httpx.Response(200, json=tokens)
    if json.loads(request.content).get("stream"):
        content = f"data: {json.dumps(_CHUNK)}\n\ndata: [DONE]\n\n"
        return httpx.Response(200, content=content, headers={"content-type": "text/event-stream"})
    return httpx.Response(200, json=_ANSWER)


def keep(*, resource_url: str | None = None, expires_at: float = 4e9) -> None:
    """Keep a sign-in whose tokens are canaries."""
    kept = Credential(
        *("oauth", "oauth", Secret(ACCESS), Secret(REFRESH)),
        issued_at=1.0,
        expires_at=expires_at,
        resource_url=resource_url,
        generation=next(_GENERATIONS),
    )
    Session().accounts.signed_in("default", kept)


def astray(asked: list[httpx.Request]) -> list[str]:
    """Return where secrets went that have no business there."""
    return [
        str(request.url)
        for request in asked
        if any(secret.encode() in _bytes(request) for secret in (ACCESS, REFRESH, KEY))
        and not (is_qwens(request.url.raw_host.decode()) and request.url.scheme == "https" and not request.url.port)
    ]


def _bytes(request: httpx.Request) -> bytes:
    return b"\n".join([str(request.url).encode(), *itertools.chain(*request.headers.raw), request.content])


def _chat(_: "Wire") -> object:
    return PortalClient(max_retries=0).chat(HELLO)


def _stream(_: "Wire") -> object:
    return list(PortalClient(max_retries=0).stream(HELLO))


def _achat(wire: "Wire") -> object:
    return wire.runner.run(AsyncPortalClient(max_retries=0).chat(HELLO))


def _astream(wire: "Wire") -> object:
    async def read() -> None:
        async with AsyncPortalClient(max_retries=0).stream(HELLO) as chunks:
            assert [chunk async for chunk in chunks]

    return wire.runner.run(read())


def _langchain(_: "Wire") -> object:
    return ChatQwenPortal(max_retries=0).invoke("Hi")


def _litellm(_: "Wire") -> object:
    return litellm.completion(model=MODEL, messages=HELLO, max_retries=0)


Door = Callable[["Wire"], object]
CORE: dict[str, Door] = {"chat": _chat, "stream": _stream, "achat": _achat, "astream": _astream}
FRAMEWORKS: dict[str, Door] = {"langchain": _langchain, "litellm": _litellm}


def ask(way: Callable[[], object]) -> BaseException | None:
    """Ask, and return the refusal: the package's error, or that which a framework's has as its cause."""
    try:
        way()
    except QwenError as exc:
        return exc
    except openai.OpenAIError as exc:
        return exc.__cause__ or exc
    return None


@dataclass
class Wire:
    """What was asked of the service that stands in for every host, and the address that its tokens name."""

    runner: asyncio.Runner
    asked: list[httpx.Request] = field(default_factory=list)
    named: str | None = None


def _signed_in_with(address: str, wire: Wire) -> BaseException | None:
    wire.named = address
    refused = ask(lambda: sign_in(Session(), None, show=lambda event: None, sleep=lambda seconds: None))
    assert Session().accounts.load(Session().choose()).access_token.reveal() == ACCESS, "the pair is lost"
    return ask(lambda: _chat(wire)) if refused is None else refused


def _refreshed_with(address: str, wire: Wire) -> BaseException | None:
    wire.named = address
    keep(expires_at=2.0)
    refused = ask(lambda: _chat(wire))
    assert Session().accounts.load(Session().choose()).expires_at != 2.0, "the pair is lost"
    return refused


def _stored(door: Door) -> Callable[[str, Wire], BaseException | None]:
    def way(address: str, wire: Wire) -> BaseException | None:
        keep(resource_url=address)
        return ask(lambda: door(wire))

    return way


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Let every host answer, so that a secret could arrive anywhere."""
    with asyncio.Runner() as runner:
        found = Wire(runner)
        with answering(lambda request: answer(request, found.named), monkeypatch) as found.asked:
            yield found
        runner.run(qwen_portal.aclose())


WAYS: dict[str, Callable[[str, Wire], BaseException | None]] = {
    "sign-in": _signed_in_with,
    "refresh": _refreshed_with,
    **{f"stored, {name}": _stored(door) for name, door in (CORE | FRAMEWORKS).items()},
}


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_an_address_of_the_server_s_gets_the_bearer_only_if_it_is_qwen_s(wire: Wire, way: str) -> None:
    """At sign-in, at a refresh, and stored by somebody else; by each door."""
    # the frameworks take their time, and have no rule of their own here
    for address in BAD[:: 8 if way.endswith(tuple(FRAMEWORKS)) else 1]:
        wire.asked.clear()
        refused = WAYS[way](address, wire)
        # an empty text names nobody
        assert isinstance(refused, QwenHostNotAllowedError if address else NoneType), address
        assert {request.url.host for request in wire.asked} <= PLACES, address
        assert astray(wire.asked) == [], address
    for address, expected in GOOD.items():
        wire.asked.clear()
        assert WAYS[way](address, wire) is None, address
        assert wire.asked[-1].url == httpx.URL(f"{expected}/chat/completions"), address


EVIL = "https://evil.example/v1"
# Named by data: what a chain's manifest, a run's configuration, a Router's or a proxy's request may hold.
ARGUMENTS: dict[str, Callable[[str], object]] = {
    "base_url": lambda url: ChatQwenPortal(base_url=url).invoke("Hi"),
    "openai_api_base": lambda url: ChatQwenPortal(openai_api_base=url).invoke("Hi"),  # type: ignore[call-arg]
    "model_kwargs": lambda url: ChatQwenPortal(model_kwargs={"base_url": url}).invoke("Hi"),
    "manifest": lambda url: _loaded(base_url=url).invoke("Hi"),
    "manifest, model_kwargs": lambda url: _loaded(model_kwargs={"base_url": url}).invoke("Hi"),
    "configurable": lambda url: _configured(url).invoke("Hi"),
    "api_base": lambda url: litellm.completion(model=MODEL, messages=HELLO, api_base=url, max_retries=0),
    "base_url, LiteLLM": lambda url: litellm.completion(model=MODEL, messages=HELLO, base_url=url, max_retries=0),
    "body": lambda url: _proxied({"api_base": url}),
    "body, fallback": lambda url: _proxied({"fallbacks": [{"model": "coder-model", "base_url": url}]}),
    "body, extra_body": lambda url: _proxied({"extra_body": {"api_base": url}}),
}


def _loaded(**kwargs: Any) -> ChatQwenPortal:
    manifest = dumpd(ChatQwenPortal())
    manifest["kwargs"] |= kwargs
    allowed: dict[str, Any] = {"allowed_objects": [ChatQwenPortal], "valid_namespaces": ["langchain_qwen_portal"]}
    model: ChatQwenPortal = loads(json.dumps(manifest), **allowed)
    return model


def _configured(url: str) -> Any:
    field_ = ConfigurableField("base_url")
    return ChatQwenPortal().configurable_fields(openai_api_base=field_).with_config(configurable={"base_url": url})


def _proxied(body: dict[str, Any]) -> object:
    request = {"url": "http://127.0.0.1:4000/v1/chat/completions", "method": "POST", "headers": {}, "body": body}
    return litellm.completion(model=MODEL, messages=HELLO, proxy_server_request=request, max_retries=0)


@pytest.mark.long
@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_address_that_is_data_gets_neither_a_sign_in_s_bearer_nor_the_environment_s_key(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever it is; the sign-in goes on to Qwen, or nowhere."""
    keep()
    for address in [*BAD[::6], EVIL, "http://127.0.0.1:9/v1"]:
        ask(lambda address=address: ARGUMENTS[name](address))  # type: ignore[misc]
        assert astray(wire.asked) == [], address
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding")
    for address in [EVIL, *MALFORMED[::40]]:
        ask(lambda address=address: ARGUMENTS[name](address))  # type: ignore[misc]
        strays = {request.url.host for request in wire.asked} - {"portal.qwen.ai", "coding.dashscope.aliyuncs.com"}
        assert strays == set(), address


@pytest.mark.parametrize("name", ["PortalClient", "QWEN_PORTAL_BASE_URL", "QWEN_PORTAL_ALLOWED_HOSTS"])
def test_even_a_person_names_no_host_that_is_none(wire: Wire, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Nor one that other programs read in another way."""
    keep()
    for address in filter(str.strip, MALFORMED):
        if "\0" in address and name != "PortalClient":
            continue
        if name != "PortalClient":
            monkeypatch.setenv(name, address.encode("utf-8", "replace").decode())
        options: dict[str, Any] = {"base_url": address} if name == "PortalClient" else {}
        assert isinstance(ask(lambda options=options: PortalClient(**options).chat(HELLO)), QwenError), address  # type: ignore[misc]
    assert wire.asked == []


@dataclass
class Lead:
    """A host on this machine that leads on to an address, and one that is led to.

    Attributes:
        url: Of the first.
        trap: Of the second; whatever it is asked is noted.
        status: What the first answers, or 0 for what the service answers.
        location: Where it leads, as bytes.
        path: The end of the path at which it does.
        trapped: What the second was asked.
        asked: The paths that the first was asked.
    """

    url: str = ""
    trap: str = ""
    status: int = 0
    location: bytes = b""
    path: str = ""
    trapped: list[bytes] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def lead(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lead]:
    """Run the two, the first as the service."""
    found = Lead()

    class First(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.asked.append(self.path)
            if self.path.endswith(found.path):
                head = b"HTTP/1.1 %d Go\r\nLocation: %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                self.wfile.write(head % (found.status, found.location))
                return
            answered = answer(httpx.Request("POST", f"{found.url}{self.path}", content=body), f"{found.url}/v1")
            self.send_response(answered.status_code)
            self.send_header("content-type", answered.headers["content-type"])
            self.end_headers()
            self.wfile.write(answered.content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Second(BaseHTTPRequestHandler):
        def handle(self) -> None:
            found.trapped.append(self.rfile.readline())

    with ThreadingHTTPServer(("127.0.0.1", 0), First) as first, ThreadingHTTPServer(("127.0.0.1", 0), Second) as second:
        threads = [
            threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.01}) for each in (first, second)
        ]
        for thread in threads:
            thread.start()
        found.url, found.trap = (f"http://127.0.0.1:{each.server_port}" for each in (first, second))
        monkeypatch.setenv("QWEN_PORTAL_OAUTH_URL", found.url)
        monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{found.url}/v1")
        try:
            yield found
        finally:
            first.shutdown()
            second.shutdown()
            for thread in threads:
                thread.join()


def _refresh() -> object:
    keep(expires_at=2.0)
    return PortalClient(max_retries=0).chat(HELLO)


def _sign_in() -> object:
    return sign_in(Session(), None, show=lambda event: None, sleep=lambda seconds: None)


def _chat_of(door: Door) -> Callable[[], object]:
    def way() -> object:
        with asyncio.Runner() as runner:
            try:
                return door(Wire(runner))
            finally:
                runner.run(qwen_portal.aclose())

    return way


LED: dict[str, tuple[str, Callable[[], object]]] = {
    "device code": ("/device/code", _sign_in),
    "poll": ("/token", _sign_in),
    "refresh": ("/token", _refresh),
    "chat": ("/chat/completions", _chat_of(_chat)),
    "stream": ("/chat/completions", _chat_of(_stream)),
    "achat": ("/chat/completions", _chat_of(_achat)),
    "astream": ("/chat/completions", _chat_of(_astream)),
    "openai": (
        "/chat/completions",
        lambda: qwen_portal.openai_client(max_retries=0).chat.completions.create(model="coder-model", messages=HELLO),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("name", LED)
def test_no_redirect_is_followed_nor_read(lead: Lead, name: str) -> None:
    """Of any status, from any place, to any address; the error is one of the package's, or of OpenAI's client."""
    keep()
    lead.path, way = LED[name]
    statuses = itertools.cycle([301, 302, 303, 307, 308])
    addresses = [address for address in [*GOOD, *BAD] if not {"\r", "\n"} & set(address)]
    for address in [
        *(each.format(lead.trap) for each in ("{}", "{}/v1", "{}/x?y#z")),
        *addresses[:: 1 if name == "chat" else 4],
    ]:
        lead.status, lead.location = next(statuses), address.encode("utf-8", "surrogatepass")
        try:
            way()
        except (QwenError, openai.APIError):
            pass
        else:
            pytest.fail(f"{address!r} was followed")
        assert lead.trapped == [], address
    assert set(lead.asked) <= {"/api/v1/oauth2/device/code", "/api/v1/oauth2/token", "/v1/chat/completions"}


PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_sees_no_bearer(lead: Lead, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It is asked for a tunnel at most; what is on this machine goes past it."""
    monkeypatch.setenv(name, lead.trap)
    keep()
    lead.path = "none"
    assert ask(_chat_of(_chat)) is None
    assert lead.trapped == []
    monkeypatch.delenv("QWEN_PORTAL_BASE_URL")
    for resource_url in ("https://portal.qwen.ai", "https://qwen.ai"):
        keep(resource_url=resource_url)
        qwen_portal.close()
        # without a tunnel it ends in an error of the network; without a proxy for https, in the guard of the tests
        with suppress(pytest_socket.SocketBlockedError, pytest_socket.SocketConnectBlockedError):
            assert isinstance(ask(_chat_of(_chat)), QwenError)
    assert all(line.startswith(b"CONNECT ") for line in lead.trapped)


@pytest.mark.parametrize("bad", BAD[::9])
def test_a_proxy_at_no_address_is_an_error_and_gets_nothing(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    """The variable is the user's, who is told."""
    if not bad.strip() or "\0" in bad:
        return
    monkeypatch.setenv("HTTPS_PROXY", bad.encode("utf-8", "replace").decode())
    keep()
    with suppress(pytest_socket.SocketBlockedError, pytest_socket.SocketConnectBlockedError):
        assert isinstance(ask(_chat_of(_chat)), QwenError)


def test_no_netrc_is_read(wire: Wire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither takes it the bearer's place, nor does it go to the sign-in host."""
    path = tmp_path / ".netrc"
    path.write_text("machine portal.qwen.ai login a password b\ndefault login c password d\n")
    path.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(path))
    assert ask(lambda: _signed_in_with("portal.qwen.ai", wire)) is None
    assert [request.headers.get("authorization") for request in wire.asked] == [None, None, f"Bearer {ACCESS}"]


HEADERS: dict[str, dict[str, Any]] = {
    "Host": {"headers": {"Host": "evil.example"}},
    "Host, with a port": {"headers": {"Host": "portal.qwen.ai:8443"}},
    "absolute form": {"extensions": {"target": b"https://evil.example/v1/models"}},
    "SNI": {"extensions": {"sni_hostname": "evil.example"}},
}


@pytest.mark.parametrize("name", HEADERS)
def test_what_a_request_says_beside_its_address_leads_no_bearer_away(name: str) -> None:
    """PortalAuth signs the requests of anybody's client."""
    keep()
    asked: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    transport = httpx.MockTransport(note)
    with httpx.Client(auth=PortalAuth(), transport=transport) as client, pytest.raises(QwenHostNotAllowedError):
        client.get("https://portal.qwen.ai/v1/models", **HEADERS[name])
    assert asked == []


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Forwarded-For", "Forwarded", "X-Host", "Referer", "Origin"])
def test_other_headers_change_nothing(wire: Wire, name: str) -> None:
    """They go along; the request goes where it went."""
    keep()
    PortalClient().chat(HELLO, extra_headers={name: "evil.example"})
    assert [request.url.host for request in wire.asked] == ["portal.qwen.ai"]
    assert wire.asked[0].headers["host"] == "portal.qwen.ai"
