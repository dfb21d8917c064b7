"""The emulated embeddings endpoint: the wire's shapes, what it refuses, and vectors that are alike where texts are."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from qwen_portal.emulator.embeddings import vector

if TYPE_CHECKING:
    from .conftest import Person

ALGO = "<400> InternalError.Algo.InvalidParameter: "
LENGTHS = [64, 128, 256, 512, 768, 1024, 1536, 2048]


def ask(person: "Person", path: str = "/compatible-mode/v1", key: str = "sk-studio", **body: Any) -> httpx.Response:
    """Ask for embeddings, by default for one of one text."""
    return person.http.post(
        f"{path}/embeddings",
        headers={"authorization": f"Bearer {key}"},
        json={"model": "text-embedding-v4", "input": "Hello", "encoding_format": "float"} | body,
    )


@pytest.mark.parametrize("path", ["/v1", "/compatible-mode/v1"])
def test_a_key_gets_a_vector_for_each_text(person: "Person", path: str) -> None:
    """In the shape of the vendor's example."""
    answer = ask(person, path, input=["Hello there", "Bye"])
    body = answer.json()
    assert list(body) == ["data", "model", "object", "usage", "id"]
    assert [list(row) for row in body["data"]] == [["embedding", "index", "object"]] * 2
    assert [row["index"] for row in body["data"]] == [0, 1]
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert body["id"] == answer.headers["x-request-id"]
    assert len(body["data"][0]["embedding"]) == 1024


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"input": ["x"] * 11},
            f"{ALGO}Value error, batch size is invalid, it should not be larger than 10.: input.contents",
        ),
        ({"input": [[15496, 11]]}, f"{ALGO}Value error, contents is neither str nor list of str.: input.contents"),
        ({"input": [15496, 11]}, f"{ALGO}Value error, contents is neither str nor list of str.: input.contents"),
        ({"input": []}, f"{ALGO}Value error, contents is neither str nor list of str.: input.contents"),
        ({"input": ""}, f"{ALGO}Range of input length should be [1, 8192]"),
        ({"input": ["x", ""]}, f"{ALGO}Range of input length should be [1, 8192]"),
        ({"input": "x " * 8_193}, f"{ALGO}Range of input length should be [1, 8192]"),
        ({"input": "x " * 2_049, "model": "text-embedding-v2"}, f"{ALGO}Range of input length should be [1, 2048]"),
        ({"dimensions": 1000}, f"{ALGO}Value error, dimension should be one of {LENGTHS}.: parameters.dimension"),
        ({"encoding_format": "hex"}, f"{ALGO}encoding_format must be float or base64"),
        ({"user": "me"}, f"{ALGO}unknown field user"),
        ({"model": "coder-model"}, "model `coder-model` is not supported."),
        ({"model": None}, "model `None` is not supported."),
    ],
)
def test_a_bad_request_is_refused_in_the_services_words(
    person: "Person", changes: dict[str, Any], message: str
) -> None:
    """Status 400, DashScope's own code."""
    answer = ask(person, **changes)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message


def test_the_second_model_takes_more_texts_and_hears_no_wish_for_a_length(person: "Person") -> None:
    """25 texts, and 1,536 numbers whatever was asked for."""
    data = ask(person, model="text-embedding-v2", input=["x"] * 25, dimensions=64).json()["data"]
    assert [len(row["embedding"]) for row in data] == [1536] * 25
    assert ask(person, model="text-embedding-v2", input=["x"] * 26).status_code == 400


def test_a_sign_in_finds_no_such_path(member: "Person") -> None:
    """Nobody has seen the portal answer it."""
    answer = ask(member, "/v1", key=member.bearer)
    assert (answer.status_code, answer.content) == (404, b"")


def test_a_bad_key_is_refused_and_a_quota_counts_embeddings_too(person: "Person") -> None:
    """As for chats."""
    assert ask(person, key="sk-bad").status_code == 401
    person.emulator.set_quota(1)
    assert ask(person).status_code == 200
    assert ask(person).json()["error"]["code"] == "insufficient_quota"
    person.emulator.set_quota(None)
    person.emulator.scenario("quota-403", times=1, where="embeddings")
    assert [ask(person).status_code for _ in range(2)] == [403, 200]


def test_vectors_are_the_same_every_day_and_alike_where_texts_are() -> None:
    """Words count, and parts of words; the length is 1."""

    def likeness(one: str, other: str) -> float:
        return sum(a * b for a, b in zip(vector(one, 512), vector(other, 512), strict=True))

    assert vector("Hello", 8) == vector("hello", 8)
    assert [round(number, 3) for number in vector("Hello", 4)] == [0.816, 0.408, 0.408, 0.0]
    assert likeness("the red house", "red houses") > 0.5
    assert likeness("the red house", "ein blaues Boot") < 0.2
    assert abs(likeness("?!", "?!") - 1) < 1e-9
    assert abs(likeness(" ", " ") - 1) < 1e-9
