"""No way of saying max_tokens gets past the model's cap.

The ways that go through an OpenAI client (root_client.create, its raw post, with_options, with_raw_response, its stream
helper, and the async ones) do not exist here: test_there_is_no_client_to_go_around_the_cap.
"""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import PortalClient
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ainvoke, astream, stream

pytestmark = pytest.mark.usefixtures("signed_in")

HUGE = 1_000_000
CODER_CAP, VISION_CAP = 65_536, 8_192
VISION: dict[str, Any] = {"model": "vision-model"}


class Answer(BaseModel):
    """An answer."""

    value: int


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def _assigned() -> ChatQwenPortal:
    model = ChatQwenPortal()
    model.max_tokens = HUGE
    return model


def _configured(field: str, value: Any, **options: Any) -> Any:
    configurable = ChatQwenPortal(**options).configurable_fields(**{field: ConfigurableField(id="it")})
    return configurable.with_config(configurable={"it": value})


WAYS: dict[str, Callable[[], Any]] = {
    # the constructor
    "constructor": lambda: ChatQwenPortal(max_tokens=HUGE).invoke("Hi"),
    "constructor, other spelling": lambda: ChatQwenPortal(max_completion_tokens=HUGE).invoke("Hi"),
    "constructor, both": lambda: ChatQwenPortal(max_tokens=HUGE, max_completion_tokens=HUGE).invoke("Hi"),
    "constructor, streaming": lambda: ChatQwenPortal(max_tokens=HUGE, streaming=True).invoke("Hi"),
    "model_kwargs": lambda: ChatQwenPortal(model_kwargs={"max_tokens": HUGE}).invoke("Hi"),
    "model_kwargs, other": lambda: ChatQwenPortal(model_kwargs={"max_completion_tokens": HUGE}).invoke("Hi"),
    "extra_body": lambda: ChatQwenPortal(extra_body={"max_tokens": HUGE}).invoke("Hi"),
    "extra_body, other": lambda: ChatQwenPortal(extra_body={"max_completion_tokens": HUGE}).invoke("Hi"),
    "extra_body, streamed": lambda: stream(ChatQwenPortal(extra_body={"max_tokens": HUGE}), "Hi"),
    # a binding
    "bind": lambda: ChatQwenPortal().bind(max_tokens=HUGE).invoke("Hi"),
    "bind, other": lambda: ChatQwenPortal().bind(max_completion_tokens=HUGE).invoke("Hi"),
    "bind, extra_body": lambda: ChatQwenPortal().bind(extra_body={"max_tokens": HUGE}).invoke("Hi"),
    "bind, extra_body, other": lambda: stream(ChatQwenPortal().bind(extra_body={"max_completion_tokens": HUGE}), "Hi"),
    "bind_tools": lambda: ChatQwenPortal().bind_tools([add], max_tokens=HUGE).invoke("Hi"),
    "with_structured_output": lambda: ChatQwenPortal(max_tokens=HUGE).with_structured_output(Answer).invoke("1+1?"),
    "with_structured_output, json_mode": lambda: (
        ChatQwenPortal(max_tokens=HUGE)
        .with_structured_output(Answer, method="json_mode")
        .invoke('What is 1+1? Answer in JSON with the integer key "value": {"value": 2}')
    ),
    "with_structured_output, json_schema": lambda: (
        ChatQwenPortal(max_tokens=HUGE).with_structured_output(Answer, method="json_schema").invoke("What is 1+1?")
    ),
    # a call
    "invoke": lambda: ChatQwenPortal().invoke("Hi", max_tokens=HUGE),
    "invoke, other": lambda: ChatQwenPortal().invoke("Hi", max_completion_tokens=HUGE),
    "invoke, both": lambda: ChatQwenPortal().invoke("Hi", max_tokens=HUGE, max_completion_tokens=HUGE),
    "invoke, extra_body": lambda: ChatQwenPortal().invoke("Hi", extra_body={"max_tokens": HUGE}),
    "invoke, float": lambda: ChatQwenPortal().invoke("Hi", max_tokens=1e6),
    "stream": lambda: stream(ChatQwenPortal(), "Hi", max_tokens=HUGE),
    "ainvoke": lambda: ainvoke(ChatQwenPortal(), "Hi", max_tokens=HUGE),
    "astream": lambda: astream(ChatQwenPortal(), "Hi", max_tokens=HUGE),
    "batch": lambda: ChatQwenPortal().batch(["Hi"], max_tokens=HUGE),
    "generate": lambda: ChatQwenPortal().generate([[HumanMessage("Hi")]], max_tokens=HUGE),
    "stream_events": lambda: list(ChatQwenPortal(max_tokens=HUGE).stream_events("Hi", version="v3")),
    # a changed model
    "configurable": lambda: _configured("max_tokens", HUGE).invoke("Hi"),
    "copy": lambda: ChatQwenPortal().model_copy(update={"max_tokens": HUGE}).invoke("Hi"),
    "assignment": lambda: _assigned().invoke("Hi"),
    # another model with a smaller cap
    "constructor, vision": lambda: ChatQwenPortal(max_tokens=CODER_CAP, **VISION).invoke("Hi"),
    "call, vision": lambda: ChatQwenPortal(max_tokens=CODER_CAP).invoke("Hi", **VISION),
    "call, vision, prefixed": lambda: ChatQwenPortal().invoke(
        "Hi", model="qwen-portal/vision-model", max_tokens=CODER_CAP
    ),
    "bind, vision": lambda: ChatQwenPortal(max_tokens=CODER_CAP).bind(**VISION).invoke("Hi"),
    "extra_body, vision": lambda: ChatQwenPortal(max_tokens=CODER_CAP, extra_body=VISION).invoke("Hi"),
    "model_kwargs, vision": lambda: ChatQwenPortal(max_tokens=CODER_CAP, model_kwargs=dict(VISION)).invoke("Hi"),
    "configurable, vision": lambda: _configured("model_name", "vision-model", max_tokens=CODER_CAP).invoke("Hi"),
    "unset, vision": lambda: ChatQwenPortal(**VISION).invoke("Hi"),
    "unset, call, vision": lambda: ChatQwenPortal().invoke("Hi", **VISION),
}


