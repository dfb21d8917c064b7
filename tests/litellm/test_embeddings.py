"""Embeddings through LiteLLM: what is sent, what comes back, whose key it is, what is refused, through a Router too."""

import base64
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import litellm
import pytest
from litellm import exceptions
from litellm.integrations.custom_logger import CustomLogger
from litellm.router import Router

from litellm_qwen_portal import shims
from qwen_portal import QwenBadRequestError, QwenModelNotFoundError
from qwen_portal.emulator import Emulator
from qwen_portal.service.embeddings import EMBEDDING_MODELS
from tests.canaries import KEY, assert_none_in
from tests.embeddings.ways import asked, keep_key
from tests.litellm.conftest import finish_logging
from tests.litellm.test_errors import REFUSALS, Row
from tests.litellm.ways import call, run

MODEL = "qwen-portal/text-embedding-v4"
Way = Callable[..., Any]


def embed(texts: Any = ("Hello",), **params: Any) -> Any:
    """Embed texts."""
    return litellm.embedding(**({"model": MODEL, "input": _given(texts)} | params))


def aembed(texts: Any = ("Hello",), **params: Any) -> Any:
    """Embed texts on an event loop."""
    return run(lambda: litellm.aembedding(**({"model": MODEL, "input": _given(texts)} | params)))


def _given(texts: Any) -> Any:
    return list(texts) if isinstance(texts, tuple) else texts


WAYS: list[Way] = [embed, aembed]


@pytest.fixture
def studio(emulator: Emulator) -> Emulator:
    """Keep a key of a plan that has embeddings."""
    keep_key(emulator)
    return emulator


@pytest.mark.parametrize("ask", WAYS)
def test_texts_become_vectors_with_usage_and_headers(ask: Way, studio: Emulator) -> None:
    """A response of LiteLLM's, priced, with the service's headers, its model as it was asked for."""
    response = ask(("Hello there", "Bye"))
    assert [row["index"] for row in response.data] == [0, 1]
    assert [len(row["embedding"]) for row in response.data] == [1024, 1024]
    assert (response.object, response.model) == ("list", "text-embedding-v4")
    assert (response.usage.prompt_tokens, response.usage.total_tokens) == (3, 3)
    assert response._hidden_params["response_cost"] == 0.0
    assert "llm_provider-x-request-id" in response._hidden_params["additional_headers"]
    assert asked(studio)[0].body == {
        "model": "text-embedding-v4",
        "input": ["Hello there", "Bye"],
        "encoding_format": "float",
    }


@pytest.mark.parametrize("ask", WAYS)
def test_one_text_may_be_given_as_it_is_and_many_are_split(ask: Way, studio: Emulator) -> None:
    """As OpenAI takes it; the usage is that of all requests."""
    assert len(ask("Hello").data) == 1
    response = ask([f"word {n}" for n in range(23)])
    assert [len(request.body["input"]) for request in asked(studio)] == [1, 10, 10, 3]
    assert [row["index"] for row in response.data] == list(range(23))
    assert response.usage.prompt_tokens == 46


@pytest.mark.parametrize("ask", WAYS)
def test_dimensions_and_form_are_those_that_were_asked_for(ask: Way, studio: Emulator) -> None:
    """``base64`` is what OpenAI's own clients ask a proxy for; ``user`` has no place in the request."""
    plain = ask(dimensions=64, encoding_format="float").data[0]["embedding"]
    packed = ask(dimensions=64, encoding_format="base64", user="me").data[0]["embedding"]
    numbers = struct.unpack("<64f", base64.b64decode(packed))
    assert numbers == pytest.approx(plain, abs=1e-6)
    for request in asked(studio):
        assert request.body["dimensions"] == 64
        assert request.body["encoding_format"] == "float"
        assert "user" not in request.body


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"texts": [[15496, 11]]}, "not text"),
        ({"texts": [15496, 11]}, "not text"),
        ({"texts": ["Hello", ""]}, "Text 2 of 2 is empty"),
        ({"dimensions": 1000}, "Its choices: 64, 128"),
        ({"encoding_format": "hex"}, "encoding_format is 'hex'"),
        ({"qwen_account": ["studio"]}, "qwen_account is"),
    ],
)
def test_what_cannot_be_embedded_is_a_bad_request(ask: Way, studio: Emulator, wrong: dict[str, Any], says: str) -> None:
    """It is refused here, without a request; no Router repeats it."""
    with pytest.raises(exceptions.BadRequestError, match=says) as caught:
        ask(**wrong)
    assert isinstance(caught.value.__cause__, QwenBadRequestError)
    assert asked(studio) == []


