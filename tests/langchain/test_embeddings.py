"""QwenPortalEmbeddings: LangChain's own suites for embeddings, retrieval, state, errors."""

import asyncio
import copy
import pickle
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from langchain_core import exceptions as langchain
from langchain_core.embeddings import Embeddings
from langchain_core.load import dumpd, dumps, load
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

import qwen_portal
from langchain_qwen_portal import QwenPortalEmbeddings
from qwen_portal import (
    QwenAuthenticationError,
    QwenBadRequestError,
    QwenHostNotAllowedError,
    QwenModelNotFoundError,
    QwenTokenNotAvailableError,
)
from qwen_portal.emulator import Emulator
from tests.canaries import KEY, assert_none_in, assert_none_in_error
from tests.embeddings.ways import asked, keep_key

Vectors = list[list[float]]
Way = Callable[[QwenPortalEmbeddings, list[str]], Vectors]


def embed(embeddings: QwenPortalEmbeddings, texts: list[str]) -> Vectors:
    """Embed texts."""
    return embeddings.embed_documents(texts)


def aembed(embeddings: QwenPortalEmbeddings, texts: list[str]) -> Vectors:
    """Embed texts on an event loop of its own."""

    async def ask() -> Vectors:
        try:
            return await embeddings.aembed_documents(texts)
        finally:
            await qwen_portal.aclose()

    return asyncio.run(ask())


WAYS: list[Way] = [embed, aembed]


@pytest.fixture
def studio(emulator: Emulator) -> Emulator:
    """Keep a key of a plan that has embeddings."""
    keep_key(emulator)
    return emulator


class TestUnit(EmbeddingsUnitTests):
    """LangChain's unit suite."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        """The class under test."""
        return QwenPortalEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        """Its arguments."""
        return {"model": "text-embedding-v4"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        """A key in the environment decides the plan, which has embeddings."""
        variables = {"QWEN_PORTAL_API_KEY": "sk-test", "QWEN_PORTAL_PLAN": "studio-intl"}
        return variables, {}, {"model": "text-embedding-v4", "api_key": None}


class TestIntegration(EmbeddingsIntegrationTests):
    """LangChain's integration suite, against the emulator."""

    @pytest_asyncio.fixture(autouse=True)
    async def service(self, studio: Emulator) -> AsyncIterator[None]:
        """Run the service; close the loop's connections before the loop ends."""
        yield
        await qwen_portal.aclose()

    @property
    def embeddings_class(self) -> type[Embeddings]:
        """The class under test."""
        return QwenPortalEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        """Its arguments."""
        return {"model": "text-embedding-v4", "dimensions": 256}


@pytest.mark.parametrize("ask", WAYS)
def test_any_number_of_texts_is_embedded_as_text(ask: Way, studio: Emulator) -> None:
    """LangChain's class for OpenAI sends a thousand at once, as token ids; this one what the service takes."""
    texts = [f"Document {n}" for n in range(25)]
    vectors = ask(QwenPortalEmbeddings(dimensions=64), texts)
    assert [len(request.body["input"]) for request in asked(studio)] == [10, 10, 5]
    assert [text for request in asked(studio) for text in request.body["input"]] == texts
    assert {len(vector) for vector in vectors} == {64}
    assert vectors[7] == QwenPortalEmbeddings(dimensions=64).embed_query("Document 7")


@pytest.mark.usefixtures("closing")
async def test_a_store_of_vectors_finds_what_is_asked_for(studio: Emulator) -> None:
    """Texts go in, a question finds the one that is about it; both ways."""
    texts = ["A passport is renewed at the town hall.", "Bread takes an hour in the oven.", "The bridge is 80 m long."]
    store = await InMemoryVectorStore.afrom_texts(texts, embedding=QwenPortalEmbeddings(account="studio"))
    for question, text in zip(
        ("How is my passport renewed?", "Baking bread", "Length of the bridge"), texts, strict=True
    ):
        (found,) = store.similarity_search(question, k=1)
        (afound,) = await store.asimilarity_search(question, k=1)
        assert found.page_content == afound.page_content == text


@pytest.mark.parametrize("ask", WAYS)
def test_a_key_given_in_python_is_used_and_written_nowhere(ask: Way, emulator: Emulator) -> None:
    """The key goes to the service; repr, str, dumps and model_dump have nothing of it, nor has an error."""
    embeddings = QwenPortalEmbeddings(api_key=KEY, base_url=f"{emulator.url}/v1", timeout=30, max_retries=0)
    assert len(ask(embeddings, ["Hello"])) == 1
    assert asked(emulator)[0].headers["authorization"] == f"Bearer {KEY}"
    for text in (repr(embeddings), str(embeddings), dumps(embeddings), str(embeddings.model_dump())):
        assert_none_in(text)
        assert "api_key" not in text
    emulator.scenario("error-500", where="embeddings")
    with pytest.raises(langchain.ModelAPIError) as caught:
        ask(embeddings, ["Hello"])
    assert_none_in_error(caught.value)


