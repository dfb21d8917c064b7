"""Embeddings by the core's client: what is sent, what comes back, what is refused, in both ways."""

import json
import math
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from qwen_portal import PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.errors import (
    QwenBadRequestError,
    QwenContextLengthError,
    QwenError,
    QwenModelNotFoundError,
    QwenQuotaExceededError,
    QwenServerError,
    QwenTokenNotAvailableError,
)
from qwen_portal.service.embeddings import EMBEDDING_MODELS
from qwen_portal.service.plans import PLANS, find_plan
from tests.embeddings.ways import KEY, WAYS, Way, asked, keep_key
from tests.login_never_lost.accounts import end_token
from tests.quotas import KEYS, SPENT, keep_keys, keys_of
from tests.scripted import Handler, answering


@pytest.fixture
def studio(emulator: Emulator) -> Emulator:
    """Keep a key of a plan that has embeddings."""
    keep_key(emulator)
    return emulator


def vectors(texts: list[str], *, reverse: bool = False) -> dict[str, Any]:
    """Make an answer whose vectors are the texts' own numbers."""
    rows = [
        {"object": "embedding", "index": place, "embedding": [float(text), 0.5]} for place, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return {"object": "list", "data": rows[::-1] if reverse else rows, "model": "text-embedding-v4", "usage": usage}


def product(one: list[float], other: list[float]) -> float:
    """Return the inner product of two vectors."""
    return sum(a * b for a, b in zip(one, other, strict=True))


def answer_with(change: Callable[[dict[str, Any]], Any]) -> Handler:
    """Answer as the service does, but for a change."""

    def answer(request: httpx.Request) -> httpx.Response:
        body = vectors(json.loads(request.content)["input"])
        change(body)
        return httpx.Response(200, json=body)

    return answer


@pytest.mark.parametrize("embed", WAYS)
def test_each_text_gets_its_vector(embed: Way, studio: Emulator) -> None:
    """One request, of text alone, in OpenAI's shape; the vectors are the model's own length."""
    found = embed(["Hello", "你好", "Hello"])
    assert [len(vector) for vector in found] == [1024] * 3
    assert found[0] == found[2] != found[1]
    (request,) = asked(studio)
    assert request.body == {
        "model": "text-embedding-v4",
        "input": ["Hello", "你好", "Hello"],
        "encoding_format": "float",
    }
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-dashscope-useragent"].startswith("qwen-portal/")
    assert "x-dashscope-authtype" not in request.headers


@pytest.mark.parametrize("embed", WAYS)
@pytest.mark.parametrize(
    ("model", "sizes"),
    [("text-embedding-v4", [10, 10, 3]), ("text-embedding-v3", [10, 10, 3]), ("text-embedding-v2", [23])],
)
def test_many_texts_are_split_by_what_the_model_takes_and_keep_their_order(
    embed: Way, studio: Emulator, model: str, sizes: list[int]
) -> None:
    """The service refuses an eleventh text; whoever has more does not notice."""
    texts = [f"Text number {n}" for n in range(23)]
    found = embed(texts, model=f"qwen-portal/{model}")
    assert [len(request.body["input"]) for request in asked(studio)] == sizes
    assert [text for request in asked(studio) for text in request.body["input"]] == texts
    assert found == [embed([text], model=model)[0] for text in texts]


@pytest.mark.parametrize("embed", WAYS)
def test_no_texts_are_no_request(embed: Way, studio: Emulator) -> None:
    """An empty list has an empty list of vectors."""
    assert embed([]) == []
    assert studio.log() == []


@pytest.mark.parametrize("embed", WAYS)
@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ("Hello", "one str, not a list"),
        ({"Hello": 1}, "one dict, not a list"),
        (None, "one NoneType, not a list"),
        (["Hello", ""], "Text 2 of 2 is empty"),
        ([[15496, 11]], "Text 1 of 1 is a list, not text"),
        (["Hello"] * 10 + [15496], "Text 11 of 11 is a int, not text"),
        ([None], "not text"),
    ],
)
def test_what_is_no_text_is_refused_before_anything_is_sent(
    embed: Way, studio: Emulator, texts: Any, says: str
) -> None:
    """Token ids and empty texts are told by their place, before the first ten are paid for."""
    with pytest.raises(QwenBadRequestError, match=says):
        embed(texts)
    assert studio.log() == []


