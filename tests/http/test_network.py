"""The machine's variables: a proxy or certificates that cannot be used are one error that names them, everywhere."""

import importlib.util
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenConnectionError, QwenError
from qwen_portal.http import network, pools
from qwen_portal.session import Session
from tests.canaries import assert_none_in_error
from tests.cli.program import run
from tests.proxy import refusing_proxy
from tests.ways import ALL, HELLO, Way

SECRET = "proxy-password"
NO_SOCKS = 'pip install "qwen-portal[socks]"'
# The variable, what it says, and what the error's hint holds.
UNUSABLE = [
    pytest.param("ALL_PROXY", f"socks://u:{SECRET}@127.0.0.1:9", NO_SOCKS, id="socks"),
    pytest.param("all_proxy", f"socks5://u:{SECRET}@127.0.0.1:9", NO_SOCKS, id="socks5"),
    pytest.param("HTTPS_PROXY", f"ftp://u:{SECRET}@127.0.0.1:9", "http://HOST:PORT", id="ftp"),
    pytest.param("https_proxy", f"http://u:{SECRET}@[::1", "http://HOST:PORT", id="no address"),
    pytest.param("HTTP_PROXY", "http://", "http://HOST:PORT", id="no host"),
    pytest.param("SSL_CERT_FILE", f"/nowhere/{SECRET}.pem", "unset SSL_CERT_FILE", id="no file"),
    pytest.param("SSL_CERT_FILE", __file__, "unset SSL_CERT_FILE", id="no certificates"),
    pytest.param("SSL_CERT_FILE", "/", "unset SSL_CERT_FILE", id="a folder"),
    pytest.param("SSL_CERT_DIR", f"/nowhere/{SECRET}", "unset SSL_CERT_DIR", id="no folder"),
]


@pytest.fixture
def no_socks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the package of the extra away, whatever is installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "socksio" else real(name, *more)
    )


def _openai() -> None:
    with qwen_portal.openai_client() as client:
        client.chat.completions.create(model="coder-model", messages=HELLO)  # type: ignore[arg-type]


def _async_openai() -> None:
    qwen_portal.async_openai_client()


DOORS: list[Callable[[], Any]] = [*ALL, _openai, _async_openai]