@pytest.mark.parametrize("ask", WAYS)
def test_the_call_says_whose_key_it_is(ask: Way, studio: Emulator) -> None:
    """An account, or a key with its address; a plan that has none says where they are."""
    keep_key(studio, "other", key="sk-other")
    ask(qwen_account="other")
    ask(api_key="sk-own", api_base=f"{studio.url}/v1")
    assert [request.headers["authorization"] for request in asked(studio)] == ["Bearer sk-other", "Bearer sk-own"]
    for plan in ("coding", "token-intl"):
        with pytest.raises(exceptions.BadRequestError, match="Model Studio has"):
            ask(api_key="sk-sp-x", qwen_plan=plan)
    with pytest.raises(exceptions.BadRequestError, match="without api_key"):
        ask(api_base=f"{studio.url}/v1")


@pytest.mark.parametrize("ask", WAYS)
def test_refusals_are_litellms_own(ask: Way, studio: Emulator) -> None:
    """A quota, a key, a text that is too long, a server: each as of a chat."""
    cases: list[tuple[str, type[Exception]]] = [
        ("error-500", exceptions.InternalServerError),
        ("quota", exceptions.RateLimitError),
    ]
    for scenario, kind in cases:
        studio.scenario(scenario, where="embeddings")
        with pytest.raises(kind):
            ask(qwen_account="studio", max_retries=0)
        studio.scenario(scenario, on=False)
    keep_key(studio, "bad", key="sk-bad")
    with pytest.raises(exceptions.AuthenticationError):
        ask(qwen_account="bad")
    keep_key(studio, "third", key="sk-third")
    with pytest.raises(exceptions.ContextWindowExceededError):
        ask("word " * 9_000, qwen_account="third")


# The others are about chats, or about a sign-in, which has no embeddings at all.
OF_BOTH = [row for row in REFUSALS if row[0] not in {"strict", "input-range", "moderation", "ended"}]


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize("row", OF_BOTH, ids=[row[0] for row in OF_BOTH])
def test_each_refusal_is_that_of_the_chat_door(ask: Way, studio: Emulator, row: Row) -> None:
    """LiteLLM's type, our error as its cause, and the hint in the text, word for word."""
    scenario, _, theirs, ours = row
    hints = []
    for where, refused in (("embeddings", ask), ("chat", call)):
        keep_key(studio, where, key=f"sk-{where}")
        studio.scenario(scenario, where=where)
        with pytest.raises(theirs) as caught:
            refused(qwen_account=where, max_retries=0)
        assert type(caught.value) is theirs
        cause: Any = caught.value.__cause__
        assert isinstance(cause, ours)
        assert cause.hint in str(caught.value)
        # after it: which accounts are left
        hints.append(cause.hint.partition(" then ")[0])
    assert hints[0] == hints[1]


@pytest.mark.parametrize("ask", WAYS)
def test_who_has_no_sign_in_or_a_wrong_key_reads_what_to_do(
    ask: Way, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same error as a chat's, to the letter but for the request's id."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/compatible-mode/v1")
    keys: list[dict[str, Any]] = [{}, {"api_key": "sk-bad", "qwen_plan": "studio"}]
    for given in (*keys, {"api_key": "sk-x", "qwen_plan": "nowhere"}):
        said = []
        for refused in (ask, call):
            with pytest.raises((exceptions.AuthenticationError, exceptions.BadRequestError)) as caught:
                refused(**given)
            said.append((type(caught.value), str(caught.value).split(" (request id")[0]))
        assert said[0] == said[1]
        assert said[0][0] is (exceptions.BadRequestError if "nowhere" in str(given) else exceptions.AuthenticationError)


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize("model", ["text-embedding-v9", "coder-model"])
def test_a_model_that_does_not_embed_names_those_that_do(ask: Way, studio: Emulator, model: str) -> None:
    """The list of models that chat would not help."""
    with pytest.raises(exceptions.NotFoundError, match="text-embedding-v4, text-embedding-v3") as caught:
        ask(model=f"qwen-portal/{model}")
    assert isinstance(caught.value.__cause__, QwenModelNotFoundError)


@pytest.mark.parametrize("ask", WAYS)
def test_a_plan_without_embeddings_names_the_arguments_of_this_door(ask: Way, signed_in: Emulator) -> None:
    """LiteLLM knows no ``account``; and the sign-in is not asked, whose tier may have ended."""
    signed_in.scenario("ended")
    with pytest.raises(exceptions.BadRequestError, match=r"login studio --plan studio-intl.* qwen_account='studio'"):
        ask()
    assert asked(signed_in) == []


