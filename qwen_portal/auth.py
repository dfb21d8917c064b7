"""The bearer of one account, put on each request; a refused token is renewed once and the request repeated."""

import asyncio
import importlib.util
import logging
import time
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING

import httpx

from qwen_portal.account.record import Account
from qwen_portal.answers.error_responses import is_quota, is_web_page
from qwen_portal.errors import QwenError, QwenHostNotAllowedError
from qwen_portal.http.bodies import aread_error, read_error, readable
from qwen_portal.http.exchange import TOLD
from qwen_portal.requests.endpoints import base_url, check_destination
from qwen_portal.requests.extra_headers import check_framing
from qwen_portal.secrets import printable
from qwen_portal.service.hosts import origin
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential

_log = logging.getLogger("qwen_portal")
_UNAUTHORIZED, _FORBIDDEN, _GATEWAY_TIMEOUT = 401, 403, 504
_STATUS = {_UNAUTHORIZED, _FORBIDDEN, _GATEWAY_TIMEOUT}
_ERRORS = 400
# What of the HTTP library's extensions decides where a request arrives: its first line, the name in the TLS greeting.
_LEADING = {"target", "sni_hostname"}
# A gateway that times out may mean a token gone stale; one that was just issued is not the reason.
_STALE_SECONDS = 60.0


if TYPE_CHECKING or importlib.util.find_spec("httpx2") is None:
    _Auth = httpx.Auth
else:
    # httpx2, the maintained fork, takes instances of its own Auth alone; the flows are the same.
    import httpx2

    class _Auth(httpx.Auth, httpx2.Auth):
        pass


