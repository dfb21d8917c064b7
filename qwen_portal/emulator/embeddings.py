"""The embeddings endpoint: who may call it, what it refuses, and vectors that are alike where texts are.

A vector counts the words of a text and the pieces of them, hashed; so the same text always has the same vector, and
texts that share words, or parts of words, have vectors close to each other. Meaning it knows none.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from qwen_portal.emulator import tokens
from qwen_portal.emulator.chat import authenticate
from qwen_portal.emulator.faults import quota_spent
from qwen_portal.emulator.state import LogEntry, State
from qwen_portal.emulator.wire import ALGO, Refusal, gateway_headers, invalid_parameter, json_answer, new_request_id

_FIELDS = {"model", "input", "dimensions", "encoding_format"}
_PIECE = 3


@dataclass(frozen=True)
class _Model:
    """One model.

    Attributes:
        default: Length of the vectors if the request names none.
        dimensions: Lengths that a request may name; none where the wish is not heard.
        rows: Texts in a request at most.
        row_tokens: Tokens of one text at most.
    """

    default: int
    dimensions: frozenset[int]
    rows: int
    row_tokens: int


# docs/protocol.md, Embeddings.
_MODELS = {
    "text-embedding-v4": _Model(1024, frozenset({64, 128, 256, 512, 768, 1024, 1536, 2048}), 10, 8192),
    "text-embedding-v3": _Model(1024, frozenset({64, 128, 256, 512, 768, 1024}), 10, 8192),
    "text-embedding-v2": _Model(1536, frozenset(), 25, 2048),
}


def embeddings(state: State, entry: LogEntry) -> Response:
    """POST …/embeddings."""
    bearer = entry.headers.get("authorization", "").partition(" ")[2]
    if not bearer.startswith("sk-"):
        # nobody has seen the portal answer this path
        return Response(b"", 404)
    try:
        answer = _answer(state, entry)
    except Refusal as refusal:
        return refusal.response(state.clock.now())
    return json_answer(answer, headers=gateway_headers(answer["id"], state.clock.now()))


def _answer(state: State, entry: LogEntry) -> dict[str, Any]:
    grant = authenticate(state, entry)
    if state.hits("quota", entry) or not state.use_quota(grant, None):
        raise quota_spent()
    if state.hits("quota-403", entry):
        raise quota_spent(403)
    body = entry.body
    if not isinstance(body, dict):
        raise invalid_parameter("the body must be a JSON object")
    name = body.get("model")
    model = _MODELS.get(name) if isinstance(name, str) else None
    if model is None:
        raise invalid_parameter(f"model `{name}` is not supported.")
    texts = _texts(body, model)
    length = _length(body, model)
    counted = sum(len(tokens.split(text)) for text in texts)
    return {
        "data": [
            {"embedding": vector(text, length), "index": place, "object": "embedding"}
            for place, text in enumerate(texts)
        ],
        "model": name,
        "object": "list",
        "usage": {"prompt_tokens": counted, "total_tokens": counted},
        "id": new_request_id(),
    }


def _refusal(message: str) -> Refusal:
    # this endpoint's errors have the code of DashScope's own API
    return Refusal(400, "InvalidParameter", f"{ALGO}{message}", kind="InvalidParameter")


def _texts(body: Mapping[str, Any], model: _Model) -> list[str]:
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise _refusal("Value error, contents is neither str nor list of str.: input.contents")
    if len(texts) > model.rows:
        raise _refusal(
            f"Value error, batch size is invalid, it should not be larger than {model.rows}.: input.contents"
        )
    if not all(0 < len(tokens.split(text)) <= model.row_tokens for text in texts):
        raise _refusal(f"Range of input length should be [1, {model.row_tokens}]")
    return texts


def _length(body: Mapping[str, Any], model: _Model) -> int:
    if unknown := sorted(set(body) - _FIELDS):
        raise _refusal(f"unknown field {', '.join(unknown)}")
    # base64 is what OpenAI's SDK asks for by itself; numbers come all the same
    if body.get("encoding_format", "float") not in ("float", "base64"):
        raise _refusal("encoding_format must be float or base64")
    wanted = body.get("dimensions")
    if wanted is None or not model.dimensions:
        return model.default
    if isinstance(wanted, bool) or wanted not in model.dimensions:
        raise _refusal(f"Value error, dimension should be one of {sorted(model.dimensions)}.: parameters.dimension")
    return int(wanted)


def vector(text: str, length: int) -> list[float]:
    """The vector of a text, of length 1."""
    counts = [0.0] * length
    for piece in _pieces(text.lower()):
        digest = hashlib.blake2b(piece.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        counts[int.from_bytes(digest[:7]) % length] += 1.0 if digest[7] % 2 else -1.0
    size = math.sqrt(sum(count * count for count in counts))
    # pieces that cancel each other out leave nothing to divide
    return [count / size for count in counts] if size else [1.0, *counts[1:]]


def _pieces(text: str) -> Iterator[str]:
    for word in re.findall(r"\w+", text) or [text]:
        marked = f"<{word}>"
        yield marked
        for start in range(len(marked) - _PIECE + 1):
            yield marked[start : start + _PIECE]
