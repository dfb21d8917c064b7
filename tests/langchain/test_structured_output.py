"""Structured output: three methods, three kinds of schema."""

import json
from typing import Any, Literal, TypedDict

import httpx
import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, Field

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ALL, STREAMED, WHOLE, Way
from tests.scripted import answering

pytestmark = pytest.mark.usefixtures("signed_in")

Method = Literal["function_calling", "json_mode", "json_schema"]
METHODS: list[Method] = ["function_calling", "json_mode", "json_schema"]
PROMPT = 'Tell me a joke. Answer in JSON with the keys "setup" and "punchline".'


class Joke(BaseModel):
    """A joke."""

    setup: str = Field(description="The first half.")
    punchline: str = Field(description="The second half.")


class JokeDict(TypedDict):
    """A joke."""

    setup: str
    punchline: str


@pytest.mark.parametrize("ask", WHOLE)
@pytest.mark.parametrize("method", METHODS)
def test_each_method_gives_the_schemas_class(ask: Way, method: Method) -> None:
    """A Pydantic class comes back as its instance."""
    answer: Any = ask(ChatQwenPortal().with_structured_output(Joke, method=method), PROMPT)
    assert isinstance(answer, Joke)
    assert answer.setup
    assert answer.punchline


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("schema", [JokeDict, Joke.model_json_schema()], ids=["typeddict", "json schema"])
def test_schemas_without_a_class_give_dicts(method: Method, schema: Any) -> None:
    """A TypedDict and a JSON schema come back as dicts."""
    answer = ChatQwenPortal().with_structured_output(schema, method=method).invoke(PROMPT)
    assert set(answer) == {"setup", "punchline"}


@pytest.mark.parametrize("method", METHODS)
def test_the_raw_message_can_be_had_too(method: Method) -> None:
    """include_raw gives the message, what was parsed, and no error."""
    answer = ChatQwenPortal().with_structured_output(Joke, method=method, include_raw=True).invoke(PROMPT)
    assert isinstance(answer["parsed"], Joke)
    assert answer["parsing_error"] is None
    assert answer["raw"].response_metadata["model_provider"] == "qwen-portal"


@pytest.mark.parametrize("method", METHODS)
def test_what_each_method_sends(method: Method, emulator: Emulator) -> None:
    """json_mode asks for a JSON object; the others force a tool, for the portal's models are not known to keep one."""
    ChatQwenPortal(enable_thinking=True).with_structured_output(Joke, method=method).invoke(PROMPT)
    body = emulator.chats()[0].body
    if method == "json_mode":
        assert body["response_format"] == {"type": "json_object"}
        assert "tools" not in body
    else:
        assert body["tool_choice"] == {"type": "function", "function": {"name": "Joke"}}
        assert "response_format" not in body


def keyed(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, **options: Any) -> ChatQwenPortal:
    """Make a model with a key of Model Studio, whose coder-model keeps to schemas; the emulator answers."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/compatible-mode/v1")
    return ChatQwenPortal(api_key="sk-x", plan="studio-intl", **options)


@pytest.mark.parametrize("ask", WHOLE)
@pytest.mark.parametrize(
    "schema", [Joke, JokeDict, Joke.model_json_schema()], ids=["class", "typeddict", "json schema"]
)
def test_a_model_that_keeps_to_schemas_is_sent_one(
    ask: Way, schema: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's own form, strict; no tool is forced, and thinking stays as it was."""
    model = keyed(emulator, monkeypatch, enable_thinking=True)
    answer: Any = ask(model.with_structured_output(schema, method="json_schema"), PROMPT)
    assert (set(answer) if isinstance(answer, dict) else set(answer.model_dump())) == {"setup", "punchline"}
    assert isinstance(answer, Joke) is (schema is Joke)
    (chat,) = emulator.chats()
    sent = chat.body["response_format"]
    assert (sent["type"], sent["json_schema"]["strict"]) == ("json_schema", True)
    assert set(sent["json_schema"]["schema"]["properties"]) == {"setup", "punchline"}
    assert chat.body["model"] == "qwen3.7-plus"
    assert chat.body["enable_thinking"] is True
    assert not {"tools", "tool_choice"} & set(chat.body)


