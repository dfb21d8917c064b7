"""The client both doors use: choose an account, shape the request, send it; if a quota is used up, the next try."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Self

from qwen_portal.answers.embeddings import joined
from qwen_portal.base_client import BaseClient, Messages, Question, Texts
from qwen_portal.errors import QwenError
from qwen_portal.http.exchange import Exchange
from qwen_portal.http.transport import asend, send
from qwen_portal.quota import qwen_cli
from qwen_portal.quota.attempts import Attempt
from qwen_portal.service.embeddings import DEFAULT_EMBEDDING_MODEL
from qwen_portal.service.models import CODER
from qwen_portal.streams import AsyncChunkStream, ChunkStream


class PortalClient(BaseClient):
    """Chat with Qwen's models, and embed texts; the Python core of both doors.

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
        return self._ask(Question(messages, model, params), timeout)

    def embed(
        self,
        texts: Sequence[str],
        *,
        model: str = DEFAULT_EMBEDDING_MODEL,
        dimensions: int | None = None,
        timeout: float | None = None,
    ) -> list[list[float]]:
        """Return the vector of each text, in the order of the texts.

        Args:
            texts: Any number; none is empty. They are sent as text, as many a request as the model takes.
            model: ``text-embedding-v4`` or any other id.
            dimensions: Length of the vectors; the model's own if not given.
            timeout: Seconds for each request.

        Raises:
            QwenModelNotFoundError: The account's plan has no embeddings; the hint says where they are.
            QwenBadRequestError: A text is empty or no text, or the model makes no vectors of that length.
            QwenError: As for :meth:`chat`.
        """
        answer = self.embeddings(texts, model=model, dimensions=dimensions, timeout=timeout)
        return [each["embedding"] for each in answer["data"]]

    def embeddings(
        self, texts: Sequence[str], *, model: str = DEFAULT_EMBEDDING_MODEL, timeout: float | None = None, **params: Any
    ) -> dict[str, Any]:
        """Return the vectors with the usage, in the shape of OpenAI's answers; see :meth:`embed`.

        Args:
            texts: As for :meth:`embed`.
            model: As for :meth:`embed`.
            timeout: As for :meth:`embed`.
            params: ``dimensions``, ``extra_headers``, ``extra_body``.
        """
        parts = self._parts(texts, model, params)
        return joined([self._ask(part, timeout) for part in parts], model=model)

    def _ask(self, question: Question | Texts, timeout: float | None) -> dict[str, Any]:
        attempts = self._attempts(question, timeout)
        attempt = attempts.start()
        while True:
            try:
                return attempt.tag(self._answer(question, attempt))
            except QwenError as exc:
                attempt = attempts.after(attempt, exc)

    def _answer(self, question: Question | Texts, attempt: Attempt) -> dict[str, Any]:
        if attempt.account is None:
            assert isinstance(question, Question)  # noqa: S101 - for the type checker
            return qwen_cli.ask(question.messages, seconds=attempt.seconds, **self._cli())
        credential = self._session.tokens.get(attempt.account)
        return send(self._exchange(question, attempt, credential))

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
        question = Question(messages, model, params)

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


class AsyncPortalClient(BaseClient):
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
        return await self._ask(Question(messages, model, params), timeout)

    async def embed(
        self,
        texts: Sequence[str],
        *,
        model: str = DEFAULT_EMBEDDING_MODEL,
        dimensions: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> list[list[float]]:
        """Return the vector of each text; see :meth:`PortalClient.embed`."""
        answer = await self.embeddings(texts, model=model, dimensions=dimensions, timeout=timeout)
        return [each["embedding"] for each in answer["data"]]

    async def embeddings(
        self,
        texts: Sequence[str],
        *,
        model: str = DEFAULT_EMBEDDING_MODEL,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
        **params: Any,
    ) -> dict[str, Any]:
        """Return the vectors with the usage; see :meth:`PortalClient.embeddings`."""
        parts = self._parts(texts, model, params)
        return joined([await self._ask(part, timeout) for part in parts], model=model)

    async def _ask(
        self,
        question: Question | Texts,
        timeout: float | None,  # noqa: ASYNC109 - as above
    ) -> dict[str, Any]:
        attempts = self._attempts(question, timeout)
        attempt = attempts.start()
        while True:
            try:
                return attempt.tag(await self._answer(question, attempt))
            except QwenError as exc:
                # marking an account waits for a file lock: not on the event loop
                attempt = await asyncio.to_thread(attempts.after, attempt, exc)

    async def _answer(self, question: Question | Texts, attempt: Attempt) -> dict[str, Any]:
        if attempt.account is None:
            assert isinstance(question, Question)  # noqa: S101 - for the type checker
            return await qwen_cli.aask(question.messages, seconds=attempt.seconds, **self._cli())
        credential = await self._session.tokens.aget(attempt.account)
        return await asend(self._exchange(question, attempt, credential))

    def stream(
        self, messages: Messages, *, model: str = CODER, timeout: float | None = None, **params: Any
    ) -> AsyncChunkStream:
        """Ask for a streamed answer; see :meth:`PortalClient.stream`. It closes with ``aclose()``."""
        question = Question(messages, model, params)

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
