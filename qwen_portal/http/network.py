"""The machine's own settings of the network: its proxies, and the certificates it trusts.

They are read here rather than by the HTTP library, which raises errors of many kinds for one that is wrong, and names
none of them. It is followed in what they mean.
"""

import importlib.util
import ipaddress
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, TypeVar
from urllib.request import getproxies

import httpx

from qwen_portal.errors import QwenError
from qwen_portal.service.hosts import LOOPBACK
from qwen_portal.text import counted

# Loopback never goes through a proxy; None means the client's own transport.
_LOOPBACK: Mapping[str, None] = {f"all://[{host}]" if ":" in host else f"all://{host}": None for host in LOOPBACK}
_SCHEMES = ("http", "https", "all")
_HTTP = ("http", "https")
# GNOME writes the first for what everybody else calls the second.
_SOCKS = {"socks": "socks5", "socks5": "socks5", "socks5h": "socks5h"}
T = TypeVar("T")
CA_FILE, CA_FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"


class Variable(NamedTuple):
    """One of the variables, as it was found.

    Attributes:
        name: Its name.
        text: What it says, without what may be private.
        problem: Why it cannot be used; empty if it can.
        remedy: What mends it.
        stops_everything: Whether that keeps every request from being sent.
    """

    name: str
    text: str
    problem: str = ""
    remedy: str = ""
    stops_everything: bool = True


def variables() -> Iterator[Variable]:
    """Yield every variable about proxies and certificates that is set, a NO_PROXY with its unreadable entries."""
    yield from _proxy_variables()
    if getproxies().get("no"):
        yield _no_proxy_variable(getproxies()["no"])
    for name, look in ((CA_FILE, _ca_file), (CA_FOLDER, _ca_folder)):
        if os.environ.get(name):
            yield look(os.environ[name])


def _proxy_variables() -> Iterator[Variable]:
    for scheme, url in getproxies().items():
        if scheme in _SCHEMES and url:
            yield _proxy_variable(scheme, url)


def tidy_variables() -> None:
    """Write this process's variables such that another user of the HTTP library in it can read them, as LiteLLM is.

    Raises:
        QwenError: One of them cannot be used.
    """
    for variable in variables():
        if variable.stops_everything:
            _check(variable)
    for name, value in list(os.environ.items()):
        scheme = name.lower().removesuffix("_proxy")
        if scheme in _SCHEMES and name.lower() != scheme and value:
            os.environ[name] = _proxy_url(value)
        elif name.lower() == "no_proxy":
            os.environ[name] = ",".join(each for each in _names(value) if each == "*" or _pattern(each) is not None)


def tls_context() -> ssl.SSLContext:
    """Make what certificates are checked by.

    Raises:
        QwenError: SSL_CERT_FILE or SSL_CERT_DIR names what cannot be used.
    """
    file, folder = os.environ.get(CA_FILE), os.environ.get(CA_FOLDER)
    if file:
        try:
            return ssl.create_default_context(cafile=file)
        except OSError:
            _check(_ca_file(file))
            raise
    if folder:
        _check(_ca_folder(folder))
        return ssl.create_default_context(capath=folder)
    return httpx.create_ssl_context()


def proxied(transport: Callable[[httpx.Proxy], T]) -> dict[str, T | None]:
    """Return the HTTP library's ``mounts``: which addresses go through which proxy.

    Args:
        transport: Makes the transport of a proxy.

    Raises:
        QwenError: A variable names a proxy that cannot be used.
    """
    excepted = _names(getproxies().get("no", ""))
    if "*" in excepted:
        return dict(_LOOPBACK)
    # before this frame, which an error would show, has their passwords
    for variable in _proxy_variables():
        _check(variable)
    found = getproxies()
    proxies = {scheme: found[scheme] for scheme in _SCHEMES if found.get(scheme)}
    direct = [pattern for name in excepted if (pattern := _pattern(name)) is not None]
    return {
        **{f"{scheme}://": transport(httpx.Proxy(_proxy_url(url))) for scheme, url in proxies.items()},
        **dict.fromkeys(direct),
        **_LOOPBACK,
    }


