"""JSON of the shape of an answer, with fields missing, null or of another type: what hypothesis sends to every door."""

import json
from typing import Any

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.reported import SSE, framed

# How often CI tries each door, whole and streamed together.
EXAMPLES = 1_000
TRIED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

_TEXTS = st.sampled_from(
    ["", "4", "stop", "assistant", "null", '{"a": 1}', '"x"', "[1]", "error", "\ud83d", "\ude00", "é"]
)
_PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.floats(width=16), _TEXTS, st.just(10**30))
_ANYTHING = st.one_of(
    _PLAIN,
    st.lists(_PLAIN, max_size=2),
    st.dictionaries(st.sampled_from(["a", "content", "text", "name"]), _PLAIN, max_size=2),
)


def _or_anything(meant: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    # most of it is meant, so that the odd field is often the only one
    return st.integers(0, 30).flatmap(lambda draw: _ANYTHING if draw == 0 else meant)


def _object(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    optional = {name: _or_anything(field) for name, field in fields.items()}
    return _or_anything(st.fixed_dictionaries({}, optional=optional))


_COUNTS = st.integers(0, 9)
_CALL = _object(
    index=st.integers(0, 2),
    id=_TEXTS,
    type=st.just("function"),
    function=_object(name=st.sampled_from(["add", "get_", "weather"]), arguments=_TEXTS),
)
_LOGPROB = _object(token=_TEXTS, logprob=st.just(-0.5), bytes=st.lists(_COUNTS, max_size=1), top_logprobs=st.just([]))
_MESSAGE = _object(
    role=st.just("assistant"),
    content=_TEXTS,
    reasoning_content=_TEXTS,
    refusal=st.none(),
    name=_TEXTS,
    id=_TEXTS,
    tool_calls=st.lists(_CALL, max_size=3),
    function_call=_object(name=_TEXTS, arguments=_TEXTS),
    audio=st.none(),
    annotations=st.just([]),
)
_CHOICE = {
    "index": _COUNTS,
    "finish_reason": st.sampled_from(["stop", "length", "tool_calls"]),
    "logprobs": _object(content=st.lists(_LOGPROB, max_size=2), refusal=st.none()),
}
_USAGE = _object(
    prompt_tokens=_COUNTS,
    completion_tokens=_COUNTS,
    total_tokens=_COUNTS,
    prompt_tokens_details=_object(cached_tokens=_COUNTS, audio_tokens=_COUNTS, cache_creation_input_tokens=_COUNTS),
    completion_tokens_details=_object(reasoning_tokens=_COUNTS),
)
_ENVELOPE = {
    "id": _TEXTS,
    "object": _TEXTS,
    "created": _COUNTS,
    "model": _TEXTS,
    "system_fingerprint": _TEXTS,
    "service_tier": st.sampled_from(["flex", "priority"]),
    "usage": _USAGE,
    "error": st.none(),
    "message": st.none(),
    "request_id": _TEXTS,
}


def _answer(**choice: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    optional = {name: _or_anything(field) for name, field in _ENVELOPE.items()}
    choices = _or_anything(st.lists(_object(**_CHOICE, **choice), min_size=1, max_size=2))
    return _or_anything(st.fixed_dictionaries({"choices": choices}, optional=optional))


_COMPLETION, _CHUNK = _answer(message=_MESSAGE), _answer(delta=_MESSAGE)


def whole_answers() -> st.SearchStrategy[httpx.Response]:
    """Answer with the shape of a completion."""
    return _COMPLETION.map(
        lambda body: httpx.Response(200, content=json.dumps(body), headers={"content-type": "application/json"})
    )


def streamed_answers() -> st.SearchStrategy[httpx.Response]:
    """Answer with the shape of a stream, that may end well."""
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return st.tuples(st.lists(_CHUNK, max_size=4), st.booleans()).map(
        lambda drawn: httpx.Response(
            200,
            content=b"".join(map(framed, drawn[0] + [finish] * drawn[1])) + b"data: [DONE]\n\n",
            headers={"content-type": SSE},
        )
    )
