"""The chat endpoint: who may call it, what it refuses, what it answers, and how the scenarios bend that."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from starlette.responses import Response

from qwen_portal.emulator import answers, keys, odd_answers, refusals, tokens
from qwen_portal.emulator.completion import Completion
from qwen_portal.emulator.faults import ERROR_STREAMS, internal_error, quota_spent
from qwen_portal.emulator.ledger import Grant
from qwen_portal.emulator.messages import Body
from qwen_portal.emulator.models import PORTAL_MODELS, Model, always_thinking, find_model
from qwen_portal.emulator.state import LogEntry, State
from qwen_portal.emulator.streaming import DONE, Break, Ending, EventStream, sse
from qwen_portal.emulator.wire import (
    Refusal,
    gateway_headers,
    invalid_parameter,
    json_answer,
    new_request_id,
)

KEYS_ONLY = "/compatible-mode/"
_BROKEN_AFTER = 4

Answer = TypeVar("Answer")


def chat(state: State, entry: LogEntry, break_connection: Break) -> Response:
    """POST …/chat/completions."""
    try:
        completion, body = _complete(state, entry)
    except Refusal as refusal:
        return refusal.response(state.clock.now())
    headers = gateway_headers(completion.request_id, state.clock.now())
    if body.get("stream") is not True or state.hits("not-sse", entry):
        answer = _changed(state, entry, odd_answers.WHOLE, completion.as_dict())
        return json_answer(answer, headers=headers)
    pieces, ending = _stream(state, entry, completion, body)
    delay = state.settings.frame_delay
    return EventStream(pieces, entry, headers, break_connection=break_connection, ending=ending, delay=delay)


def models(state: State, entry: LogEntry) -> Response:
    """GET …/models, in OpenAI's shape (its existence on the portal is unproven)."""
    if state.hits("no-model-list", entry):
        return Response(b"", 404)
    try:
        authenticate(state, entry)
    except Refusal as refusal:
        return refusal.response(state.clock.now())
    created = int(state.clock.now())
    names = keys.listed(entry.host) if _has_key(entry) else PORTAL_MODELS
    data = [{"id": name, "object": "model", "created": created, "owned_by": "qwen"} for name in names]
    return json_answer({"object": "list", "data": data}, headers=gateway_headers(new_request_id(), state.clock.now()))


def above_cap(entry: LogEntry) -> bool:
    """Whether a chat request asks for more output tokens than its model's cap."""
    body = entry.body
    model = PORTAL_MODELS.get(str(body.get("model"))) if isinstance(body, dict) else None
    return model is not None and refusals.above_cap(body, model)


def _complete(state: State, entry: LogEntry) -> tuple[Completion, Body]:
    grant = authenticate(state, entry)
    _refuse_on_purpose(state, entry)
    body = entry.body
    if not isinstance(body, dict):
        raise invalid_parameter("the body must be a JSON object")
    if not state.use_quota(grant, body.get("max_tokens")):
        raise quota_spent()
    model = _model(entry)
    refusals.check(body, model)
    prompt = tokens.count_prompt(body, state.seen_prefixes)
    if prompt.total > state.settings.input_limit:
        raise refusals.input_too_long(state.settings.input_limit)
    thinks = refusals.reasons(body, model) or state.hits("reasoning", entry)
    choices = answers.answer(body, thinks=thinks, default_output=state.settings.default_output)
    name = model.resolved if state.settings.resolved_models else model.id
    return Completion(new_request_id(), name, int(state.clock.now()), choices, prompt), body


def authenticate(state: State, entry: LogEntry) -> Grant:
    """The account behind the bearer.

    Raises:
        Refusal: 401.
    """
    scheme, _, bearer = entry.headers.get("authorization", "").partition(" ")
    dead = Refusal(401, "invalid_api_key", "invalid access token or token expired")
    if scheme.lower() != "bearer":
        raise dead
    if bearer.startswith(keys.PREFIX):
        if refused := keys.refusal(entry.host, bearer):
            raise refused
        return state.grant_of_key(bearer)
    if entry.path.startswith(KEYS_ONLY):
        raise Refusal(401, "invalid_api_key", "Incorrect API key provided.")
    token = state.ledger.live_access_token(bearer, state.clock.now())
    if token is None:
        raise dead
    entry.account = token.grant.number
    if not token.refreshed and state.hits("revoked", entry):
        token.revoked = True
        raise dead
    if state.hits("ended", entry):
        raise dead
    return token.grant


