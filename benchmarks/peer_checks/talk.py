"""Rows about what is said: streams, tools, schemas, reasoning, pictures, usage."""

import asyncio
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import BaseModel, Field

from benchmarks.peer_checks import replay, service
from benchmarks.peer_checks.models import CODER, VISION, make, model_class, named
from benchmarks.peer_checks.rows import row

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
JOKE = 'Tell me a joke. Answer in JSON with the keys "setup" and "punchline".'


class Joke(BaseModel):
    """A joke."""

    setup: str = Field(description="The first half.")
    punchline: str = Field(description="The second half.")


class Add(BaseModel):
    """Add two numbers."""

    a: int
    b: int


def last_body() -> dict[str, Any]:
    """Return what was sent last."""
    body: dict[str, Any] = service.log()[-1]["body"]
    return body


def streamed(model: Any, prompt: Any) -> Any:
    """Ask for a stream and add it up."""
    chunks = list(model.stream(prompt))
    return sum(chunks[1:], chunks[0])


@row("streams natively")
def native_stream() -> bool:
    """More than one piece, by a method of its own."""
    pieces = [chunk for chunk in make().stream("Count to 5") if chunk.text]
    return len(pieces) > 1 and model_class()._stream is not BaseChatModel._stream  # noqa: SLF001


@row("streams natively on an event loop")
def native_astream() -> bool:
    """The same, async."""

    async def ask() -> list[Any]:
        return [chunk async for chunk in make().astream("Count to 5") if chunk.text]

    return len(asyncio.run(ask())) > 1 and model_class()._astream is not BaseChatModel._astream  # noqa: SLF001


@row('tools forced: tool_choice "any"')
def tool_choice_any() -> bool:
    """It is sent as required."""
    called = make().bind_tools([Add], tool_choice="any").invoke("Hello, 1 and 2.")
    return bool(called.tool_calls) and last_body()["tool_choice"] == "required"


@row("tools forced: by name")
def tool_choice_named() -> bool:
    """It is sent with the name."""
    make().bind_tools([Add], tool_choice="Add").invoke("Hello, 1 and 2.")
    return bool(last_body()["tool_choice"]["function"]["name"] == "Add")


@row("parallel_tool_calls=False arrives")
def parallel_tool_calls() -> bool:
    """It is in the request."""
    make().bind_tools([Add], parallel_tool_calls=False).invoke("Hello.")
    return last_body().get("parallel_tool_calls") is False


@row("strict=True arrives")
def strict() -> bool:
    """It is in the tool's definition."""
    make().bind_tools([Add], strict=True).invoke("Hello.")
    return last_body()["tools"][0]["function"].get("strict") is True


@row("thinking and a forced tool: works, and thinking is back in the next request")
def thinking_and_forced_tool() -> bool:
    """One model, two requests."""
    model = make(**_thinking())
    called = model.bind_tools([Add], tool_choice="any").invoke("Add 1 and 2.")
    model.invoke("What is 1+2?")
    return bool(called.tool_calls) and last_body().get("enable_thinking") is True


@row("structured output: function_calling")
def function_calling() -> bool:
    """A schema's instance comes back."""
    return isinstance(make().with_structured_output(Joke, method="function_calling").invoke(JOKE), Joke)


@row("structured output: json_mode")
def json_mode() -> bool:
    """A schema's instance comes back."""
    return isinstance(make().with_structured_output(Joke, method="json_mode").invoke(JOKE), Joke)


@row("structured output: json_schema")
def json_schema() -> bool:
    """A schema's instance comes back."""
    return isinstance(make().with_structured_output(Joke, method="json_schema").invoke(JOKE), Joke)


@row("structured output streams in parts")
def structured_stream() -> bool:
    """By the default method."""
    return len(list(make().with_structured_output(Joke.model_json_schema()).stream(JOKE))) > 1


def _blocks(message: Any) -> list[str]:
    return [block["type"] for block in message.content_blocks]


@row("reasoning blocks: invoke")
def reasoning_invoke() -> bool:
    """Reasoning, then text."""
    service.scenario("reasoning")
    return _blocks(make().invoke("What is 2+2?")) == ["reasoning", "text"]


@row("reasoning blocks: stream")
def reasoning_stream() -> bool:
    """Reasoning, then text."""
    service.scenario("reasoning")
    return _blocks(streamed(make(), "What is 2+2?")) == ["reasoning", "text"]


@row("reasoning blocks: v1")
def reasoning_v1() -> bool:
    """Reasoning, then text, in content itself or parsed from it."""
    service.scenario("reasoning")
    model = make(output_version="v1")
    return _blocks(model.invoke("What is 2+2?")) == _blocks(streamed(model, "What is 2+2?")) == ["reasoning", "text"]


