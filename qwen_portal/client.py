"""The client both doors use: choose an account, shape the request, send it; if a quota is used up, the next try."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from qwen_portal.auth import PortalAuth
from qwen_portal.errors import QwenError, QwenTokenNotAvailableError
from qwen_portal.http.exchange import Exchange
from qwen_portal.http.transport import asend, send
from qwen_portal.quota import qwen_cli
from qwen_portal.quota.attempts import Attempt, Attempts
from qwen_portal.quota.degrade import degraded
from qwen_portal.requests.chat_request import RequestBuilder, output_limits
from qwen_portal.secrets import Secret
from qwen_portal.service.models import CODER, catalogue
from qwen_portal.service.plans import OAUTH, Plan, find_plan
from qwen_portal.session import Session
from qwen_portal.settings import check_seconds, load_settings
from qwen_portal.storage.credential import Credential
from qwen_portal.streams import AsyncChunkStream, ChunkStream

Messages = Sequence[Mapping[str, Any]]
Params = Mapping[str, Any]


class _Question(NamedTuple):
    """What the caller asks, before an account has given it its shape."""

    messages: Messages
    model: str
    params: Params


class _Client:
    """What the two clients share.

    Args:
        account: Account label; it pins the client to that account.
        on_quota: What to try in turn when a quota is used up: any of ``switch``, ``degrade`` and ``cli``, in a list or
            separated by commas, or ``error``; QWEN_PORTAL_ON_QUOTA if not given.
        timeout: Seconds for one whole answer, retries included; QWEN_PORTAL_TIMEOUT if not given.
        max_retries: Repeats of a request that failed in passing.
        base_url: Chat base URL; overrides the account's own.
        store: Where sign-ins are kept; QWEN_PORTAL_STORE if not given.
        client_id: OAuth client id.
        api_key: A key used as it is and never stored; QWEN_PORTAL_API_KEY if not given.
        plan: The key's plan, unless ``base_url`` says where it goes; QWEN_PORTAL_PLAN if not given.

    Raises:
        QwenError: A setting has a value it cannot have, or ``account`` and ``api_key`` contradict each other.
    """

    def __init__(
        self,
        *,
        account: str | None = None,
        on_quota: str | Iterable[str] | None = None,
        timeout: float | None = None,
        max_retries: int = 2,
        base_url: str | None = None,
        store: str | None = None,
        client_id: str | None = None,
        api_key: str | Secret | None = None,
        plan: str | None = None,
    ) -> None:
        # a frame of an error is shown with what it has
        key, api_key = Secret.wrapped(api_key), None
        if account is not None and key is not None:
            raise QwenError(
                f"Both the account {account!r} and an API key are given.", hint="Pass one of account= and api_key=."
            )
        settings = load_settings(
            store=store,
            base_url=base_url,
            client_id=client_id,
            timeout=timeout,
            api_key=key,
            plan=plan,
            on_quota=on_quota,
        )
        if plan is not None and settings.api_key is None:
            raise QwenError(f"The plan {plan!r} is named, but there is no key of it.", hint="Pass api_key= as well.")
        self._label = account
        self._pinned = account is not None or key is not None
        self._max_retries = max_retries
        self._session = Session(settings)
        self._builder = RequestBuilder(self._session.settings, self._session.warned)

    def models(self) -> list[dict[str, Any]]:
        """List the two models as they are on the account's plan; no request is made.

        Returns:
            One dict per model: ``id``, ``name`` (what is sent), ``context`` and ``max_output`` (tokens), ``inputs``
            (``["text", "image"]``), ``thinking`` (bool). Without a sign-in, the portal's.
        """
        return catalogue(self.plan())

    def plan(self) -> Plan:
        """Return the plan of the account that serves the next request; without a sign-in, the portal's."""
        try:
            return self._session.choose(self._label).plan
        except QwenTokenNotAvailableError:
            return find_plan(OAUTH)

    def output_limits(self, *, model: str = CODER, **params: Any) -> dict[str, int]:
        """Return the limits on output that ``chat`` would send with these parameters; no request is made.

        Returns:
            Tokens by the field's name; none where neither the caller nor the service names a limit.
        """
        return output_limits({"model": model, **params}, self.plan())

    def _attempts(self, question: _Question, timeout: float | None) -> Attempts:
        seconds = self._session.settings.timeout if timeout is None else check_seconds("timeout", timeout)
        return Attempts(
            self._session,
            self._label,
            pinned=self._pinned,
            messages=question.messages,
            model=question.model,
            params=question.params,
            seconds=seconds,
        )

    def _exchange(self, question: _Question, attempt: Attempt, credential: Credential, *, stream: bool) -> Exchange:
        assert attempt.account is not None  # noqa: S101 - for the type checker
        request = self._builder.chat(
            credential, question.messages, model=question.model, stream=stream, params=question.params
        )
        if attempt.strategy == "degrade":
            request = degraded(request)
        auth = PortalAuth(attempt.account.label, session=self._session, ready=(attempt.account, credential))
        exchange = Exchange(
            request,
            auth,
            attempt.seconds,
            self._max_retries,
            attempt.account,
            recorder=self._session.recorder,
            on_quota=attempt.strategy,
        )
        self.about_to_send(exchange)
        return exchange

    def _cli(self) -> dict[str, Any]:
        return {"command": self._session.settings.qwen_cli, "recorder": self._session.recorder}

    def about_to_send(self, exchange: Exchange) -> None:
        """Do nothing: an integration that keeps records of requests puts its own in the place of this."""