@pytest.mark.parametrize(
    "mistake",
    [
        {"account": "work"},
        {"plan": "no-such-plan"},
        {"base_url": "http://example.com"},
        {"timeout": 0},
        {"chunk_size": 1000},
        {"dimensions": 1000, "plan": "studio"},
        {"api_key": [KEY]},
    ],
    ids=lambda mistake: next(iter(mistake)),
)
def test_a_mistake_in_the_constructor_is_said_and_shows_no_key(mistake: dict[str, Any]) -> None:
    """An option that there is not, too: none is ignored."""
    with pytest.raises((qwen_portal.QwenError, ValueError)) as caught:
        QwenPortalEmbeddings(**{"api_key": KEY, **mistake})
    assert_none_in(str(caught.value))
    assert_none_in(repr(caught.value))


def test_an_address_without_a_key_is_refused(studio: Emulator) -> None:
    """As the chat model does: a manifest is data, and what is kept never goes where data say."""
    embeddings = QwenPortalEmbeddings(account="studio", base_url="https://example.com/v1")
    with pytest.raises(QwenHostNotAllowedError, match="without api_key="):
        embeddings.embed_query("a text")
    assert studio.log() == []


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_it_is_plain_data(studio: Emulator) -> None:
    """Pickle, deepcopy, model_copy and dumps give the same again, which still embeds."""
    embeddings = QwenPortalEmbeddings(account="studio", dimensions=128, timeout=30)
    written = dumpd(embeddings)
    allowed: dict[str, Any] = {
        "allowed_objects": [QwenPortalEmbeddings],
        "valid_namespaces": ["langchain_qwen_portal"],
    }
    for again in (
        pickle.loads(pickle.dumps(embeddings)),  # noqa: S301 - our own
        copy.deepcopy(embeddings),
        embeddings.model_copy(),
        load(written, **allowed),
    ):
        assert again == embeddings
        assert again.embed_query("Hello") == embeddings.embed_query("Hello")
    embeddings.dimensions = 64
    assert len(embeddings.embed_query("Hello")) == 64


def test_the_account_is_the_one_that_is_named(studio: Emulator) -> None:
    """Not the active one."""
    keep_key(studio, "other", key="sk-other")
    qwen_portal.use("studio")
    QwenPortalEmbeddings(account="other").embed_query("Hello")
    assert asked(studio)[0].headers["authorization"] == "Bearer sk-other"


@pytest.mark.parametrize("ask", WAYS)
def test_errors_are_the_cores_and_langchains_at_once(ask: Way, studio: Emulator) -> None:
    """Whichever is caught."""
    with pytest.raises(langchain.ModelInvalidRequestError) as empty:
        ask(QwenPortalEmbeddings(), ["Hello", ""])
    assert isinstance(empty.value, QwenBadRequestError)
    with pytest.raises(langchain.ContextOverflowError):
        ask(QwenPortalEmbeddings(), ["word " * 9_000])
    keep_key(studio, "bad", key="sk-bad")
    with pytest.raises(langchain.ModelAuthenticationError) as refused:
        ask(QwenPortalEmbeddings(account="bad"), ["Hello"])
    assert isinstance(refused.value, QwenAuthenticationError)


@pytest.mark.usefixtures("signed_in")
def test_a_plan_without_embeddings_is_told_when_the_object_is_made() -> None:
    """And a copy that names such an account says so when it is asked."""
    for plan in ("coding", "token-intl"):
        with pytest.raises(QwenModelNotFoundError, match="has no embeddings"):
            QwenPortalEmbeddings(api_key="sk-sp-x", plan=plan)
    made = QwenPortalEmbeddings(api_key="sk-x", plan="studio")
    with pytest.raises(langchain.ModelNotFoundError):
        made.model_copy(update={"api_key": None, "plan": None, "account": "default"}).embed_query("Hello")


def test_nobody_signed_in_is_told_when_it_embeds() -> None:
    """An object can be made before the sign-in, as a chat model can."""
    with pytest.raises(QwenTokenNotAvailableError) as caught:
        QwenPortalEmbeddings().embed_query("Hello")
    assert isinstance(caught.value, langchain.ModelAuthenticationError)