@row("reasoning blocks: stream_events v3")
def reasoning_v3() -> bool:
    """A block for each is begun."""
    service.scenario("reasoning")
    events = make().stream_events("What is 2+2?", version="v3")
    return [each["content"]["type"] for each in events if each["event"] == "content-block-start"] == [
        "reasoning",
        "text",
    ]


@row("pictures in messages")
def picture() -> bool:
    """As data."""
    answer = make(VISION).invoke([HumanMessage([{"type": "text", "text": "What is this?"}, PICTURE])])
    return "PNG image of 1x1" in answer.text


@row("pictures in tool messages")
def picture_of_a_tool() -> bool:
    """As data."""
    call = {"name": "Add", "args": {"a": 1, "b": 2}, "id": "c1"}
    result = ToolMessage([PICTURE], tool_call_id="c1")
    make(VISION).bind_tools([Add]).invoke([HumanMessage("Look."), AIMessage("", tool_calls=[call]), result])
    return "image_url" in str(last_body()["messages"][-1])


@row("usage: cached input and reasoning tokens")
def usage_details() -> bool:
    """In a whole answer."""
    service.scenario("reasoning")
    model = make()
    model.invoke("What is 2+2?")
    usage = model.invoke("What is 2+2?").usage_metadata
    return bool(usage["input_token_details"]["cache_read"] and usage["output_token_details"]["reasoning"])


@row("usage: cache writes, where prompts are marked")
def usage_cache_creation() -> bool:
    """With cache_control in a text part."""
    part = {"type": "text", "text": "What is 7+8?", "cache_control": {"type": "ephemeral"}}
    usage = make().invoke([HumanMessage([part])]).usage_metadata
    return bool(usage["input_token_details"].get("cache_creation"))


@row("usage: in streams, unasked")
def usage_in_streams() -> bool:
    """By default."""
    return bool(streamed(make(), "What is 2+2?").usage_metadata)


@row("the model of one call")
def model_of_a_call() -> bool:
    """A call's model= is sent."""
    make().invoke("Hi", model=named("qwen3-coder-plus"))
    return bool(last_body()["model"] == "qwen3-coder-plus")


def called(fragments: list[replay.Json], *, stream: bool = True) -> list[Any]:
    """Return name, arguments and whether there is an id, of each call that a model reads from these fragments."""
    with replay.serving(lambda asked: replay.tool_calls(asked, fragments)) as served:
        model = make(CODER, served.url, max_retries=0).bind_tools([Add])
        message = streamed(model, "Add.") if stream else model.invoke("Add.")
    return [(call["name"], call["args"], bool(call["id"])) for call in message.tool_calls]


def piece(call_id: str | None, name: str | None, arguments: Any, **more: Any) -> replay.Json:
    """Write a fragment of a call, or a whole one."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


ONE, TWO = ("Add", {"a": 1, "b": 2}, True), ("Add", {"a": 3, "b": 4}, True)


@row("tool calls: later ids empty")
def odd_empty_ids() -> bool:
    """As the service sends them."""
    return called([piece("c1", "Add", '{"a": 1,', index=0), piece("", None, ' "b": 2}', index=0)]) == [ONE]


@row("tool calls: no index")
def odd_no_index() -> bool:
    """Fragments without one are not lost."""
    return called([piece("c1", "Add", '{"a": 1,'), piece("", None, ' "b": 2}')]) == [ONE]


@row("tool calls: no ids at all")
def odd_no_ids() -> bool:
    """A result must name its call, so each needs one."""
    return called([piece("", "Add", '{"a": 1, "b": 2}', index=0)]) == [ONE]


@row("tool calls: an index used again")
def odd_reused_index() -> bool:
    """Two calls under one index."""
    first, second = '{"a": 1, "b": 2}', '{"a": 3, "b": 4}'
    return called([piece("c1", "Add", first, index=0), piece("c2", "Add", second, index=0)]) == [ONE, TWO]


@row("tool calls: an index that changes within a call")
def odd_changing_index() -> bool:
    """The call stays one."""
    return called([piece("c1", "Add", '{"a": 1,', index=0), piece("", None, ' "b": 2}', index=1)]) == [ONE]


@row("tool calls: unclosed JSON in a whole answer")
def odd_unclosed() -> bool:
    """Brackets were all that lacked."""
    return called([piece("c1", "Add", '{"a": 1, "b": 2', index=0)], stream=False) == [ONE]


def _thinking() -> dict[str, Any]:
    known = model_class().model_fields
    if "enable_thinking" in known:
        return {"enable_thinking": True}
    return {"extra_body" if "extra_body" in known else "model_kwargs": {"enable_thinking": True}}