class PortalAuth(_Auth):
    """Bearer authentication for one account, for any client of httpx or httpx2.

    It never changes account and does not cap ``max_tokens``. On 401 and 403 the token is refreshed once and the
    request repeated; on 504 only if the token is older than 60 s and was not made by such a refresh. Of the body of
    such an answer the first 64 KB are read and kept.

    Args:
        account: Account label; the environment's key or the active account if not given.
        session: Settings, accounts and tokens to use; those of the environment if not given.
        ready: What the caller has chosen and fetched already: for the first request, or, if it is a key, for all.

    Raises:
        QwenError: From within a request: every error that :meth:`TokenManager.get` raises, and
            QwenHostNotAllowedError for a request to a host that the bearer is not meant for, QwenBadRequestError
            for one with headers that could hide a second request in it.

    Example:
        >>> client = httpx.Client(auth=PortalAuth("work"), base_url="https://portal.qwen.ai/v1")
    """

    requires_request_body = True

    def __init__(
        self,
        account: str | None = None,
        *,
        session: Session | None = None,
        ready: tuple[Account, Credential] | None = None,
    ) -> None:
        self._label = account
        self._given = ready
        self._session = session if session is not None else Session()
        self._forced: Credential | None = None

    def __repr__(self) -> str:
        """Name the account, never its token."""
        return f"{type(self).__name__}({self._label!r})"

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Attach the bearer; refresh and repeat once if it is refused."""
        tokens = self._session.tokens
        account, given = self._choose()
        credential = given if given is not None else tokens.get(account)
        self._attach(request, credential)
        response = yield request
        if response.status_code in _STATUS:
            read_error(response)
            if self._worth_a_refresh(response, account, credential):
                try:
                    renewed = tokens.get(account, refused=credential)
                except QwenError as exc:
                    _log.error("account %s: failed after refresh: %s", account.label, str(exc))
                    if response.status_code == _GATEWAY_TIMEOUT:
                        # the gateway's own answer stands
                        return
                    raise
                self._repeat(request, account, credential, renewed, response.status_code)
                response = yield request
                self._after_repeat(response, account, credential := renewed)
        if response.status_code < _ERRORS and not tokens.is_accepted(account, credential):
            tokens.mark_accepted(account, credential)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Attach the bearer; refresh and repeat once if it is refused."""
        tokens = self._session.tokens
        account, given = self._choose()
        credential = given if given is not None else await tokens.aget(account)
        self._attach(request, credential)
        response = yield request
        if response.status_code in _STATUS:
            await aread_error(response)
            # judging may write the index, which waits for a file lock: not on the event loop
            if await asyncio.to_thread(self._worth_a_refresh, response, account, credential):
                try:
                    renewed = await tokens.aget(account, refused=credential)
                except QwenError as exc:
                    _log.error("account %s: failed after refresh: %s", account.label, str(exc))
                    if response.status_code == _GATEWAY_TIMEOUT:
                        # the gateway's own answer stands
                        return
                    raise
                self._repeat(request, account, credential, renewed, response.status_code)
                response = yield request
                await asyncio.to_thread(self._after_repeat, response, account, credential := renewed)
        if response.status_code < _ERRORS and not tokens.is_accepted(account, credential):
            await asyncio.to_thread(tokens.mark_accepted, account, credential)

    def _choose(self) -> tuple[Account, Credential | None]:
        given = self._given
        if given is not None and given[1].kind == "oauth":
            # a repeat may need a renewed token; a key stays as it is, and need not be that of an account
            self._given = None
        return given if given is not None else (self._session.choose(self._label), None)

    def _attach(self, request: httpx.Request, credential: Credential) -> None:
        check_destination(credential, str(request.url), self._session.settings)
        check_framing(request.headers)
        named, asked = request.headers.get("Host", ""), request.url.netloc.decode("ascii")
        if named.lower() != asked.lower():
            # the service behind an address is chosen by this header
            msg = f"The request for {asked} names another host in its header: {printable(named, limit=120)!r}."
            raise QwenHostNotAllowedError(msg, hint="Leave the header Host to the HTTP library.")
        if _LEADING & request.extensions.keys():
            raise QwenHostNotAllowedError(f"The request for {asked} has extensions that lead it somewhere else.")
        request.headers["Accept-Encoding"] = readable(request.headers.get("Accept-Encoding", ""))
        request.headers["Authorization"] = f"Bearer {credential.access_token.reveal()}"
        # whoever sent the request has a list there, if what the server says is to be masked
        request.extensions.get(TOLD, []).extend(credential.secrets())

    def _worth_a_refresh(self, response: httpx.Response, account: Account, credential: Credential) -> bool:
        # neither a quota nor a firewall's page says anything about the token
        if credential.kind != "oauth" or is_quota(response.status_code, response.content):
            return False
        if response.status_code != _GATEWAY_TIMEOUT and is_web_page(response.headers, response.content):
            return False
        if response.status_code == _GATEWAY_TIMEOUT:
            forced = self._forced is not None and self._forced.access_token == credential.access_token
            if forced or time.time() - credential.issued_at <= _STALE_SECONDS:
                return False
        elif response.status_code == _UNAUTHORIZED:
            self._classify_401(account, credential)
        _log.info("account %s: auth error (%d): refreshing and retrying", account.label, response.status_code)
        return True

    def _repeat(
        self, request: httpx.Request, account: Account, old: Credential, renewed: Credential, status: int
    ) -> None:
        """Prepare the same request for the renewed token, at the host that came with it."""
        if status == _GATEWAY_TIMEOUT:
            self._forced = renewed
        settings = self._session.settings
        moved = base_url(renewed, settings)
        if origin(moved) != origin(base_url(old, settings)):
            target = httpx.URL(moved)
            request.url = request.url.copy_with(scheme=target.scheme, host=target.host, port=target.port)
            request.headers["Host"] = target.netloc.decode("ascii")
        self._attach(request, renewed)
        _log.info("account %s: retrying with the refreshed token", account.label)

    def _classify_401(self, account: Account, credential: Credential) -> None:
        is_of_the_account = self._session.settings.base_url is None
        self._session.tokens.classify_401(account, credential, remembered=is_of_the_account)

    def _after_repeat(self, response: httpx.Response, account: Account, renewed: Credential) -> None:
        if response.status_code == _UNAUTHORIZED:
            _log.error("account %s: failed after refresh: HTTP 401", account.label)
            self._classify_401(account, renewed)
        elif response.status_code < _ERRORS:
            _log.info("account %s: succeeded after refresh", account.label)
        else:
            _log.error("account %s: failed after refresh: HTTP %d", account.label, response.status_code)
