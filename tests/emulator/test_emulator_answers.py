"""What the emulated model says: text, tool calls that fit, agent loops, structured output, images."""

import base64
import enum
import json
import struct
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

if TYPE_CHECKING:
    from .conftest import Json, Person

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 12, 8)
GIF = b"GIF89a" + struct.pack("<HH", 3, 5)
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08" + struct.pack(">HH", 6, 9)


def _tool(name: str, description: str = "", **properties: "Json") -> "Json":
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


WEATHER = _tool("get_weather", "Get the weather at a location.", location={"type": "string"})
ADD = _tool("add", "Add two numbers.", a={"type": "integer"}, b={"type": "integer"})
MULTIPLY = _tool("multiply", "Multiply two numbers.", a={"type": "integer"}, b={"type": "integer"})
CALCULATOR = _tool("calculator", "Evaluates an arithmetic expression.", expression={"type": "string"})


def _calls(message: "Json") -> list[tuple[str, Any]]:
    calls = message.get("tool_calls", [])
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


def _run(name: str, arguments: "Json") -> str:
    results = {"add": lambda: arguments["a"] + arguments["b"], "multiply": lambda: arguments["a"] * arguments["b"]}
    return str(results.get(name, lambda: f"sunny in {arguments.get('location')}")())


def _loop(member: "Person", prompt: str, tools: list["Json"], **body: Any) -> tuple[list[list[tuple[str, Any]]], str]:
    """Play an agent: run the tools until the model answers in words."""
    messages: list[Json] = [{"role": "user", "content": prompt}]
    steps: list[list[tuple[str, Any]]] = []
    while True:
        message = member.message(messages=messages, tools=tools, **body)
        if not message.get("tool_calls"):
            return steps, message["content"]
        steps.append(_calls(message))
        messages.append(message)
        for call, (name, arguments) in zip(message["tool_calls"], steps[-1], strict=True):
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": _run(name, arguments)})
        assert len(steps) < 20, "the loop does not end"


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("what is 2+2?", "4"),
        ("compute 12 * (3 + 4)", "84"),
        ("What is 2 plus 3 times 4?", "14"),
        ("what's 10/4?", "2.5"),
        ("Reply with exactly: pong", "pong"),
        ('Say "hello world"', "hello world"),
        ("count to 5", "1 2 3 4 5"),
        ("Write 4 words", "alpha beta gamma delta"),
        ("Hello there", "Hello"),
        ("The sky over 2026-04-16", "The sky over 2026-04-16"),
        ("what is 1/0?", "1/0"),
    ],
)
def test_a_text_answer_is_about_the_prompt(member: "Person", prompt: str, words: str) -> None:
    """Sums are worked out, orders followed, everything else is echoed."""
    assert words in member.say(prompt)


def test_the_same_request_gets_the_same_answer(member: "Person") -> None:
    """Answers depend on the request alone, with tool call ids."""
    for body in ({}, {"tools": [WEATHER], "tool_choice": "required"}, {"seed": 1, "temperature": 2}):
        assert member.message("weather in Rome", **body) == member.message("weather in Rome", **body)


def test_earlier_messages_are_remembered(member: "Person") -> None:
    """A name told in an earlier message comes back."""
    messages = [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "What is my name?"},
    ]
    assert "Ada" in member.say("", messages=messages)


def test_stop_and_max_tokens_cut_the_text(member: "Person") -> None:
    """A stop sequence ends with "stop", a limit with "length", the service's own default with "stop"."""
    answer = member.chat("count to 9", stop=["5"]).json()["choices"][0]
    assert (answer["message"]["content"], answer["finish_reason"]) == ("1 2 3 4 ", "stop")
    answer = member.chat("count to 9", max_tokens=3).json()
    assert (answer["choices"][0]["message"]["content"], answer["choices"][0]["finish_reason"]) == ("1 2 3", "length")
    assert answer["usage"]["completion_tokens"] == 3
    answer = member.chat("Write 5000 words").json()
    assert answer["usage"]["completion_tokens"] == 2_048
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert member.chat("Write 5000 words", max_tokens=65_536).json()["usage"]["completion_tokens"] == 5_000


