"""Every way the emulator can misbehave on purpose: one name, one sentence each."""

from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """Where in the protocol a request belongs."""

    DEVICE = "device"
    POLL = "poll"
    REFRESH = "refresh"
    CHAT = "chat"
    EMBEDDINGS = "embeddings"
    MODELS = "models"
    PAGE = "page"
    OTHER = "other"


_SIGN_IN = (Place.DEVICE, Place.POLL, Place.REFRESH)
_TOKEN = (Place.POLL, Place.REFRESH)


@dataclass(frozen=True)
class Scenario:
    """A named misbehaviour.

    Attributes:
        name: What the command line, the control call and the tests call it.
        places: The requests it hits unless the caller narrows or moves it with `where`.
        sentence: What a client sees.
    """

    name: str
    places: tuple[Place, ...]
    sentence: str


_TABLE = (
    # Sign-in: device code, poll, refresh.
    Scenario("pending", (Place.POLL,), "A poll answers authorization_pending, whatever was decided."),
    Scenario("slow-down-429", (Place.POLL,), "A poll answers slow_down with status 429."),
    Scenario("slow-down-400", (Place.POLL,), "A poll answers slow_down with status 400."),
    Scenario("denied", (Place.POLL,), "A poll answers access_denied: the person refused."),
    Scenario("expired", (Place.POLL,), "A poll answers expired_token: nobody approved in time."),
    Scenario("poll-401", (Place.POLL,), "A poll answers 401, the service's other way to say that the code is dead."),
    Scenario(
        "error-in-200",
        (Place.DEVICE,),
        "An OAuth error arrives with status 200 (with where=poll a refusal, with where=refresh a dead token).",
    ),
    Scenario("status-pending", (Place.POLL,), 'A poll answers 200 {"status": "pending"}, the old pending shape.'),
    Scenario("firewall", _SIGN_IN, "The web firewall answers 200 with an HTML page instead of JSON."),
    Scenario("empty", _SIGN_IN, "An answer is 200 without a body."),
    Scenario(
        "null-fields",
        _TOKEN,
        "A poll's token answer has null in every field (not yet); a refresh's has null beside the access token.",
    ),
    Scenario("no-resource-url", _TOKEN, "Token answers lack resource_url."),
    Scenario("resource-url-forms", _TOKEN, "resource_url comes with a scheme, a slash, a path, in turn."),
    Scenario("refresh-keeps-token", (Place.REFRESH,), "A refresh brings no new refresh token; the old one stays good."),
    Scenario("lost-answer", (Place.REFRESH,), "A refresh spends the token, then the connection closes unanswered."),
    Scenario("held", (Place.REFRESH,), "A refresh spends the token; its answer waits till the scenario is turned off."),
    # Who may chat.
    Scenario(
        "revoked",
        (Place.CHAT, Place.MODELS),
        "Access tokens issued so far, and each that a sign-in issues, are dead; those of a refresh work.",
    ),
    Scenario("ended", (Place.CHAT, Place.MODELS), "The free tier has ended: sign-in works, every OAuth chat is 401."),
    Scenario("quota", (Place.CHAT,), "A chat answers 429 insufficient_quota."),
    Scenario("quota-403", (Place.CHAT,), "A chat answers insufficient_quota with status 403."),
    Scenario("burst", (Place.CHAT,), "A plain 429, with Retry-After if the setting retry_after names seconds."),
    # What a chat may say.
    Scenario("strict", (Place.CHAT,), "400 bad request unless the X-DashScope headers and a system message are there."),
    Scenario("input-range", (Place.CHAT,), "400: the prompt is longer than the model's input range."),
    Scenario("moderation", (Place.CHAT,), "400 data_inspection_failed: the prompt displeased the moderation."),
    Scenario(
        "coding-agents-only",
        (Place.CHAT, Place.MODELS),
        '405 {"error": "…"} that is a sentence: the Coding Plan is for coding agents alone.',
    ),
    Scenario("no-model-list", (Place.MODELS,), "The list of models answers 404, as a service without one does."),
    # Gateways and servers that fail.
    Scenario("framed-refusal", (Place.CHAT,), 'A 429 insufficient_quota whose body is an event: "data:" and the JSON.'),
    Scenario("gateway-504", (Place.CHAT,), 'The gateway answers 504 with the plain text "stream timeout".'),
    Scenario("html-502", (Place.CHAT,), "The gateway answers 502 with an HTML page."),
    Scenario("error-500", (Place.CHAT,), "The server answers 500 with its JSON error envelope."),
    Scenario("drop", (Place.CHAT,), "The connection closes before the first byte of an answer."),
    # What a good answer looks like.
    Scenario("reasoning", (Place.CHAT,), "Answers carry reasoning_content although nobody asked for it."),
    Scenario("usage-together", (Place.CHAT,), "A stream's usage rides on the finish frame instead of its own."),
    # Good answers that few clients can read.
    Scenario("holes", (Place.CHAT,), "Role, index, type and null fields are missing, and the last delta is null."),
    Scenario("bom", (Place.CHAT,), "A stream begins with a byte order mark."),
    Scenario("cr-lines", (Place.CHAT,), 'A stream ends its lines with CR alone, and its last event is "[DONE] ".'),
    Scenario("name-in-pieces", (Place.CHAT,), "A streamed call's name comes in two pieces."),
    Scenario("ids-everywhere", (Place.CHAT,), "Each fragment of a streamed call has an id of its own."),
    Scenario("names-everywhere", (Place.CHAT,), "Each fragment of a streamed call repeats id and name."),
    Scenario("finish-twice", (Place.CHAT,), "A stream's finish_reason comes in two frames."),
    Scenario("usage-twice", (Place.CHAT,), "A stream's usage rides on the finish frame and has a frame of its own."),
    Scenario("half-character", (Place.CHAT,), "A stream's text begins with an emoji, one half of its pair a frame."),
    Scenario("double-encoded", (Place.CHAT,), "The arguments of a call are JSON text inside a JSON string."),
    # Streams that go wrong.
    Scenario("error-finish", (Place.CHAT,), 'A stream ends with finish_reason "error_finish", the error as its text.'),
    Scenario("error-frame", (Place.CHAT,), "A stream ends with an error envelope as a frame."),
    Scenario(
        "dashscope-event-error",
        (Place.CHAT,),
        "A stream is one event of DashScope's own form: event:error, :HTTP_STATUS/429, code and message.",
    ),
    Scenario("numeric-code", (Place.CHAT,), "A stream is one error whose code is the number 400."),
    Scenario("bare-error", (Place.CHAT,), 'A stream is one error without "data:" before its JSON.'),
    Scenario("cut", (Place.CHAT,), "A stream closes in the middle: no finish_reason, no [DONE]."),
    Scenario("reset", (Place.CHAT,), "The connection breaks in the middle of a stream."),
    Scenario("silence", (Place.CHAT,), "A stream, or an answer, falls silent in the middle and never ends."),
    Scenario("not-sse", (Place.CHAT,), "A stream was asked for; 200 with one JSON completion comes instead."),
)