@pytest.mark.reported("MoonshotAI/kimi-cli#404")
@pytest.mark.reported("MoonshotAI/kimi-cli#1959")
@pytest.mark.reported("HKUDS/nanobot#5425")
@pytest.mark.reported("Aider-AI/aider#3710")
@pytest.mark.usefixtures("signed_in", "no_socks")
@pytest.mark.parametrize("ask", DOORS)
@pytest.mark.parametrize(("variable", "value", "remedy"), UNUSABLE)
def test_every_door_names_the_variable(
    ask: Callable[[], Any], variable: str, value: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kimi-cli#404, #1959; nanobot#5425; aider#3710: each was a raw ValueError, ImportError or FileNotFoundError."""
    qwen_portal.close()
    monkeypatch.setenv(variable, value)
    with pytest.raises(QwenError) as caught:
        ask()
    assert type(caught.value) is QwenError
    assert variable in caught.value.message
    assert remedy in caught.value.hint
    assert SECRET not in str(caught.value)


COMMANDS = [("login", "second"), ("chat", "Hello"), ("token", "--refresh"), ("status", "--check"), ("check",)]


@pytest.mark.reported("MoonshotAI/kimi-cli#404")
@pytest.mark.usefixtures("signed_in", "no_socks")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(("variable", "value", "remedy"), UNUSABLE)
def test_every_command_names_the_variable(
    command: tuple[str, ...], variable: str, value: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kimi-cli#404: a traceback at the first command."""
    qwen_portal.close()
    monkeypatch.setenv(variable, value)
    result = run(*command)
    assert result.exit_code == 1
    assert variable in result.output
    assert "defect" not in result.output
    assert SECRET not in result.output


@pytest.mark.usefixtures("no_socks")
@pytest.mark.parametrize(("variable", "value", "remedy"), UNUSABLE)
@pytest.mark.parametrize("command", ["proxy", "demo"])
def test_commands_that_import_litellm_name_the_variable(
    command: str, variable: str, value: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM opens clients when it is imported, and raises what the HTTP library does."""
    monkeypatch.setenv(variable, value)
    result = run(command)
    assert result.exit_code == 1
    assert f"Error: {variable}" in result.output


@pytest.mark.reported("basicmachines-co/basic-memory#1541")
@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("entries", ["[::1", "fd00::/8", "127.0.0.1, http://[x, fe80::/10 ,.example.com", "é\udce9.x"])
def test_an_entry_of_no_proxy_that_cannot_be_read_is_passed_over(
    entries: str, ask: Way, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """basic-memory#1541: InvalidURL, for an entry that other programs pass over."""
    qwen_portal.close()
    monkeypatch.setenv("NO_PROXY", entries)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert "4" in ask()


def test_what_can_be_read_of_no_proxy_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names with and without a dot, addresses of both kinds, and everything."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "a.example,[::1,.b.example,10.0.0.1,::2,fd00::/8")
    with pools.lone_client() as client:
        assert [client._transport_for_url(_url(host)) is client._transport for host in _ASKED] == _DIRECT
    monkeypatch.setenv("NO_PROXY", "[::1,*")
    with pools.lone_client() as client:
        assert all(client._transport_for_url(_url(host)) is client._transport for host in _ASKED)


_ASKED = ["a.example", "x.a.example", "x.b.example", "10.0.0.1", "[::2]", "c.example", "10.0.0.2"]
_DIRECT = [True] * 5 + [False] * 2


def _url(host: str) -> httpx.URL:
    return httpx.URL(f"https://{host}/")


@pytest.mark.reported("huggingface/tau#221")
@pytest.mark.usefixtures("no_socks")
@pytest.mark.parametrize(("variable", "value", "remedy"), UNUSABLE)
def test_doctor_has_a_line_for_each(
    variable: str, value: str, remedy: str, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The diagnosis itself fell over what it is there to find; now it names it, and tells nothing private."""
    qwen_portal.close()
    monkeypatch.setenv(variable, value)
    result = run("doctor")
    assert result.exit_code == 1
    assert f"fail  {variable}:" in result.stdout
    assert remedy in result.stdout
    assert SECRET not in result.stdout
    assert "sign-in host" in result.stdout


def test_doctor_says_what_is_well_and_what_is_passed_over(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning does not make the exit code 1."""
    qwen_portal.close()
    monkeypatch.setenv("HTTPS_PROXY", f"http://u:{SECRET}@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,fd00::/8")
    result = run("doctor")
    assert result.exit_code == 0
    assert "ok    HTTPS_PROXY: is http://…" in result.stdout
    assert "warn  NO_PROXY: has 2 entries: 1 of them cannot be read" in result.stdout
    assert SECRET not in result.stdout


@pytest.mark.usefixtures("signed_in", "no_socks")
def test_a_refresh_that_never_began_leaves_no_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next sign-in that ends would be told to have been lost in it."""
    qwen_portal.close()
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(QwenError, match="ALL_PROXY") as caught:
        qwen_portal.get_access_token(force_refresh=True)
    assert type(caught.value) is QwenError
    session = Session()
    journal = session.accounts.journal("default")
    assert journal is not None
    assert journal.read() is None
    monkeypatch.delenv("ALL_PROXY")
    assert qwen_portal.get_access_token(force_refresh=True)


@contextmanager
def _socks_server(target: tuple[str, int]) -> Iterator[tuple[int, list[str]]]:
    """Serve SOCKS5 (RFC 1928); every connection goes to ``target``. Yield the port, and the hosts asked for."""
    asked: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    def serve(client: socket.socket) -> None:
        with client, client.makefile("rwb", buffering=0) as stream:
            stream.read(stream.read(2)[1])
            stream.write(b"\x05\x00")
            kind = stream.read(4)[3]
            size = {1: 4, 4: 16}.get(kind) or stream.read(1)[0]
            asked.append(stream.read(size).decode("ascii", "replace"))
            stream.read(2)
            stream.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
            with socket.create_connection(target) as server:
                up = threading.Thread(target=_pump, args=(client, server), daemon=True)
                up.start()
                _pump(server, client)
                up.join(10)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _sign_in() -> None:
    qwen_portal.login(show=lambda event: None)


@pytest.mark.parametrize("ask", [*ALL, _sign_in])
@pytest.mark.parametrize("listens", [True, False])
def test_an_error_names_the_proxy_that_it_was_to_go_through(
    ask: Callable[[], Any], listens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that refuses and one that is not there; without it a person looks for the fault at the service."""
    monkeypatch.setattr("qwen_portal.http.retry._FIRST", 0.0)
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-1")
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "studio-intl")
    with refusing_proxy() as proxy:
        place = proxy.url if listens else "http://127.0.0.1:1"
        monkeypatch.setenv("HTTPS_PROXY", place.replace("//", f"//u:{SECRET}@"))
        with pytest.raises(QwenConnectionError) as caught:
            ask()
    assert f"could not be reached (through the proxy {place}: " in caught.value.message
    assert not caught.value.sent
    assert_none_in_error(caught.value, [SECRET])
    qwen_portal.close()


@pytest.mark.reported("MoonshotAI/kimi-cli#404")
@pytest.mark.parametrize("scheme", ["socks", "socks5", "socks5h"])
@pytest.mark.parametrize("ask", ALL)
def test_a_socks_proxy_works_with_its_extra(
    ask: Way, scheme: str, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kimi-cli#404: what GNOME and VPN programs set."""
    host, port = signed_in.base_url.removeprefix("http://").split("/")[0].split(":")
    qwen_portal.close()
    with _socks_server((host, int(port))) as (socks, asked):
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{socks}")
        monkeypatch.setattr(network, "_LOOPBACK", {})
        assert "4" in ask()
        assert len(asked) == 1
        qwen_portal.close()


def test_a_proxys_password_is_in_no_frame_of_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debuggers show the variables of the frames that an error carries."""
    monkeypatch.setenv("HTTPS_PROXY", f"nonsense://user:{SECRET}@proxy.example:1")
    with pytest.raises(QwenError) as raised:
        network.proxied(lambda proxy: httpx.HTTPTransport(proxy=proxy))
    assert_none_in_error(raised.value, [SECRET])