def test_n_gives_as_many_choices(member: "Person") -> None:
    """Each choice differs and has its index."""
    choices = member.chat(n=3).json()["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert len({choice["message"]["content"] for choice in choices}) == 3


@pytest.mark.parametrize(
    ("prompt", "tools", "expected"),
    [
        ("What is the weather in San Francisco, CA?", [WEATHER], ("get_weather", {"location": "San Francisco, CA"})),
        ("What is 3 * 4?", [ADD, MULTIPLY], ("multiply", {"a": 3, "b": 4})),
        ("what is 2+2?", [WEATHER, CALCULATOR], ("calculator", {"expression": "2+2"})),
        ("Please use add on 5 and -6.", [MULTIPLY, ADD], ("add", {"a": 5, "b": -6})),
    ],
)
def test_a_prompt_that_a_tool_can_answer_calls_it(
    member: "Person",
    prompt: str,
    tools: list["Json"],
    expected: tuple[str, "Json"],
) -> None:
    """Left to itself the model picks the right tool, with arguments out of the prompt."""
    answer = member.chat(prompt, tools=tools).json()["choices"][0]
    assert _calls(answer["message"]) == [expected]
    assert (answer["finish_reason"], answer["message"]["content"]) == ("tool_calls", "")


@pytest.mark.parametrize("prompt", ["Hello!", "Tell me about Paris", "What is the meaning of life?"])
def test_a_prompt_that_no_tool_can_answer_gets_words(member: "Person", prompt: str) -> None:
    """Tools on offer are no reason to call them."""
    assert member.say(prompt, tools=[WEATHER, ADD])


def test_tool_choice_is_obeyed(member: "Person") -> None:
    """None forbids, required forces some tool, a name forces that one."""
    named = {"type": "function", "function": {"name": "add"}}
    assert _calls(member.message("weather in Rome", tools=[WEATHER], tool_choice="none")) == []
    assert len(_calls(member.message("Hello!", tools=[WEATHER, ADD], tool_choice="required"))) == 1
    assert _calls(member.message("weather in Rome", tools=[WEATHER, ADD], tool_choice=named))[0][0] == "add"


def test_a_tool_without_arguments_gets_an_empty_object(member: "Person") -> None:
    """No parameters, or none declared, is "{}"."""
    bare = {"type": "function", "function": {"name": "ping"}}
    for tool in (_tool("ping"), bare):
        message = member.message("Use the tool.", tools=[tool], tool_choice="required")
        assert message["tool_calls"][0]["function"]["arguments"] == "{}"


def test_an_agent_loop_ends_with_the_tools_result(member: "Person") -> None:
    """One call, then an answer that holds what the tool said."""
    steps, text = _loop(member, "What is the weather in Rome?", [WEATHER])
    assert steps == [[("get_weather", {"location": "Rome"})]]
    assert "sunny in Rome" in text


def test_an_agent_loop_feeds_results_into_later_calls(member: "Person") -> None:
    """A chain of tools is worked through in the order of the prompt."""
    steps, text = _loop(member, "add 3 and 4, then multiply the result by 5", [MULTIPLY, ADD])
    assert steps == [[("add", {"a": 3, "b": 4})], [("multiply", {"a": 7, "b": 5})]]
    assert "35" in text


def test_two_places_are_two_calls_in_turn_or_at_once(member: "Person") -> None:
    """With parallel_tool_calls both calls come in one message, else one after the other."""
    prompt = "What's the weather in Paris and London?"
    paris, london = ("get_weather", {"location": "Paris"}), ("get_weather", {"location": "London"})
    assert _loop(member, prompt, [WEATHER])[0] == [[paris], [london]]
    assert _loop(member, prompt, [WEATHER], parallel_tool_calls=True)[0] == [[paris, london]]


def test_a_forced_loop_moves_on_to_tools_not_called_yet(member: "Person") -> None:
    """Agents that force a call in every step reach their answering tool."""
    final = _tool("final_answer", "", answer={"type": "string"})
    messages: list[Json] = [{"role": "user", "content": "What is the weather in Rome?"}]
    first = member.message(messages=messages, tools=[WEATHER, final], tool_choice="required")
    messages += [first, {"role": "tool", "tool_call_id": first["tool_calls"][0]["id"], "content": "sunny"}]
    second = member.message(messages=messages, tools=[WEATHER, final], tool_choice="required")
    assert _calls(first)[0][0] == "get_weather"
    assert _calls(second) == [("final_answer", {"answer": "sunny"})]


class _Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class _Part(BaseModel):
    name: str
    weight: Annotated[float, Field(gt=0, le=2)]


class _Order(BaseModel):
    """Many kinds of schema in one."""

    id: Annotated[str, Field(pattern=r"^[A-Z]{2}-\d{3}$")]
    colour: _Colour
    kind: Literal["fixed"]
    count: Annotated[int, Field(ge=10, multiple_of=4)]
    share: Annotated[float, Field(gt=0.1, lt=0.2)]
    ready: bool
    parts: Annotated[list[_Part], Field(min_length=2, max_length=3)]
    codes: Annotated[set[int], Field(min_length=3)]
    tags: Annotated[set[_Colour], Field(min_length=2)]
    pair: tuple[int, str]
    either: int | str
    maybe: str | None
    note: Annotated[str, Field(min_length=30, max_length=40)]
    extra: dict[str, int]
    parent: "_Order | None" = None


class _Tree(BaseModel):
    """A schema that refers to itself and requires it."""

    value: int
    children: list["_Tree"]


class _Person(BaseModel):
    name: str
    age: int
    city: str
    nickname: str | None = None


@pytest.mark.parametrize("model", [_Order, _Tree, _Person])
@pytest.mark.parametrize("prompt", ["Hello", "Order 12 red ones for 'Bob' in Rome, 0.15 each", "你好"])
def test_arguments_and_answers_fit_their_schema(member: "Person", model: type[BaseModel], prompt: str) -> None:
    """Tool arguments and json_schema answers are valid for nested, bounded, recursive and mixed schemas."""
    schema = model.model_json_schema()
    tool = {"type": "function", "function": {"name": "save", "parameters": schema}}
    message = member.message(prompt, tools=[tool], tool_choice="required")
    model.model_validate_json(message["tool_calls"][0]["function"]["arguments"])
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    model.model_validate_json(member.say(prompt, response_format=wanted))


def test_a_schema_that_is_no_object_is_filled_too(member: "Person") -> None:
    """Lists, unions and merged schemas work at the top as well."""
    for kind in (list[int], int, dict[str, int]):
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": adapter.json_schema()}}
        adapter.validate_json(member.say("1, 2 and 3", response_format=wanted))
    merged = {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": merged}}
    assert json.loads(member.say("take 7", response_format=wanted)) == {"a": 7}


def test_values_are_taken_from_the_prompt(member: "Person") -> None:
    """Names, numbers, places, enum values, addresses and keyed values land where they belong."""
    wanted = {"type": "json_schema", "json_schema": {"name": "p", "schema": _Person.model_json_schema()}}
    text = member.say("Jane Doe is 42 years old and lives in Berlin", response_format=wanted)
    assert json.loads(text) == {"name": "Jane Doe", "age": 42, "city": "Berlin"}
    mail = _tool("send_email", "", to={"type": "string"}, subject={"type": "string"}, body={"type": "string"})
    message = member.message("Send an email to bob@example.com with subject 'Hi' and body 'See you'", tools=[mail])
    assert _calls(message) == [("send_email", {"to": "bob@example.com", "subject": "Hi", "body": "See you"})]
    heat = _tool("heat", "", degrees={"type": "number"})
    heat["function"]["parameters"]["properties"]["unit"] = {"type": "string", "enum": ["celsius", "fahrenheit"]}
    message = member.message("Set it to 21.5 fahrenheit", tools=[heat])
    assert _calls(message) == [("heat", {"degrees": 21.5, "unit": "fahrenheit"})]


def test_quoted_words_of_any_script_become_arguments(member: "Person") -> None:
    """Unicode in quotes is passed on unchanged."""
    tool = _tool("create_customer", "", customer_name={"type": "string"})
    message = member.message("Create a customer named '你好啊集团' (Hello Group)", tools=[tool], tool_choice="required")
    assert _calls(message) == [("create_customer", {"customer_name": "你好啊集团"})]
    assert "你好啊集团" in message["tool_calls"][0]["function"]["arguments"]


@pytest.mark.parametrize(
    ("prompt", "keys"),
    [
        ("Tell a joke as JSON with 'setup' and 'punchline' keys.", {"setup", "punchline"}),
        ("Some json, please", {"answer"}),
        (f"As JSON of this schema: {json.dumps(_Person.model_json_schema())}", {"name", "age", "city"}),
    ],
)
def test_json_mode_fits_what_the_prompt_shows(member: "Person", prompt: str, keys: set[str]) -> None:
    """A shown schema or quoted keys decide the object; without them it is a small one."""
    text = member.say(prompt, response_format={"type": "json_object"})
    assert set(json.loads(text)) >= keys


def _data_url(kind: str, data: bytes) -> "Json":
    url = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (_data_url("png", PNG), f"1 image: a PNG image of 12x8 pixels ({len(PNG)} bytes)"),
        (_data_url("gif", GIF), "a GIF image of 3x5 pixels"),
        (_data_url("jpeg", JPEG), "a JPEG image of 9x6 pixels"),
        (_data_url("png", b"\x89PNG\r\n\x1a\n"), "a PNG image (8 bytes)"),
        ({"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}, "an image at example.com"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,@@"}}, "cannot read"),
    ],
)
def test_the_vision_model_says_what_it_sees(member: "Person", part: "Json", words: str) -> None:
    """Count, kind, size of the pixels and of the data; addresses are never fetched."""
    content = [{"type": "text", "text": "What is this?"}, part]
    assert words in member.say("", model="vision-model", messages=[{"role": "user", "content": content}])


def test_an_image_in_a_tool_message_is_seen(member: "Person") -> None:
    """Tool results may hold images, and the usage counts them."""
    call = {"id": "c", "type": "function", "function": {"name": "draw", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "draw something"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": [_data_url("png", PNG)]},
    ]
    answer = member.chat("", model="vision-model", messages=messages, tools=[_tool("draw")]).json()
    assert "1 image" in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["prompt_tokens_details"]["image_tokens"] > 0
