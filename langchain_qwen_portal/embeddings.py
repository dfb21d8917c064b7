"""QwenPortalEmbeddings: LangChain's interface for vectors of texts, on the core's clients."""

import contextlib
from typing import Any, Self

from langchain_core.embeddings import Embeddings
from langchain_core.load.serializable import Serializable
from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from langchain_qwen_portal.connection import KEPT, client_settings, kept_clients
from langchain_qwen_portal.errors import translated
from qwen_portal import AsyncPortalClient, PortalClient, QwenTokenNotAvailableError
from qwen_portal.service.embeddings import DEFAULT_EMBEDDING_MODEL


class QwenPortalEmbeddings(Serializable, Embeddings):
    """Qwen's embeddings in LangChain: a key of a plan that has them, such as Model Studio's.

    Setup:
        .. code-block:: bash

            pip install "qwen-portal[langchain]"
            qwen-portal login studio --plan studio-intl --api-key-stdin

    Embed:
        Texts are sent as text, never as token ids, and as many a request as the model takes; any number may be given.

        .. code-block:: python

            from langchain_qwen_portal import QwenPortalEmbeddings

            embeddings = QwenPortalEmbeddings(account="studio", dimensions=512)
            vectors = embeddings.embed_documents(["A passport is renewed at the town hall.", "Bread takes an hour."])
            print(len(vectors), len(vectors[0]))

    Retrieve:
        LangChain's stores of vectors take the object as it is; the one in memory needs numpy.

        .. code-block:: python

            from langchain_core.vectorstores import InMemoryVectorStore

            store = InMemoryVectorStore.from_texts(["A passport is renewed at the town hall."], embedding=embeddings)
            print(store.similarity_search("Where do I renew my passport?", k=1)[0].page_content)

    Async:
        ``aembed_documents`` and ``aembed_query`` block no event loop; any number of loops and threads may share one.

    Raises:
        QwenModelNotFoundError: The account's plan has no embeddings; the hint says where they are. At construction if
            somebody is signed in, else at the first call.
        QwenBadRequestError: The model makes no vectors of that length, or a text is empty.
    """

    __slots__ = (KEPT,)

    # A mistyped option must not print the key that stands beside it.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    model: str = DEFAULT_EMBEDDING_MODEL
    """``text-embedding-v4`` or another id, with or without ``qwen-portal/``."""

    dimensions: int | None = None
    """Length of the vectors; the model's own if not given."""

    account: str | None = None
    """Account label; it pins the object to that account. Without it the active account is used."""

    # Written down nowhere: neither dumps() nor a trace has it.
    api_key: SecretStr | str | None = Field(default=None, exclude=True, repr=False)
    """A key of a Qwen plan, used as it is and never stored; QWEN_PORTAL_API_KEY if not given."""

    plan: str | None = None
    """The plan of ``api_key``, such as ``studio-intl``; QWEN_PORTAL_PLAN if not given."""

    base_url: str | None = None
    """Where ``api_key`` goes. For a sign-in the address comes from the environment: QWEN_PORTAL_BASE_URL."""

    store: str | None = None
    """Where sign-ins are kept; QWEN_PORTAL_STORE if not given."""

    on_quota: str | None = None
    """``switch``, or ``error``: whether another account may go on when a quota is used up; QWEN_PORTAL_ON_QUOTA if not
    given."""

    timeout: float | None = Field(default=None, gt=0)
    """Seconds for each request, retries included; QWEN_PORTAL_TIMEOUT if not given."""

    max_retries: int | None = Field(default=None, ge=0)
    """Repeats of a request that failed in passing; 2 if not given."""

    @field_validator("api_key")
    @classmethod
    def _wrap_key(cls, key: SecretStr | str | None) -> SecretStr | None:
        return SecretStr(key) if isinstance(key, str) else key

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Check the settings, and whether the account has embeddings; no request is made."""
        with translated():
            client = self._client()
            with contextlib.suppress(QwenTokenNotAvailableError):
                client.check_embeddings(model=self.model, dimensions=self.dimensions)
        return self

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Say yes: accounts hold the secrets, and a key given in Python is not written down."""
        return True

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text, in the order of the texts."""
        with translated():
            return self._client().embed(texts, model=self.model, dimensions=self.dimensions)

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of one text; it is made as those of documents are."""
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text without blocking the event loop."""
        with translated():
            return await self._async_client().embed(texts, model=self.model, dimensions=self.dimensions)

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of one text without blocking the event loop."""
        return (await self.aembed_documents([text]))[0]

    def _client(self) -> PortalClient:
        return kept_clients(self, self._client_settings()).sync()

    def _async_client(self) -> AsyncPortalClient:
        return kept_clients(self, self._client_settings()).for_loops()

    def _client_settings(self) -> dict[str, Any]:
        names = ("account", "on_quota", "api_key", "plan", "timeout", "max_retries", "base_url", "store")
        return client_settings(**{name: getattr(self, name) for name in names})