@pytest.mark.parametrize("embed", WAYS)
@pytest.mark.parametrize("row", EMBEDDING_MODELS.values(), ids=EMBEDDING_MODELS)
def test_each_length_of_vectors_is_had_or_refused_with_the_choices(embed: Way, studio: Emulator, row: Any) -> None:
    """What the model makes is sent; another length is refused here, and the error names the choices."""
    for dimensions in row.dimensions:
        assert [len(vector) for vector in embed(["Hello"], model=row.id, dimensions=dimensions)] == [dimensions]
    sent = len(asked(studio))
    with pytest.raises(QwenBadRequestError, match="makes no vectors of 1000 dimensions") as caught:
        embed(["Hello"], model=row.id, dimensions=1000)
    assert all(str(dimensions) in caught.value.hint for dimensions in row.dimensions)
    assert len(asked(studio)) == sent == len(row.dimensions)


@pytest.mark.parametrize("wrong", [0, -1, True, 512.0, "512"])
def test_a_length_is_a_whole_number(studio: Emulator, wrong: Any) -> None:
    """Whatever the model."""
    for model in ("text-embedding-v4", "another-model"):
        with pytest.raises(QwenBadRequestError, match="dimensions is"):
            PortalClient().embed(["Hello"], model=model, dimensions=wrong)
    assert studio.log() == []


