"""Random JSON of the shape of an answer with vectors: one vector for each text, or an error of ours."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qwen_portal.answers.embeddings import joined, read_embeddings
from qwen_portal.answers.fields import UnreadableError
from qwen_portal.errors import QwenServerError
from tests.any_json import TRIED

_PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 3), st.floats(), st.just(10**400), st.sampled_from(["", "1", "x"])
)
_NUMBERS = st.lists(st.floats(-1, 1), min_size=2, max_size=2)


def _or_anything(meant: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    # most of it is meant, so that the odd field is often the only one
    odd = st.one_of(_PLAIN, st.lists(_PLAIN, max_size=3), st.dictionaries(st.just("index"), _PLAIN))
    return st.integers(0, 20).flatmap(lambda draw: odd if draw == 0 else meant)


def _object(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({name: _or_anything(field) for name, field in fields.items()})


def _rows(order: list[int]) -> st.SearchStrategy[Any]:
    return st.tuples(*(_object(index=st.just(place), embedding=_NUMBERS) for place in order)).map(list)


_COUNTS = _object(prompt_tokens=st.integers(0, 9), total_tokens=st.integers(0, 9))
_ANSWERS = _object(data=st.permutations([0, 1]).flatmap(_rows), usage=_COUNTS, model=st.just("text-embedding-v4"))


def test_an_answer_has_a_vector_for_each_text_or_is_a_typed_error() -> None:
    """Whatever else is in it; and most of the made-up ones with both vectors pass."""
    read = 0

    @TRIED
    @given(_ANSWERS)
    def take(body: dict[str, Any]) -> None:
        nonlocal read
        try:
            answer = joined([read_embeddings(body, texts=2, dimensions=2)], model="text-embedding-v4")
        except (UnreadableError, QwenServerError):
            return
        read += 1
        assert [row["index"] for row in answer["data"]] == [0, 1]
        vectors = [row["embedding"] for row in answer["data"]]
        assert [len(vector) for vector in vectors] == [2, 2]
        assert all(type(number) is float and math.isfinite(number) for vector in vectors for number in vector)
        assert all(type(count) is int for count in answer["usage"].values())

    take()
    assert read > 100
