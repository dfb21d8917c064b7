"""A peer: plain httpx, used with care.

One client for the threads and one for each loop, the bearer on each request, one refresh at a time under a lock, the
tokens in a file that is replaced whole; a 401 is refreshed and repeated once.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx

from tests.soak.workload import ANSWER_SECONDS, AsyncWay, Question, SignIn, Way, Whole

CLIENT_ID = "f0304373b74a44d2b584a3fb70ca9e56"
# Seconds before its end from which a token is not used any more.
MARGIN = 2.0
_UNAUTHORIZED = 401


class RefreshError(Exception):
    """A token could not be renewed."""


class Tokens(Protocol):
    """Where a peer has its tokens."""

    def get(self, label: str, refused: str | None = None) -> str:
        """Return an access token that is good, and is not the refused one.

        Raises:
            Exception: There is none.
        """


def refresh(url: str, refresh_token: str) -> dict[str, Any]:
    """Spend a refresh token.

    Raises:
        RefreshError: No token came back.
        httpx.HTTPError: No answer came back.
    """
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": CLIENT_ID}
    response = httpx.post(f"{url}/api/v1/oauth2/token", data=form, timeout=8)
    try:
        answer: dict[str, Any] = response.json()
        answer["access_token"], answer["refresh_token"]
    except (ValueError, KeyError, TypeError):
        raise RefreshError(f"HTTP {response.status_code}") from None
    return answer


class FileTokens:
    """One file for each account.

    Args:
        url: The sign-in host.
        sign_ins: The accounts.
        home: A folder.
    """

    def __init__(self, url: str, sign_ins: Sequence[SignIn], home: Path) -> None:
        self._url = url
        self._home = home
        self._locks = {each.label: threading.Lock() for each in sign_ins}
        for each in sign_ins:
            self._keep(each.label, each._asdict())

    def get(self, label: str, refused: str | None = None) -> str:
        """Return an access token, renewed under the account's lock if need be."""
        with self._locks[label]:
            known: dict[str, Any] = json.loads((self._home / label).read_text("utf-8"))
            if known["expires_at"] - MARGIN <= time.time() or known["access_token"] == refused:
                known = self._keep(label, refresh(self._url, known["refresh_token"]))
            return str(known["access_token"])

    def _keep(self, label: str, tokens: dict[str, Any]) -> dict[str, Any]:
        kept = {**tokens, "expires_at": time.time() + tokens["expires_in"]}
        new = self._home / f"{label}.new"
        new.write_text(json.dumps(kept), "utf-8")
        new.replace(self._home / label)
        return kept


class _Bearer(httpx.Auth):
    requires_response_body = False

    def __init__(self, tokens: Tokens, label: str) -> None:
        self._tokens = tokens
        self._label = label

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._tokens.get(self._label)
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == _UNAUTHORIZED:
            response.read()
            request.headers["Authorization"] = f"Bearer {self._tokens.get(self._label, token)}"
            yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        # in a thread, so that no cancellation loses the answer of a refresh
        token = await asyncio.to_thread(self._tokens.get, self._label)
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == _UNAUTHORIZED:
            await response.aread()
            renewed = await asyncio.to_thread(self._tokens.get, self._label, token)
            request.headers["Authorization"] = f"Bearer {renewed}"
            yield request


class Httpx:
    """Chat over httpx.

    Args:
        url: Of the service.
        sign_ins: The accounts.
        home: A folder.
    """

    def __init__(self, url: str, sign_ins: Sequence[SignIn], home: Path) -> None:
        self._url = f"{url}/v1/chat/completions"
        self._default = sign_ins[0].label
        self._tokens = self.tokens(url, sign_ins, home)
        self._limits = httpx.Limits(max_connections=1000, max_keepalive_connections=20)
        self._client = httpx.Client(limits=self._limits, timeout=ANSWER_SECONDS)
        self._clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}
        self.ways: dict[str, Way] = {"stream": self._stream, "stream, again": self._stream, "chat": self._chat}
        self.async_ways: dict[str, AsyncWay] = {
            "stream": self._astream,
            "stream, again": self._astream,
            "chat": self._achat,
        }

    def tokens(self, url: str, sign_ins: Sequence[SignIn], home: Path) -> Tokens:
        """Open the place for tokens."""
        return FileTokens(url, sign_ins, home)

    def is_due(self, error: BaseException) -> bool:
        """Whether an error is one of httpx, or an answer that is none."""
        return isinstance(error, httpx.HTTPError | RefreshError | ValueError)

    def ask_anew(self, label: str) -> None:
        """Refresh an account's token now."""
        self._tokens.get(label, self._tokens.get(label))

    def busy(self) -> int:
        """How many connections are in use."""
        clients: list[Any] = [self._client, *self._clients.values()]
        connections = [each for client in clients for each in client._transport._pool.connections]
        return sum(not (each.is_idle() or each.is_closed()) for each in connections)

    def close(self) -> None:
        """Close the threads' client."""
        self._client.close()

    async def aclose(self) -> None:
        """Close the running loop's client."""
        client = self._clients.get(asyncio.get_running_loop())
        if client is not None:
            await client.aclose()

    def _request(self, question: Question, *, stream: bool) -> dict[str, Any]:
        messages = [{"role": "user", "content": question.prompt}]
        return {"model": "coder-model", "messages": messages, "stream": stream, "max_tokens": 65536}

    def _auth(self, question: Question) -> _Bearer:
        return _Bearer(self._tokens, question.account or self._default)

    def _stream(self, question: Question) -> Iterator[Any]:
        body = self._request(question, stream=True)
        with self._client.stream("POST", self._url, json=body, auth=self._auth(question)) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if line.startswith("data:") and line != "data: [DONE]":
                    yield json.loads(line.removeprefix("data:"))

    def _chat(self, question: Question) -> Iterator[Any]:
        body = self._request(question, stream=False)
        response = self._client.post(self._url, json=body, auth=self._auth(question))
        return iter([response.raise_for_status().json()])

    def _pool(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = httpx.AsyncClient(limits=self._limits, timeout=ANSWER_SECONDS)
        return self._clients[loop]

    async def _astream(self, question: Question) -> AsyncIterator[Any]:
        return self._chunks(question)

    async def _chunks(self, question: Question) -> AsyncIterator[Any]:
        body = self._request(question, stream=True)
        async with self._pool().stream("POST", self._url, json=body, auth=self._auth(question)) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data:") and line != "data: [DONE]":
                    yield json.loads(line.removeprefix("data:"))

    async def _achat(self, question: Question) -> AsyncIterator[Any]:
        body = self._request(question, stream=False)
        response = await self._pool().post(self._url, json=body, auth=self._auth(question))
        return Whole(response.raise_for_status().json())