@pytest.mark.parametrize("ask", WAYS)
def test_litellm_repeats_and_the_core_does_not_on_top(ask: Way, studio: Emulator) -> None:
    """``max_retries`` of the call is the core's, for embeddings as for chats."""
    studio.scenario("error-500", where="embeddings")
    with pytest.raises(exceptions.InternalServerError):
        ask(max_retries=0)
    assert len(asked(studio)) == 1


@pytest.mark.parametrize("ask", WAYS)
def test_a_key_shows_in_no_record_and_no_error(ask: Way, studio: Emulator) -> None:
    """Callbacks are told the texts, once, and where they went."""
    told: list[Any] = []

    class Listener(CustomLogger):
        """Keeps what it is told."""

        def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
            told.append((model, messages, dict(kwargs)))

    litellm.callbacks = [Listener()]
    own: dict[str, Any] = {"api_key": KEY, "api_base": f"{studio.url}/v1", "max_retries": 0}
    ask(("Hello",), **own)
    finish_logging()
    ((model, texts, record),) = told
    assert model == "text-embedding-v4"
    assert "Hello" in str(texts)
    assert record["litellm_params"]["api_base"] == f"{studio.url}/v1/embeddings"
    studio.scenario("error-500", where="embeddings")
    with pytest.raises(exceptions.InternalServerError) as caught:
        ask(("Hello",), **own)
    assert_none_in(str(caught.value))
    for link in (caught.value, caught.value.__cause__):
        assert_none_in(f"{link} {link!r} {vars(link)}")


def test_a_router_embeds_by_account_and_goes_on_to_the_next_deployment(studio: Emulator) -> None:
    """A spent quota is the next deployment's call."""
    keep_key(studio, "spent", key="sk-spent")
    studio.scenario("quota", times=1, where="embeddings")
    router = Router(
        model_list=[
            {"model_name": "first", "litellm_params": {"model": MODEL, "qwen_account": "spent", "dimensions": 128}},
            {"model_name": "second", "litellm_params": {"model": MODEL, "qwen_account": "studio"}},
        ],
        fallbacks=[{"first": ["second"]}],
        num_retries=0,
    )
    response: Any = router.embedding(model="first", input=["Hello"])
    assert len(response.data[0]["embedding"]) == 1024
    aresponse: Any = run(lambda: router.aembedding(model="second", input=["Hello"], dimensions=64))
    assert len(aresponse.data[0]["embedding"]) == 64


def test_the_models_are_registered_with_their_limits() -> None:
    """Each of the catalogue, as a model that embeds."""
    for row in EMBEDDING_MODELS.values():
        info: Any = litellm.get_model_info(f"qwen-portal/{row.id}")
        assert info["mode"] == "embedding"
        assert info["max_input_tokens"] == row.tokens
        assert info["output_vector_size"] == row.dimensions[0]


@pytest.mark.parametrize("ask", WAYS)
def test_a_provider_that_was_forgotten_is_registered_by_the_call(
    ask: Way, studio: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What assigns LiteLLM's list, as a proxy does that reloads its configuration, costs no embedding."""
    monkeypatch.setattr(litellm, "custom_provider_map", [])
    assert len(ask().data) == 1


def test_other_providers_are_left_alone() -> None:
    """The wrapper passes on what is not ours."""
    seen: list[Any] = []
    wrapped = shims._allow_embedding(lambda **given: seen.append(given), register=lambda: pytest.fail("registered"))
    wrapped(model="x", custom_llm_provider="openai", dimensions=64)
    assert seen == [{"model": "x", "custom_llm_provider": "openai", "dimensions": 64}]


@pytest.mark.usefixtures("unmeasured")
def test_without_the_wrappers_dimensions_go_through_extra_body(studio: Emulator) -> None:
    """LiteLLM refuses the parameter for custom providers; what it does not read it hands on."""
    code = f"""
import litellm, litellm_qwen_portal
try:
    litellm.embedding(model={MODEL!r}, input=["Hello"], dimensions=64)
except litellm.exceptions.UnsupportedParamsError:
    found = litellm.embedding(model={MODEL!r}, input=["Hello"], extra_body={{"dimensions": 64}})
    print(len(found.data[0]["embedding"]))
"""
    environment = {**os.environ, "LITELLM_QWEN_PORTAL_SHIMS": "0"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["64"]
