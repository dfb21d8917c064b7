"""OpenAI's own client on a sign-in of this package: its bearer, its address, its cap.

For programs that are written against OpenAI's SDK. What goes out to ``/chat/completions`` is shaped as everywhere in
this package; other paths, such as a plan's embeddings, pass as they are.
"""

from collections.abc import Mapping
from typing import Any, Self

import httpx

from qwen_portal.answers.error_responses import is_quota
from qwen_portal.auth import PortalAuth
from qwen_portal.errors import QwenError
from qwen_portal.http.pools import USER_AGENT, AsyncPool, Pool, async_client_options, client_options
from qwen_portal.requests.chat_request import RequestBuilder
from qwen_portal.requests.endpoints import base_url
from qwen_portal.requests.extra_headers import check_name
from qwen_portal.session import Session
from qwen_portal.settings import CONNECT_TIMEOUT
from qwen_portal.storage.credential import Credential

try:
    from openai import AsyncOpenAI, OpenAI
except ImportError as exc:
    raise QwenError(
        f"OpenAI's client needs {exc.name}, which is not installed.", hint='Run: pip install "qwen-portal[openai]"'
    ) from None

_CHAT = "/chat/completions"
# The SDK wants something where the bearer belongs; PortalAuth puts the bearer over it.
_NO_KEY = "none; qwen-portal signs each request"
_OURS = ("api_key", "base_url", "http_client", "organization", "project")


class _Account:
    """The account behind a client, and what it makes of the SDK's requests.

    Args:
        label: Account label; the environment's key or the active account if not given.
    """

    def __init__(self, label: str | None) -> None:
        self.session = Session()
        self.label = self.session.choose(label).label if label is not None else None
        self._builder = RequestBuilder(self.session.settings, self.session.warned)

    def defaults(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the SDK's options, those that the caller gave among them."""
        timeout = httpx.Timeout(self.session.settings.timeout, connect=CONNECT_TIMEOUT)
        # each request gets the address of its moment, which a refresh may move
        return {"timeout": timeout, **given, "api_key": _NO_KEY, "base_url": "https://account.invalid"}

    def auth(self) -> PortalAuth:
        """Sign each request for this account."""
        return PortalAuth(self.label, session=self.session)

    def credential(self) -> Credential:
        """Return what signs the next request; asked for before it is sent, because the SDK hides what comes later."""
        return self.session.tokens.get(self.session.choose(self.label))

    async def acredential(self) -> Credential:
        """Return what signs the next request."""
        return await self.session.tokens.aget(self.session.choose(self.label))

    # The SDK's type of a request is not public.
    def aim(self, options: Any, credential: Credential) -> Any:
        """Point a request at the account's host, and shape a chat."""
        # left out where the SDK was told to omit one
        own = options.headers or {}
        for name in own:
            check_name(name)
        path = options.url
        if "://" not in path:
            options.url = f"{base_url(credential, self.session.settings)}/{path.lstrip('/')}"
        params = {**options.json_data, **(options.extra_json or {})} if isinstance(options.json_data, Mapping) else {}
        if path != _CHAT or not {"messages", "model"} <= params.keys():
            return options
        messages, model, stream = params.pop("messages"), params.pop("model"), params.pop("stream", None)
        request = self._builder.chat(credential, messages, model=model, stream=bool(stream), params=params)
        options.json_data, options.extra_json = dict(request.body), None
        options.headers = {**request.headers, **own}
        return options


class _Stop(BaseException):
    """An error of ours on its way through the SDK, which takes any Exception for a connection that broke, and repeats.

    Attributes:
        error: The error.
    """

    def __init__(self, error: QwenError) -> None:
        super().__init__(error)
        self.error = error


class _Client(Pool):
    """Sends what the SDK asks for."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        try:
            response = super().send(request, **options)
        except QwenError as exc:
            raise _Stop(exc) from None
        if response.is_error:
            response.read()
            _judge(response)
        return response


class _AsyncClient(AsyncPool):
    """Sends what the async SDK asks for."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        try:
            response = await super().send(request, **options)
        except QwenError as exc:
            raise _Stop(exc) from None
        if response.is_error:
            await response.aread()
            _judge(response)
        return response


class PortalOpenAI(OpenAI):
    """``openai.OpenAI`` on an account; made by :func:`qwen_portal.openai_client`."""

    def __init__(self, *, portal: _Account, default_headers: Mapping[str, Any] | None = None, **given: Any) -> None:
        super().__init__(**given)
        self._portal = portal
        _keep_apart(self, default_headers)

    def copy(self, **changes: Any) -> Self:
        """Make a client of the same account with other settings."""
        return super().copy(**_checked(changes), _extra_kwargs={"portal": self._portal})

    with_options = copy

    def request(self, *args: Any, **options: Any) -> Any:
        """Send a request; what keeps it from being sent is an error of this package."""
        try:
            return super().request(*args, **options)
        except _Stop as stop:
            raise stop.error from None

    def _prepare_options(self, options: Any) -> Any:
        return self._portal.aim(super()._prepare_options(options), self._portal.credential())


class AsyncPortalOpenAI(AsyncOpenAI):
    """``openai.AsyncOpenAI`` on an account; made by :func:`qwen_portal.async_openai_client`."""

    def __init__(self, *, portal: _Account, default_headers: Mapping[str, Any] | None = None, **given: Any) -> None:
        super().__init__(**given)
        self._portal = portal
        _keep_apart(self, default_headers)

    def copy(self, **changes: Any) -> Self:
        """Make a client of the same account with other settings."""
        return super().copy(**_checked(changes), _extra_kwargs={"portal": self._portal})

    with_options = copy

    async def request(self, *args: Any, **options: Any) -> Any:
        """Send a request; what keeps it from being sent is an error of this package."""
        try:
            return await super().request(*args, **options)
        except _Stop as stop:
            raise stop.error from None

    async def _prepare_options(self, options: Any) -> Any:
        return self._portal.aim(await super()._prepare_options(options), await self._portal.acredential())


def open_client(account: str | None, given: dict[str, Any]) -> PortalOpenAI:
    """Make the client for threads; see :func:`qwen_portal.openai_client`."""
    options, portal = _checked(given), _Account(account)
    client = _Client(auth=portal.auth(), **client_options())
    return PortalOpenAI(portal=portal, http_client=client, **portal.defaults(options))


def open_async_client(account: str | None, given: dict[str, Any]) -> AsyncPortalOpenAI:
    """Make the client for an event loop; see :func:`qwen_portal.async_openai_client`."""
    options, portal = _checked(given), _Account(account)
    client = _AsyncClient(auth=portal.auth(), **async_client_options())
    return AsyncPortalOpenAI(portal=portal, http_client=client, **portal.defaults(options))


def _checked(kw: dict[str, Any]) -> dict[str, Any]:
    for name in _OURS:
        if name in kw:
            raise QwenError(
                f"{name}= is not taken: the account decides it.", hint="For another host or key use openai.OpenAI."
            )
    return kw


def _judge(response: httpx.Response) -> None:
    """Keep the SDK from repeating what no repetition helps against."""
    if is_quota(response.status_code, response.content):
        response.headers["x-should-retry"] = "false"


def _keep_apart(client: Any, headers: Mapping[str, Any] | None) -> None:
    """Send nothing to Qwen that the environment has for OpenAI: organization, project, OPENAI_CUSTOM_HEADERS."""
    client.organization = client.project = None
    client._custom_headers = {"User-Agent": USER_AGENT, **(headers or {})}  # noqa: SLF001 - nothing public sets it
