"""The half that both clients share: whose account, which requests, ready to send; nothing here waits for an answer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from qwen_portal.auth import PortalAuth
from qwen_portal.errors import QwenError, QwenTokenNotAvailableError
from qwen_portal.http.exchange import Exchange
from qwen_portal.quota.attempts import Attempt, Attempts
from qwen_portal.quota.degrade import degraded
from qwen_portal.requests.chat_request import PreparedRequest, RequestBuilder, output_limits
from qwen_portal.requests.embedding_request import batches, check_offer, embedding_request
from qwen_portal.secrets import Secret
from qwen_portal.service.embeddings import DEFAULT_EMBEDDING_MODEL
from qwen_portal.service.models import CODER, catalogue
from qwen_portal.service.plans import OAUTH, Plan, find_plan
from qwen_portal.session import Session
from qwen_portal.settings import check_seconds, load_settings, own_settings
from qwen_portal.storage.credential import Credential

Messages = Sequence[Mapping[str, Any]]
Params = Mapping[str, Any]


class Question(NamedTuple):
    """What the caller asks, before an account has given it its shape."""

    messages: Messages
    model: str
    params: Params


class Texts(NamedTuple):
    """What is to be embedded by one request."""

    texts: Sequence[str]
    model: str
    params: Params


class BaseClient:
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
        arguments = {
            "store": store,
            "base_url": base_url,
            "client_id": client_id,
            "timeout": timeout,
            "api_key": key,
            "plan": plan,
            "on_quota": on_quota,
        }
        given: dict[str, Any] = {name: value for name, value in arguments.items() if value is not None}
        settings = load_settings(**given) if given else own_settings()
        if plan is not None and settings.api_key is None:
            raise QwenError(f"The plan {plan!r} is named, but there is no key of it.", hint="Pass api_key= as well.")
        self._label = account
        self._pinned = account is not None or key is not None
        self._max_retries = _whole_number("max_retries", max_retries)
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

    def check_embeddings(self, *, model: str = DEFAULT_EMBEDDING_MODEL, dimensions: int | None = None) -> None:
        """Refuse what the account's plan is known not to have; no request is made.

        Raises:
            QwenModelNotFoundError: It has no embeddings; the hint says where they are.
            QwenBadRequestError: The model makes no vectors of that length.
            QwenTokenNotAvailableError: Nobody is signed in.
        """
        check_offer(self._session.choose(self._label).plan, model, dimensions, self._session.settings)

    def _parts(self, texts: Sequence[str], model: str, params: Params) -> list[Texts]:
        """Return the requests that a list of texts takes; what cannot be answered is refused before the first."""
        parts = [Texts(batch, model, params) for batch in batches(texts, model)]
        if parts:
            self.check_embeddings(model=model, dimensions=params.get("dimensions"))
        return parts

    def _attempts(self, question: Question | Texts, timeout: float | None) -> Attempts:
        seconds = self._session.settings.timeout if timeout is None else check_seconds("timeout", timeout)
        return Attempts(
            self._session,
            self._label,
            pinned=self._pinned,
            messages=question.messages if isinstance(question, Question) else None,
            model=question.model,
            params=question.params,
            seconds=seconds,
        )

    def _exchange(
        self, question: Question | Texts, attempt: Attempt, credential: Credential, *, stream: bool = False
    ) -> Exchange:
        assert attempt.account is not None  # noqa: S101 - for the type checker
        request = self._request(question, credential, stream=stream)
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

    def _request(self, question: Question | Texts, credential: Credential, *, stream: bool) -> PreparedRequest:
        if isinstance(question, Texts):
            settings = self._session.settings
            return embedding_request(credential, settings, question.texts, model=question.model, **question.params)
        return self._builder.chat(
            credential, question.messages, model=question.model, stream=stream, params=question.params
        )

    def _cli(self) -> dict[str, Any]:
        return {"command": self._session.settings.qwen_cli, "recorder": self._session.recorder}

    def about_to_send(self, exchange: Exchange) -> None:
        """Do nothing: an integration that keeps records of requests puts its own in the place of this."""


def _whole_number(name: str, value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise QwenError(f"{name} is {value!r:.60}.", hint="It takes a whole number from 0 on.")
    return value