def _refuse_on_purpose(state: State, entry: LogEntry) -> None:
    if state.hits("quota", entry):
        raise quota_spent()
    if state.hits("quota-403", entry):
        raise quota_spent(403)
    if (state.settings.strict or state.hits("strict", entry)) and not _strict_enough(entry):
        raise invalid_parameter("bad request")
    if state.hits("input-range", entry):
        raise refusals.input_too_long(state.settings.input_limit)
    if state.hits("moderation", entry):
        message = "Input text data may contain inappropriate content."
        code = "data_inspection_failed"
        raise Refusal(400, code, f"<400> InternalError.Algo.DataInspectionFailed: {message}", kind=code)


def _strict_enough(entry: LogEntry) -> bool:
    # Reports disagree on whether the service also wanted the product name of its own CLI; the emulator does not, as
    # no honest client could then pass.
    headers = entry.headers
    if headers.get("x-dashscope-authtype") != "qwen-oauth" or not headers.get("x-dashscope-useragent"):
        return False
    messages = entry.body.get("messages") if isinstance(entry.body, dict) else None
    return isinstance(messages, list) and any(isinstance(m, dict) and m.get("role") == "system" for m in messages)


def _model(entry: LogEntry) -> Model:
    name = entry.body.get("model")
    model = None
    if isinstance(name, str):
        model = find_model(name, key=_has_key(entry), aliases=not entry.path.startswith(KEYS_ONLY))
    if model is None:
        raise invalid_parameter(f"model `{name}` is not supported.")
    return always_thinking(model) if keys.always_thinks(entry.host, model.id) else model


def _has_key(entry: LogEntry) -> bool:
    return entry.headers.get("authorization", "").partition(" ")[2].startswith(keys.PREFIX)


def _changed(
    state: State, entry: LogEntry, changes: Mapping[str, Callable[[Answer], Answer]], answer: Answer
) -> Answer:
    """The answer as the scenarios that are on make it."""
    for name, change in changes.items():
        if state.hits(name, entry):
            answer = change(answer)
    return answer


def _stream(
    state: State,
    entry: LogEntry,
    completion: Completion,
    body: Body,
) -> tuple[Iterator[bytes], Ending]:
    for name, whole_body in ERROR_STREAMS.items():
        if state.hits(name, entry):
            return iter([whole_body(completion.request_id)]), Ending.CLEAN
    include_usage = (body.get("stream_options") or {}).get("include_usage") is True
    together = state.hits("usage-together", entry)
    frames = completion.frames(include_usage=include_usage, usage_together=together)
    frames = _changed(state, entry, odd_answers.FRAMES, frames)
    begun = (sse(frame) for frame in islice(frames, _BROKEN_AFTER))
    if state.hits("error-finish", entry):
        last = completion.frame({"content": "Requests rate limit exceeded (TPM)."}, finish_reason="error_finish")
        return _chain(begun, sse(last), DONE), Ending.CLEAN
    if state.hits("error-frame", entry):
        error = internal_error("Internal server error in the middle.")
        return _chain(begun, sse(error.envelope(completion.request_id))), Ending.CLEAN
    for name, ending in (("cut", Ending.CLEAN), ("reset", Ending.RESET), ("silence", Ending.SILENCE)):
        if state.hits(name, entry):
            return begun, ending
    pieces = _chain((sse(frame) for frame in frames), DONE)
    return _changed(state, entry, odd_answers.BYTES, pieces), Ending.CLEAN


def _chain(pieces: Iterator[bytes], *more: bytes) -> Iterator[bytes]:
    yield from pieces
    yield from more
