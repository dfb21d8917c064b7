"""Answers to requests for embeddings: one vector for each text, in the order of the texts.

Source: docs/protocol.md, "Embeddings".
"""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from qwen_portal.answers.fields import UnreadableError, entries, index_of, known_fields, record, usage_of
from qwen_portal.errors import QwenServerError

Answer = dict[str, Any]
_OK = 200


def read_embeddings(body: Answer, *, texts: int, dimensions: int | None) -> Answer:
    """Return an answer in OpenAI's shape, its vectors in the order of the texts.

    Args:
        body: As it came.
        texts: How many were sent.
        dimensions: The length of vectors that was asked for, if any.

    Raises:
        UnreadableError: It is no such answer.
        QwenServerError: Its vectors are not those of the texts.
    """
    rows = [record(row, "an embedding") for row in entries(body.get("data"), "data")]
    if not rows:
        raise UnreadableError("data", body.get("data"))
    vectors = dict(zip(_places(rows, texts), (_vector(row.get("embedding")) for row in rows), strict=True))
    _check_lengths({len(vector) for vector in vectors.values()}, dimensions)
    answer = known_fields(body, without={"data", "usage"})
    answer["data"] = [{"object": "embedding", "index": place, "embedding": vectors[place]} for place in range(texts)]
    usage = usage_of(body.get("usage"))
    return answer if usage is None else {**answer, "usage": usage}


def joined(answers: Iterable[Answer], *, model: str) -> Answer:
    """Return the answers to the parts of one list of texts as one.

    Args:
        answers: As :func:`read_embeddings` returns them, in the order of the parts.
        model: What was asked for, in case no answer says.

    Returns:
        ``object``, ``data``, ``model`` and ``usage``, as in OpenAI's answers.
    """
    whole: Answer = {"object": "list", "data": [], "model": model}
    counted: Counter[str] = Counter(prompt_tokens=0, total_tokens=0)
    for answer in answers:
        whole["model"] = answer.get("model", model)
        whole["data"] += [{**row, "index": place} for place, row in enumerate(answer["data"], len(whole["data"]))]
        counted.update({name: count for name, count in answer.get("usage", {}).items() if isinstance(count, int)})
    return {**whole, "usage": dict(counted)}


def _places(rows: list[Answer], texts: int) -> list[int]:
    """Return which text each vector is of; where none says, they are in order."""
    if len(rows) != texts:
        raise _wrong(f"{len(rows)} vectors for {texts} texts")
    named = [index_of(row.get("index")) for row in rows]
    if all(place is None for place in named):
        return list(range(texts))
    places = [place for place in named if place is not None]
    if sorted(places) != list(range(texts)):
        raise _wrong("vectors that cannot be told apart: their indices are not those of the texts")
    return places


def _vector(value: object) -> list[float]:
    numbers = entries(value, "an embedding")
    if not numbers or not all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers):
        raise UnreadableError("an embedding", value)
    try:
        vector = [float(each) for each in numbers]
    except OverflowError:
        raise UnreadableError("an embedding", value) from None
    if not all(map(math.isfinite, vector)):
        raise UnreadableError("an embedding", value)
    return vector


def _check_lengths(lengths: set[int], dimensions: int | None) -> None:
    found = " and ".join(map(str, sorted(lengths)))
    if dimensions is not None and lengths != {dimensions}:
        raise _wrong(f"vectors of {found} dimensions where {dimensions} were asked for")
    if len(lengths) > 1:
        raise _wrong(f"vectors of {found} dimensions in one answer")


def _wrong(what: str) -> QwenServerError:
    # with its status: what was answered was counted, and asking again would be counted again
    return QwenServerError(f"The service answered with {what}.", hint="Nothing of it is used; try again.", status=_OK)