class PortalClient(_Client):
    """Chat with Qwen's models; the Python core of both doors.

    Every failure is a QwenError with a hint. ``params`` are OpenAI's, and ``output_cap`` (tokens), ``allow_images``
    (bool), ``extra_body`` and ``extra_headers`` (dicts).

    Example:
        >>> client = PortalClient()
        >>> client.chat([{"role": "user", "content": "What is 2+2?"}])["choices"][0]["message"]["content"]
        '4'
    """

    def chat(
        self, messages: Messages, *, model: str = CODER, timeout: float | None = None, **params: Any
    ) -> dict[str, Any]:
        """Ask for a whole answer.

        Args:
            messages: OpenAI-style messages.
            model: ``coder-model``, ``vision-model`` or any other id.
            timeout: Seconds for this answer.
            params: See the class.

        Returns:
            A chat.completion dict; with ``"on_quota": "degrade"`` or ``"cli"`` in it if that strategy answered.

        Raises:
            QwenError: Typed by what happened; see qwen_portal.errors.
        """
        question = _Question(messages, model, params)
        attempts = self._attempts(question, timeout)
        attempt = attempts.start()
        while True:
            try:
                return attempt.tag(self._answer(question, attempt))
            except QwenError as exc:
                attempt = attempts.after(attempt, exc)

    def _answer(self, question: _Question, attempt: Attempt) -> dict[str, Any]:
        if attempt.account is None:
            return qwen_cli.ask(question.messages, seconds=attempt.seconds, **self._cli())
        credential = self._session.tokens.get(attempt.account)
        return send(self._exchange(question, attempt, credential, stream=False))

    def stream(
        self, messages: Messages, *, model: str = CODER, timeout: float | None = None, **params: Any
    ) -> ChunkStream:
        """Ask for a streamed answer; the last chunk before the end carries the usage.

        The request is sent by the first ``next()``, by ``open()`` or by ``with``; leaving early with ``close()``
        closes the connection.

        Args:
            messages: OpenAI-style messages.
            model: ``coder-model``, ``vision-model`` or any other id.
            timeout: Seconds for this answer.
            params: See the class.

        Returns:
            An iterator of chat.completion.chunk dicts; the first one has ``"on_quota"`` where a whole answer would.
        """
        question = _Question(messages, model, params)

        def begin(attempt: Attempt) -> Exchange | Iterable[dict[str, Any]]:
            if attempt.account is None:
                return qwen_cli.chunks(qwen_cli.ask(question.messages, seconds=attempt.seconds, **self._cli()))
            credential = self._session.tokens.get(attempt.account)
            return self._exchange(question, attempt, credential, stream=True)

        return ChunkStream(self._attempts(question, timeout), begin)

    def close(self) -> None:
        """Do nothing: the connections belong to the process; ``qwen_portal.close()`` closes them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class AsyncPortalClient(_Client):
    """The same for ``async`` code; one client serves any number of event loops."""

    async def chat(
        self,
        messages: Messages,
        *,
        model: str = CODER,
        timeout: float | None = None,  # noqa: ASYNC109 - limits the retries too, not one await
        **params: Any,
    ) -> dict[str, Any]:
        """Ask for a whole answer; see :meth:`PortalClient.chat`."""
        question = _Question(messages, model, params)
        attempts = self._attempts(question, timeout)
        attempt = attempts.start()
        while True:
            try:
                return attempt.tag(await self._answer(question, attempt))
            except QwenError as exc:
                # marking an account waits for a file lock: not on the event loop
                attempt = await asyncio.to_thread(attempts.after, attempt, exc)

    async def _answer(self, question: _Question, attempt: Attempt) -> dict[str, Any]:
        if attempt.account is None:
            return await qwen_cli.aask(question.messages, seconds=attempt.seconds, **self._cli())
        credential = await self._session.tokens.aget(attempt.account)
        return await asend(self._exchange(question, attempt, credential, stream=False))

    def stream(
        self, messages: Messages, *, model: str = CODER, timeout: float | None = None, **params: Any
    ) -> AsyncChunkStream:
        """Ask for a streamed answer; see :meth:`PortalClient.stream`. It closes with ``aclose()``."""
        question = _Question(messages, model, params)

        async def begin(attempt: Attempt) -> Exchange | Iterable[dict[str, Any]]:
            if attempt.account is None:
                return qwen_cli.chunks(await qwen_cli.aask(question.messages, seconds=attempt.seconds, **self._cli()))
            credential = await self._session.tokens.aget(attempt.account)
            return self._exchange(question, attempt, credential, stream=True)

        return AsyncChunkStream(self._attempts(question, timeout), begin)

    async def close(self) -> None:
        """Do nothing: the connections belong to the event loop; ``await qwen_portal.aclose()`` closes them."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()
