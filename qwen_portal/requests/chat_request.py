"""A chat request as the service takes it: address, headers, model name, capped body.

Source: docs/protocol.md, "Chat request".
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qwen_portal._version import __version__
from qwen_portal.answers.completions import whole_answer
from qwen_portal.errors import QwenBadRequestError
from qwen_portal.requests.endpoints import base_url
from qwen_portal.requests.extra_headers import checked_headers
from qwen_portal.requests.history import sendable
from qwen_portal.requests.thinking_mode import EFFORT, settle_thinking
from qwen_portal.service.models import VISION, model_id, model_on, name_on, output_cap
from qwen_portal.service.plans import Plan, find_plan
from qwen_portal.service.rows import Input
from qwen_portal.settings import Settings
from qwen_portal.storage.credential import Credential

_log = logging.getLogger("qwen_portal")

# What the portal's strict validation lets through; anything else is a 400 without a reason.
_PORTAL_FIELDS = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "temperature", "top_p", "top_k", "n", "stop", "seed"),
        *("max_tokens", "tools", "tool_choice", "parallel_tool_calls", "response_format"),
        *("presence_penalty", "frequency_penalty", "repetition_penalty", "logprobs", "top_logprobs"),
        *("enable_thinking", "thinking_budget", "preserve_thinking", "reasoning_effort", "enable_search"),
        *("vl_high_resolution_images", "metadata"),
    }
)
# The parts of a message that are no text; a "video" is a list of frames.
_MEDIA: Mapping[str, Input] = {"image_url": "image", "video_url": "video", "video": "video"}
TOKEN_FIELDS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """One request, ready to send.

    Attributes:
        url: Where to.
        headers: Without the bearer.
        body: What is sent as JSON.
        model: The id the user asked for, without prefix.
        read: Makes a whole answer of the JSON that came, or raises UnreadableError.
        method: ``GET`` has no body.
    """

    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    model: str
    read: Callable[[dict[str, Any]], dict[str, Any]] = whole_answer
    method: str = "POST"


class RequestBuilder:
    """Makes requests; tells each change of a user's value once, not at every call.

    Args:
        settings: The user's settings.
        warned: What was told already; shared by those who are to tell a thing once between them.
    """

    def __init__(self, settings: Settings, warned: set[tuple[str, str]] | None = None) -> None:
        self._settings = settings
        self._warned = warned if warned is not None else set()

    def chat(
        self,
        credential: Credential,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str,
        stream: bool,
        params: Mapping[str, Any],
    ) -> PreparedRequest:
        """Build a chat request for one account.

        Args:
            credential: The account's credential; its kind and plan decide host, model name, headers and cap.
            messages: OpenAI-style messages.
            model: Model id, with or without ``qwen-portal/``.
            stream: Whether to stream.
            params: Further OpenAI parameters; ``extra_body`` is merged last, as OpenAI's SDK does. Ours:
                ``output_cap`` (tokens), ``allow_images`` (bool), ``extra_headers``. ``enable_thinking`` and
                ``reasoning_effort`` become the words of the model, unless an effort is in ``extra_body``. A stream
                asks for the usage unless ``stream_options`` has ``"include_usage": False``, for services that know no
                such options.

        Raises:
            QwenBadRequestError: No messages, an image or a video for a model that takes none, an effort that no model
                knows, a header that is not the caller's.
            QwenHostNotAllowedError: The account's host is not one that a bearer may go to.
        """
        plan = find_plan(credential.plan)
        body = merged({"model": model, "messages": list(messages), **params})
        limits = output_limits(body, plan)
        allow_images = body.pop("allow_images", False)
        extra_headers = body.pop("extra_headers", None) or {}
        wanted = model_id(str(body["model"]))
        if not all(isinstance(message, Mapping) for message in body["messages"]):
            raise QwenBadRequestError(
                "The messages are not a list of dicts.", hint="Pass [{'role': 'user', 'content': 'Hello'}]."
            )
        if not body["messages"]:
            raise QwenBadRequestError(
                "The list of messages is empty.",
                hint="Pass at least one, such as {'role': 'user', 'content': 'Hello'}.",
            )
        body["messages"] = [_with_content(message) for message in body["messages"]]
        if not allow_images:
            _check_media(body["messages"], wanted, plan)
        body["model"] = name_on(plan, wanted)
        body["messages"] = sendable(body["messages"])
        as_written = EFFORT in (params.get("extra_body") or {})
        if refused := settle_thinking(body, model_on(plan, wanted), as_written=as_written):
            self._warn_once("thinking", wanted, f"{wanted} {refused}")
        self._limit_output(body, wanted, limits, _wishes(body, plan))
        body["stream"] = stream
        options = body.pop("stream_options", None) or {}
        if stream and options.get("include_usage") is not False:
            body["stream_options"] = {**options, "include_usage": True}
        self._drop(body, strict=plan.is_oauth)
        return PreparedRequest(
            url=f"{base_url(credential, self._settings)}/chat/completions",
            headers=request_headers(credential, stream=stream) | checked_headers(extra_headers),
            body=body,
            model=wanted,
        )

    def _limit_output(
        self, body: dict[str, Any], model: str, limits: Mapping[str, int], wishes: Mapping[str, int]
    ) -> None:
        for name in ("output_cap", *TOKEN_FIELDS):
            body.pop(name, None)
        body.update(limits)
        for name, wish in wishes.items():
            if wish > limits[name]:
                self._warn_once("cap", model, f"{name} {wish:,} is above what {model} gives; {limits[name]:,} is sent")

    def _drop(self, body: dict[str, Any], *, strict: bool) -> None:
        for name in [name for name, value in body.items() if value is None or (name == "tools" and not value)]:
            del body[name]
        if "tools" not in body:
            body.pop("tool_choice", None)
            body.pop("parallel_tool_calls", None)
        if not strict:
            return
        for name in [name for name in body if name not in _PORTAL_FIELDS]:
            del body[name]
            self._warn_once("field", name, f"the portal takes no {name!r}; it is left out")

    def _warn_once(self, kind: str, what: str, text: str) -> None:
        if (kind, what) not in self._warned:
            self._warned.add((kind, what))
            _log.warning("%s (said once)", text)


def _tokens(name: str, value: Any) -> int:
    # 4096.0 and "4096" come from configuration files
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise QwenBadRequestError(f"{name} is {value!r}.", hint="It takes a whole number of tokens.") from None


def output_limits(params: Mapping[str, Any], plan: Plan) -> dict[str, int]:
    """Return the limits on output that a request is sent with: what was asked for, none above the cap.

    On key plans ``max_tokens`` and ``max_completion_tokens`` are two limits, since some models count their thinking
    towards the second alone; the portal knows ``max_tokens`` alone and gets the smaller of both. Without a wish the
    portal gets the cap, because its own default is small and cuts answers with "stop".

    Args:
        params: A request's ``model`` and further parameters, as for :meth:`RequestBuilder.chat`.
        plan: The account's plan.

    Returns:
        Tokens by the field's name; none where neither the caller nor the service names a limit.

    Raises:
        QwenBadRequestError: A limit is not a number.
    """
    body = merged(params)
    wishes = _wishes(body, plan)
    override = body.get("output_cap")
    cap = output_cap(str(body["model"]), plan) if override is None else _tokens("output_cap", override)
    if cap is None:
        return wishes
    if plan.is_oauth and not wishes:
        return {"max_tokens": cap}
    return {name: min(wish, cap) for name, wish in wishes.items()}


def merged(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's parameters with ``extra_body`` put over them, as OpenAI's SDK does."""
    body = dict(params)
    body.update(body.pop("extra_body", None) or {})
    return body