@pytest.mark.parametrize("embed", WAYS)
@pytest.mark.parametrize("plan", [*PLANS, "studio:ws-1@eu-central-1"])
def test_a_plan_without_embeddings_says_where_they_are(embed: Way, plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is made; where the plan has them, it goes to the plan's own address."""
    row = find_plan(plan)
    client = {"api_key": f"{row.keys[0] if row.keys else 'sk-'}x", "plan": plan}
    with answering(answer_with(lambda _: None), monkeypatch) as requests:
        if row.embeddings:
            assert embed(["1"], client=client) == [[1.0, 0.5]]
            assert [str(request.url) for request in requests] == [f"{row.base_url}/embeddings"]
        elif not row.is_oauth:
            with pytest.raises(QwenModelNotFoundError, match=f"plan '{plan}' has no embeddings") as caught:
                embed(["1"], client=client)
            assert "--plan studio-intl" in caught.value.hint
            assert requests == []


@pytest.mark.parametrize("embed", WAYS)
def test_the_portal_has_none_whatever_its_sign_in_is_worth(embed: Way, signed_in: Emulator) -> None:
    """A token whose time is over is not renewed for what the portal does not have."""
    end_token()
    with pytest.raises(QwenModelNotFoundError, match="plan 'oauth' has no embeddings"):
        embed(["Hello"])
    assert signed_in.log() == []


def test_an_address_of_the_users_own_is_tried(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of it, so it is asked; the emulated portal has no such path."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{signed_in.url}/v1")
    with pytest.raises(QwenModelNotFoundError, match="HTTP 404"):
        PortalClient().embed(["Hello"])
    assert [request.path for request in asked(signed_in)] == ["/v1/embeddings"]


def test_nobody_signed_in_is_said_first() -> None:
    """The command that helps is the one for signing in."""
    with pytest.raises(QwenTokenNotAvailableError):
        PortalClient().embed(["Hello"])


@pytest.mark.parametrize("embed", WAYS)
def test_vectors_are_those_of_their_indices(embed: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer in another order is put in order; one without indices is in order."""
    keep_keys("first")
    orders: list[Callable[[dict[str, Any]], Any]] = [
        lambda body: body["data"].reverse(),
        lambda body: [row.pop("index") for row in body["data"]],
    ]
    for change in orders:
        with answering(answer_with(change), monkeypatch):
            assert embed(["1", "2", "3"]) == [[1.0, 0.5], [2.0, 0.5], [3.0, 0.5]]


@pytest.mark.parametrize("embed", WAYS)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda body: body["data"].pop(), "2 vectors for 3 texts"),
        (lambda body: body["data"].append(body["data"][0]), "4 vectors for 3 texts"),
        (lambda body: body["data"][1].update(index=0), "cannot be told apart"),
        (lambda body: body["data"][1].update(index=3), "cannot be told apart"),
        (lambda body: body["data"][1].pop("index"), "cannot be told apart"),
        (lambda body: body["data"][1].update(embedding=[1.0]), "vectors of 1 and 2 dimensions in one answer"),
        (lambda body: body["data"][1].update(embedding=[]), "HTTP 200"),
        (lambda body: body["data"][1].update(embedding=[1.0, None]), "HTTP 200"),
        (lambda body: body["data"][1].update(embedding=[1.0, True]), "HTTP 200"),
        (lambda body: body["data"][1].update(embedding=[1.0, 10**400]), "HTTP 200"),
        (lambda body: body["data"][1].update(embedding="AACAPwAAAD8="), "HTTP 200"),
        (lambda body: body["data"][1].update(index="second"), "HTTP 200"),
        (lambda body: body.update(data=[]), "HTTP 200"),
        (lambda body: body.update(data=[5, 5, 5]), "HTTP 200"),
        (lambda body: body.pop("data"), "HTTP 200"),
        (lambda body: body.update(usage=5), "HTTP 200"),
    ],
)
def test_an_answer_that_is_not_one_vector_a_text_is_refused_and_not_asked_for_again(
    embed: Way, change: Any, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong vector would be kept for years; and what came was counted already."""
    keep_keys("first")
    with answering(answer_with(change), monkeypatch) as requests:
        with pytest.raises(QwenServerError, match=says):
            embed(["1", "2", "3"])
        assert len(requests) == 1


def test_a_number_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's JSON reads NaN, and a store of vectors would compare with it."""
    keep_keys("first")
    text = '{"data": [{"index": 0, "embedding": [1.0, NaN]}]}'
    with answering(lambda _: httpx.Response(200, text=text), monkeypatch), pytest.raises(QwenServerError):
        PortalClient().embed(["1"])


def test_vectors_of_another_length_than_was_asked_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not know the wish ignores it, and the store would fail far from here."""
    keep_keys("first")
    with (
        answering(answer_with(lambda _: None), monkeypatch),
        pytest.raises(QwenServerError, match="vectors of 2 dimensions where 512 were asked for"),
    ):
        PortalClient().embed(["1"], dimensions=512)


def test_whole_numbers_are_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON of other languages writes 1 for 1.0."""
    keep_keys("first")
    with answering(answer_with(lambda body: body["data"][0].update(embedding=[1, -2])), monkeypatch):
        (vector,) = PortalClient().embed(["1"])
    assert vector == [1.0, -2.0]
    assert {type(number) for number in vector} == {float}


def test_a_stream_is_no_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is in it, it does not pass for vectors."""
    keep_keys("first")
    frame = 'data: {"choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    stream = httpx.Response(200, text=frame, headers={"content-type": "text/event-stream"})
    with answering(lambda _: stream, monkeypatch), pytest.raises(QwenServerError):
        PortalClient().embed(["1"])


@pytest.mark.parametrize("embed", WAYS)
def test_a_request_that_failed_in_passing_is_repeated(
    embed: Way, studio: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a chat is."""
    monkeypatch.setattr("qwen_portal.http.retry._FIRST", 0.001)
    studio.scenario("error-500", times=1, where="embeddings")
    assert len(embed(["Hello"])) == 1
    assert [request.status for request in asked(studio)] == [500, 200]


@pytest.mark.parametrize("embed", WAYS)
def test_a_spent_quota_goes_on_to_the_next_account_in_the_middle_of_the_texts(
    embed: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has come is kept; the rest comes from the next account, and the cool-down is noted."""
    keep_keys("first", "second")

    def answer(request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["input"]
        spent = keys_of([request]) == ["first"] and "10" in texts
        return httpx.Response(429, json=SPENT) if spent else httpx.Response(200, json=vectors(texts))

    with answering(answer, monkeypatch) as requests:
        found = embed([str(n) for n in range(30)])
    assert [vector[0] for vector in found] == [float(n) for n in range(30)]
    assert keys_of(requests) == ["first", "first", "second", "second"]


@pytest.mark.parametrize("embed", WAYS)
def test_nothing_else_than_an_account_answers_for_embeddings(embed: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shorter answer and the qwen command, which are for conversations, are not tried."""
    keep_keys("first")
    monkeypatch.setenv("QWEN_PORTAL_ON_QUOTA", "switch,degrade,cli")
    monkeypatch.setattr("qwen_portal.quota.qwen_cli.can_answer", lambda *_: pytest.fail("the command was thought of"))
    with answering(lambda _: httpx.Response(429, json=SPENT), monkeypatch) as requests:
        with pytest.raises(QwenQuotaExceededError):
            embed(["Hello"])
        assert keys_of(requests) == ["first"]


@pytest.mark.parametrize("embed", WAYS)
def test_a_model_that_takes_fewer_texts_is_named_with_its_limit(embed: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is not known here gets ten; the service's own number is in the error."""
    keep_keys("first")
    words = (
        "<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, it should not be larger than "
    )
    error = {"message": f"{words}6.: input.contents", "type": "InvalidParameter", "code": "InvalidParameter"}
    with answering(lambda _: httpx.Response(400, json={"error": error}), monkeypatch) as requests:
        with pytest.raises(QwenBadRequestError, match="not be larger than 6") as caught:
            embed([str(n) for n in range(12)], model="another-model")
        assert len(json.loads(requests[0].content)["input"]) == 10
    assert "another-model takes at most 6 texts a request" in caught.value.hint


@pytest.mark.parametrize("embed", WAYS)
def test_a_text_that_is_too_long_is_named_with_the_limit(embed: Way, studio: Emulator) -> None:
    """The service refuses it, and the hint says what a text may have."""
    with pytest.raises(QwenContextLengthError, match=r"\[1, 8192\]") as caught:
        embed(["word " * 9_000])
    assert "8,192 tokens a text" in caught.value.hint


def test_the_usage_is_that_of_all_requests(studio: Emulator) -> None:
    """In the shape of OpenAI's answers, the indices those of the texts."""
    client = PortalClient()
    answer = client.embeddings([f"word {n}" for n in range(12)], dimensions=64)
    assert [row["index"] for row in answer["data"]] == list(range(12))
    assert {row["object"] for row in answer["data"]} == {"embedding"}
    assert answer["usage"] == {"prompt_tokens": 24, "total_tokens": 24}
    assert (answer["object"], answer["model"]) == ("list", "text-embedding-v4")
    assert client.embeddings([])["usage"] == {"prompt_tokens": 0, "total_tokens": 0}


def test_further_fields_and_headers_are_sent_but_decide_nothing(studio: Emulator) -> None:
    """What makes the request one for these texts stays what it is."""
    body = {"model": "x", "input": "y", "encoding_format": "base64", "dimensions": 64}
    answer = PortalClient().embeddings(["Hello"], dimensions=128, extra_body=body, extra_headers={"x-trace": "1"})
    assert len(answer["data"][0]["embedding"]) == 128
    (request,) = asked(studio)
    assert request.body["input"] == ["Hello"]
    assert request.headers["x-trace"] == "1"
    with pytest.raises(QwenBadRequestError, match="host"):
        PortalClient().embeddings(["Hello"], extra_headers={"host": "example.com"})


def test_like_texts_have_like_vectors(studio: Emulator) -> None:
    """The emulator's, so that an example finds what it looks for."""
    question, near, far = PortalClient().embed(
        ["Where do I renew my passport?", "A passport is renewed at the town hall.", "Bake the bread for an hour."]
    )
    assert product(question, near) > 2 * product(question, far)
    assert math.isclose(product(near, near), 1)


@pytest.mark.parametrize("embed", WAYS)
def test_half_a_character_is_said_before_anything_is_sent(embed: Way, studio: Emulator) -> None:
    """A text that was cut in the middle of an emoji is no text that JSON can say."""
    with pytest.raises(QwenError, match="half a character"):
        embed(["\ud83d"])
    assert asked(studio) == []


def test_the_keys_of_the_script_are_of_a_plan_that_has_embeddings() -> None:
    """Otherwise the tests above would pass for another reason."""
    assert PLANS["studio"].embeddings
    assert KEYS