class Total(BaseModel):
    """A total."""

    value: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.mark.parametrize(
    "wanted",
    [Total, ProviderStrategy(Total), ProviderStrategy(Total.model_json_schema())],
    ids=["class", "strategy", "json schema"],
)
def test_an_agent_of_a_model_that_keeps_to_schemas_asks_the_service(
    wanted: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schema goes out beside the tools, strict, and no tool is forced."""
    agent = create_agent(keyed(emulator, monkeypatch), [add], response_format=wanted)
    answer: Any = agent.invoke({"messages": [("user", "Use add to compute 17 plus 25.")]})["structured_response"]
    assert (answer if isinstance(answer, dict) else answer.model_dump()) == {"value": 42}
    assert len(emulator.chats()) == 2
    for chat in emulator.chats():
        assert (chat.status, chat.body["response_format"]["json_schema"]["strict"]) == (200, True)
        assert "tool_choice" not in chat.body


@pytest.mark.parametrize(
    ("given", "strict"),
    [
        (Total, True),
        (Total.model_json_schema(), True),
        ({"name": "Total", "schema": Total.model_json_schema()}, True),
        ({"name": "Total", "strict": False, "schema": Total.model_json_schema()}, False),
    ],
)
def test_a_schema_beside_tools_says_itself_how_strict_it_is(
    given: Any, strict: bool, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What says nothing is strict, for a model that keeps to schemas; for another nothing is said."""
    for model, expected in (("coder-model", strict), ("vision-model", None if strict else False)):
        keyed(emulator, monkeypatch, model=model).bind_tools([add], response_format=given).invoke("Add 17 and 25.")
        assert emulator.chats()[-1].body["response_format"]["json_schema"].get("strict") is expected


@pytest.mark.parametrize(
    ("model", "is_sent"),
    [
        ("coder-model", True),
        ("qwen4-max", True),
        ("qwen3-max", True),
        ("vision-model", False),
        ("qwen3-coder-plus", False),
        ("something-else", False),
    ],
)
def test_another_model_is_asked_through_a_tool(
    model: str, is_sent: bool, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """json_schema is what the user asked for; how it is kept is the model's."""
    chain = keyed(emulator, monkeypatch, model=model).with_structured_output(Joke, method="json_schema")
    bound = chain.first.kwargs  # type: ignore[attr-defined]
    assert ("response_format" in bound) is is_sent
    assert ("tools" in bound) is not is_sent


def test_what_strict_says_is_sent(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema that the strict form refuses can be sent without it."""
    model = keyed(emulator, monkeypatch)
    answer = model.with_structured_output(Joke, method="json_schema", strict=False, include_raw=True).invoke(PROMPT)
    assert isinstance(answer["parsed"], Joke)
    assert emulator.chats()[0].body["response_format"]["json_schema"]["strict"] is False


def test_the_profile_says_who_keeps_to_schemas(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents look there before they choose between the service's form and a tool."""
    assert (keyed(emulator, monkeypatch).profile or {})["structured_output"] is True
    assert (keyed(emulator, monkeypatch, model="vision-model").profile or {})["structured_output"] is False


@pytest.mark.parametrize("ask", ALL)
def test_a_response_format_bound_as_a_class_works(ask: Way, emulator: Emulator) -> None:
    """bind(response_format=Class) goes over the wire as a JSON schema, and the answer fits it."""
    message = ask(ChatQwenPortal().bind(response_format=Joke), PROMPT)
    assert Joke.model_validate_json(message.text).punchline
    assert emulator.chats()[0].body["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize("ask", STREAMED)
def test_a_schema_streams(ask: Way) -> None:
    """Partial dicts arrive while the answer is written; the last one is whole."""
    parts: Any = ask(ChatQwenPortal().with_structured_output(JokeDict) | _last, PROMPT)
    assert set(parts) == {"setup", "punchline"}


def _last(answer: Any) -> Any:
    return [answer] if isinstance(answer, list) else answer


ASKED: list[dict[str, Any]] = [{}, {"method": "function_calling"}, {"method": "json_schema"}]
JOKE = {"setup": "Why?", "punchline": "Because."}
CALLED = {
    "content": "",
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "Joke", "arguments": json.dumps(JOKE)}}],
}
PLAN_KEYS = {"token": "sk-sp-x", "studio": "sk-x"}


def answer_of(message: dict[str, Any]) -> httpx.Response:
    """Write a whole answer."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return httpx.Response(200, json={"choices": [choice]})


@pytest.mark.parametrize("ask", WHOLE)
@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("plan", PLAN_KEYS)
def test_a_model_that_cannot_be_forced_there_is_sent_the_schema(
    ask: Way, asked: dict[str, Any], plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Token Plan's qwen3.8-max always thinks, and an offered tool may be left alone; Model Studio's is forced."""

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        is_forced = isinstance(body.get("tool_choice"), dict)
        return answer_of(
            CALLED if is_forced else {"content": json.dumps(JOKE) if "response_format" in body else "Why?"}
        )

    model = ChatQwenPortal(model="qwen3.8-max", api_key=PLAN_KEYS[plan], plan=plan)
    with answering(answer, monkeypatch) as requests:
        given: Any = ask(model.with_structured_output(Joke, **asked), PROMPT)
    assert given == Joke(**JOKE)
    (body,) = (json.loads(request.content) for request in requests)
    is_forced = plan == "studio" and asked != ASKED[-1]
    assert ("tools" in body, "response_format" in body) == (is_forced, not is_forced)


@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("plan", PLAN_KEYS)
def test_the_emulated_plan_takes_what_is_sent(
    asked: dict[str, Any], plan: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows a plan by its host's name, and has its own idea of who can be forced there."""

    def forward(request: httpx.Request) -> httpx.Response:
        headers = {name: request.headers[name] for name in ("host", "authorization", "content-type")}
        return httpx.post(f"{emulator.url}{request.url.path}", headers=headers, content=request.content)

    model = ChatQwenPortal(model="qwen3.8-max", api_key=PLAN_KEYS[plan], plan=plan)
    with answering(forward, monkeypatch):
        answer: Any = model.with_structured_output(Joke, **asked).invoke(PROMPT)
    assert isinstance(answer, Joke)
    assert [chat.status for chat in emulator.chats()] == [200]


@pytest.mark.parametrize("schema", [Joke, JokeDict, {"name": "Joke", "parameters": Joke.model_json_schema()}], ids=str)
def test_a_model_that_always_thinks_answers_with_the_schemas_data(
    schema: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default method, and each form of a schema that a tool may have."""
    chain = keyed(emulator, monkeypatch, model="qwen3.8-max-preview").with_structured_output(schema)
    answer: Any = chain.invoke(PROMPT)
    assert set(answer if isinstance(answer, dict) else answer.model_dump()) == {"setup", "punchline"}
    assert emulator.chats()[0].body["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize("ask", WHOLE)
@pytest.mark.parametrize("schema", [Joke, Joke.model_json_schema()], ids=["class", "json schema"])
@pytest.mark.parametrize(
    "message", [CALLED, {"content": json.dumps(JOKE)}, {"content": f"Here:\n```json\n{json.dumps(JOKE)}\n```"}], ids=str
)
def test_who_keeps_to_no_schema_either_is_offered_a_tool_and_may_answer_in_text(
    ask: Way, schema: Any, message: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """qwq-plus takes neither the force nor a format."""
    model = ChatQwenPortal(model="qwq-plus", api_key="sk-x", plan="studio")
    with answering(lambda request: answer_of(message), monkeypatch) as requests:
        answer: Any = ask(model.with_structured_output(schema), PROMPT)
        raw: Any = ask(model.with_structured_output(schema, include_raw=True), PROMPT)
    assert (answer if isinstance(answer, dict) else answer.model_dump()) == JOKE
    assert (raw["parsed"], raw["parsing_error"]) == (answer, None)
    assert json.loads(requests[0].content)["tool_choice"] == "auto"


@pytest.mark.parametrize("ask", WHOLE)
def test_an_answer_in_other_text_is_an_error_that_says_what_helps(ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """None would look like an answer."""
    model = ChatQwenPortal(model="qwq-plus", api_key="sk-x", plan="studio")
    with answering(lambda request: answer_of({"content": "Why not?"}), monkeypatch):
        with pytest.raises(OutputParserException, match="always thinks") as caught:
            ask(model.with_structured_output(Joke), PROMPT)
        raw: Any = ask(model.with_structured_output(Joke, include_raw=True), PROMPT)
    assert caught.value.llm_output == "Why not?"
    assert (raw["raw"].text, raw["parsed"], str(raw["parsing_error"])) == ("Why not?", None, str(caught.value))


def test_a_model_that_cannot_be_forced_streams_its_data(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last part is whole."""
    for model in ("qwen3.8-max-preview", "qwq-plus"):
        parts = list(keyed(emulator, monkeypatch, model=model).with_structured_output(JokeDict).stream(PROMPT))
        assert set(parts[-1]) == {"setup", "punchline"}