@contextmanager
def proxy_named(proxy: httpx.Proxy | None) -> Iterator[None]:
    """Say in the error of a connection that could not be made through which proxy it was to go.

    Args:
        proxy: That of the transport; ``None`` if it uses none.
    """
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as exc:
        if proxy is not None:
            place = f"{proxy.url.scheme}://{proxy.url.netloc.decode('ascii')}"
            # in place: another error would have this one, and its frames, as its context
            exc.args = (f"through the proxy {place}: {str(exc) or type(exc).__name__}",)
        raise


def _check(variable: Variable) -> None:
    if variable.problem:
        raise QwenError(f"{variable.name} {variable.text}: {variable.problem}.", hint=variable.remedy)


def _proxy_variable(scheme: str, url: str) -> Variable:
    name = _spelled(f"{scheme}_proxy")
    kind = _kind(url)
    text = f"is {kind}://…"
    unset = f"or unset {name}"
    if kind not in (*_HTTP, *_SOCKS):
        return Variable(name, text, "there is no such kind of proxy", f"Set it to http://HOST:PORT, {unset}.")
    try:
        host = httpx.Proxy(_proxy_url(url)).url.host
    except (ValueError, httpx.InvalidURL):
        host = ""
    if not host:
        return Variable(name, text, "the rest of it is no address", f"Set it to {kind}://HOST:PORT, {unset}.")
    if kind in _SOCKS and importlib.util.find_spec("socksio") is None:
        return Variable(
            name, text, "SOCKS needs a package that is missing", f'Run: pip install "qwen-portal[socks]", {unset}.'
        )
    return Variable(name, text)


def _spelled(name: str) -> str:
    """Return the name as it is in the environment; the small one counts where there are both."""
    spellings = [each for each in os.environ if each.lower() == name]
    return min(spellings, key=str.isupper, default=f"{name.upper()} (from the system's settings)")


def _kind(url: str) -> str:
    return url.split("://", 1)[0].lower() if "://" in url else "http"


def _proxy_url(url: str) -> str:
    kind, rest = _kind(url), url.split("://", 1)[-1]
    return f"{_SOCKS.get(kind, kind)}://{rest}"


def _names(no_proxy: str) -> list[str]:
    return [name for part in no_proxy.split(",") if (name := part.strip())]


def _no_proxy_variable(value: str) -> Variable:
    names = _names(value)
    unreadable = sum(1 for name in names if name != "*" and _pattern(name) is None)
    name, text = _spelled("no_proxy"), f"has {counted(len(names), 'entry', 'entries')}"
    if not unreadable:
        return Variable(name, text)
    return Variable(
        name,
        text,
        f"{unreadable} of them cannot be read and {'is' if unreadable == 1 else 'are'} passed over",
        "Write names and addresses, no ranges.",
        stops_everything=False,
    )


def _pattern(name: str) -> str | None:
    """Return an entry of NO_PROXY as the HTTP library writes it; ``None`` if it cannot be read."""
    if "://" in name:
        pattern = name
    elif name.lower() == "localhost" or _is_address(name):
        pattern = f"all://[{name}]" if ":" in name else f"all://{name}"
    else:
        pattern = f"all://*{name}"
    try:
        httpx.URL(pattern)
    except httpx.InvalidURL:
        return None
    return pattern


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.split("/", maxsplit=1)[0] if "." in name else name)
    except ValueError:
        return False
    return True


def _ca_file(path: str) -> Variable:
    remedy = f"Point it to a file of certificates in PEM, or unset {CA_FILE}."
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return Variable(CA_FILE, "names a file", "it holds no certificates that can be read", remedy)
    except OSError as exc:
        return Variable(CA_FILE, "names a file", f"it cannot be read ({exc.strerror})", remedy)
    return Variable(CA_FILE, "names a file of certificates")


def _ca_folder(paths: str) -> Variable:
    if any(os.path.isdir(path) for path in paths.split(os.pathsep)):  # noqa: PTH112 - an empty path is no folder here
        return Variable(CA_FOLDER, "names a folder")
    remedy = f"Point it to a folder of certificates that OpenSSL's rehash prepared, or unset {CA_FOLDER}."
    return Variable(CA_FOLDER, "names a folder", "it is not there", remedy)