SCENARIOS = {scenario.name: scenario for scenario in _TABLE}


class UnknownScenarioError(ValueError):
    """A scenario name, or a place, that the emulator does not know; the text lists those it does."""


@dataclass
class _Running:
    times: int | None
    places: tuple[Place, ...]


class Switchboard:
    """Which scenarios are on, where, and for how many more requests."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}

    def switch_on(self, name: str, times: int | None = None, where: str | None = None) -> None:
        """Turn a scenario on.

        Args:
            name: A key of SCENARIOS.
            times: How many requests it hits before it turns itself off; None for every one.
            where: A Place that replaces the scenario's own places.

        Raises:
            UnknownScenarioError: The name or the place is unknown.
        """
        scenario = _known(name)
        if times is not None and times < 1:
            message = f"times must be at least 1 or null, not {times}"
            raise UnknownScenarioError(message)
        self._running[name] = _Running(times, scenario.places if where is None else (_place(where),))

    def switch_off(self, name: str) -> None:
        """Turn a scenario off; harmless if it is off already."""
        self._running.pop(_known(name).name, None)

    def clear(self) -> None:
        """Turn everything off."""
        self._running.clear()

    def hits(self, name: str, place: Place) -> bool:
        """Whether `name` is on for a request at `place`; a yes uses up one of its times."""
        running = self._running.get(_known(name).name)
        if running is None or place not in running.places:
            return False
        if running.times is not None:
            running.times -= 1
            if running.times == 0:
                del self._running[name]
        return True

    def active(self) -> dict[str, int | None]:
        """The scenarios that are on, each with the requests it will still hit (None: all)."""
        return {name: running.times for name, running in self._running.items()}


def _known(name: str) -> Scenario:
    if name not in SCENARIOS:
        message = f"unknown scenario {name!r}; there are: {', '.join(SCENARIOS)}"
        raise UnknownScenarioError(message)
    return SCENARIOS[name]


def _place(where: str) -> Place:
    try:
        return Place(where)
    except ValueError:
        message = f"unknown place {where!r}; there are: {', '.join(Place)}"
        raise UnknownScenarioError(message) from None