def _wishes(body: Mapping[str, Any], plan: Plan) -> dict[str, int]:
    wishes = {name: _tokens(name, body[name]) for name in TOKEN_FIELDS if body.get(name) is not None}
    return {"max_tokens": min(wishes.values())} if plan.is_oauth and wishes else wishes


def _with_content(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message with text, if only empty text, where it has none, as one that only calls tools.

    The service refuses a message without ``content``. Source: docs/protocol.md, "Chat errors".
    """
    return message if message.get("content") is not None else {**message, "content": ""}


def _check_media(messages: Sequence[Mapping[str, Any]], model: str, plan: Plan) -> None:
    takes = model_on(plan, model).inputs
    if not takes:
        return
    held = {kind for message in messages for kind in _media(message)}
    if "image" in held and "image" not in takes:
        raise QwenBadRequestError(
            f"{model} takes text only, and a message holds an image.",
            hint=f"Use model={VISION!r} for images, or pass allow_images=True to send it all the same.",
        )
    if "video" in held and "video" not in takes:
        raise QwenBadRequestError(
            f"{model} takes {' and '.join(takes) if takes[1:] else 'text only'}, and a message holds a video.",
            hint="`qwen-portal models` says which take video; allow_images=True sends it all the same.",
        )


def _media(message: Mapping[str, Any]) -> Iterator[Input]:
    content = message.get("content")
    for part in content if isinstance(content, list) else ():
        # a type may be anything, as JSON is
        if isinstance(part, Mapping) and isinstance(kind := part.get("type"), str) and kind in _MEDIA:
            yield _MEDIA[kind]


def request_headers(credential: Credential, *, stream: bool) -> dict[str, str]:
    """Return the headers of a request, without the bearer."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream" if stream else "application/json",
        "X-DashScope-UserAgent": f"qwen-portal/{__version__}",
    }
    if credential.kind == "oauth":
        headers["X-DashScope-AuthType"] = "qwen-oauth"
        headers["X-DashScope-CacheControl"] = "enable"
    return headers