@pytest.mark.filterwarnings("ignore:Parameters .* should be specified explicitly:UserWarning")
@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_past_the_cap(way: str, emulator: Emulator) -> None:
    """Each way sends exactly one request, with exactly the cap of the model that is asked."""
    WAYS[way]()
    (entry,) = emulator.chats()
    assert not entry.above_cap
    assert "max_completion_tokens" not in entry.body
    assert entry.body["max_tokens"] == {"coder-model": CODER_CAP, "vision-model": VISION_CAP}[entry.body["model"]]
    assert ("vision" in way) == (entry.body["model"] == "vision-model")


@pytest.mark.parametrize(
    ("model", "call", "sent"),
    [
        ({"max_tokens": HUGE}, {}, {"max_tokens": CODER_CAP}),
        ({"max_completion_tokens": HUGE}, {}, {"max_completion_tokens": CODER_CAP}),
        ({"max_tokens": 9, "max_completion_tokens": 7}, {}, {"max_tokens": 9, "max_completion_tokens": 7}),
        ({"max_tokens": 9}, {"max_completion_tokens": 7}, {"max_completion_tokens": 7}),
        ({"max_completion_tokens": 9}, {"max_tokens": 7}, {"max_tokens": 7}),
        ({}, {}, {}),
    ],
)
def test_a_key_plan_gets_each_limit_as_it_was_given(
    model: dict[str, Any],
    call: dict[str, Any],
    sent: dict[str, int],
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a call says replaces what the model says, by whatever name; a trace shows what is sent."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/compatible-mode/v1")
    chat = ChatQwenPortal(api_key="sk-x", plan="studio-intl", **model)
    chat.invoke("Hi", **call)
    (entry,) = emulator.chats()
    assert {name: value for name, value in entry.body.items() if "tokens" in name} == sent
    shown = chat._get_invocation_params(**call)
    assert {name: value for name, value in shown.items() if "tokens" in name} == sent


def test_there_is_no_client_to_go_around_the_cap() -> None:
    """The parent's fields for OpenAI's clients stay empty and cannot be filled."""
    model = ChatQwenPortal()
    for name in ("client", "async_client", "root_client", "root_async_client"):
        assert getattr(model, name) is None
        options: dict[str, Any] = {name: PortalClient()}
        with pytest.raises(ValueError, match=f"{name} is an option of OpenAI's client"):
            ChatQwenPortal(**options)


def test_a_smaller_wish_is_kept(emulator: Emulator) -> None:
    """The cap lowers, it never raises; a call's limit replaces the model's, in either spelling."""
    ChatQwenPortal(max_tokens=100).invoke("Hi")
    ChatQwenPortal(max_tokens=100).invoke("Hi", max_tokens=200)
    ChatQwenPortal(max_tokens=100).invoke("Hi", max_completion_tokens=300)
    assert [entry.body["max_tokens"] for entry in emulator.chats()] == [100, 200, 300]


def test_the_users_own_cap_replaces_ours(emulator: Emulator) -> None:
    """output_cap= is for the day the service changes its limits; it is not sent."""
    ChatQwenPortal(max_tokens=HUGE, output_cap=1234).invoke("Hi")
    assert emulator.chats()[0].body["max_tokens"] == 1234
    assert "output_cap" not in emulator.chats()[0].body


def test_lowering_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Two calls of two models lower twice and say so once."""
    for _ in range(2):
        ChatQwenPortal(max_tokens=HUGE).invoke("Hi")
    told = [record for record in caplog.records if "max_tokens" in record.message]
    assert [record.levelno for record in told] == [logging.WARNING]


class Tracer(BaseCallbackHandler):
    """Keeps what a trace would show."""

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []

    def on_chat_model_start(self, serialized: dict[str, Any], messages: Any, **kwargs: Any) -> None:
        """Note the parameters of a call."""
        self.shown.append({**kwargs["invocation_params"], "ls": (kwargs["metadata"] or {}).get("ls_max_tokens")})


@pytest.mark.parametrize(
    ("options", "call"),
    [
        ({"max_tokens": HUGE}, {}),
        ({}, {"max_completion_tokens": HUGE}),
        ({}, {}),
        ({"max_tokens": CODER_CAP}, VISION),
        ({"max_tokens": 9}, {"max_completion_tokens": 10}),
    ],
)
def test_a_trace_shows_what_is_sent(options: dict[str, Any], call: dict[str, Any], emulator: Emulator) -> None:
    """Callbacks see the limit that the service sees, and the same model."""
    tracer = Tracer()
    ChatQwenPortal(**options).invoke("Hi", config={"callbacks": [tracer]}, **call)
    body, (shown,) = emulator.chats()[0].body, tracer.shown
    assert shown["max_tokens"] == shown["ls"] == body["max_tokens"]
    assert shown["model"] == body["model"]
    assert "max_completion_tokens" not in shown
