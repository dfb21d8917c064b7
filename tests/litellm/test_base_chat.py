"""The points of LiteLLM's own suite for a chat provider, BaseLLMChatTest, under its names, against the emulator.

That suite cannot run for a provider outside LiteLLM: it looks the provider up in an enum, throws the registered models
away and then skips. What does not apply to this service is refused with a 4xx, which each such test asserts.
"""

import base64
import json
from typing import Any

import litellm
import pytest
from litellm import exceptions
from litellm.litellm_core_utils.streaming_handler import CustomStreamWrapper
from litellm.types.utils import CallTypes
from pydantic import BaseModel

from qwen_portal.emulator import Emulator
from tests.litellm.ways import HELLO, MODEL, acall, call

VISION = "qwen-portal/vision-model"
SYNC_OR_ASYNC = {"sync": call, "async": acall}
PDF = f"data:application/pdf;base64,{base64.b64encode(b'%PDF-1.4 nothing').decode()}"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city, such as Paris"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["location"],
        },
    },
}


class Event(BaseModel):
    """Something in a calendar."""

    name: str
    date: str
    participants: list[str]


class Events(BaseModel):
    """Several of them."""

    events: list[Event]


def user(*parts: dict[str, Any]) -> list[Any]:
    """Make one message of parts, the first of them a question."""
    return [{"role": "user", "content": [{"type": "text", "text": "What is in this?"}, *parts]}]


def function(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Describe a function whose properties are all required."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": "A function", "parameters": parameters}}


def called(response: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the names and arguments of the calls in an answer."""
    made = response.choices[0].message.tool_calls or []
    return [(each.function.name, json.loads(each.function.arguments)) for each in made]


def test_developer_role_translation(signed_in: Emulator) -> None:
    """A developer's message is answered as a system's."""
    response = call([{"role": "developer", "content": "Be a good bot!"}, *HELLO])
    assert response.choices[0].message.content
    assert [message["role"] for message in signed_in.chats()[-1].body["messages"]] == ["system", "user"]


def test_content_list_handling(signed_in: Emulator) -> None:
    """A message may be a list of parts."""
    assert call([{"role": "user", "content": [{"type": "text", "text": "What is 2+2?"}]}]).choices[0].message.content


def test_tool_call_with_property_type_array(signed_in: Emulator) -> None:
    """A property may have two types, and arguments fit one of them."""
    tool = function("shoe_get_id", {"shoe_id": {"type": ["string", "number"], "description": "The shoe's ID or name"}})
    response = call([{"role": "user", "content": "Look up the shoe Air Jordan."}], tools=[tool])
    ((name, arguments),) = called(response)
    assert name == "shoe_get_id"
    assert isinstance(arguments["shoe_id"], str | int | float)


def test_tool_call_with_empty_enum_property(signed_in: Emulator) -> None:
    """An enumeration may hold the empty text, and the argument is one of its values."""
    modes = ["", "product_search", "product_search_with_filters"]
    tool = function("product_search", {"search_mode": {"type": "string", "default": "", "enum": modes}})
    ((_, arguments),) = called(call([{"role": "user", "content": "Use product_search for phones."}], tools=[tool]))
    assert arguments["search_mode"] in modes
    assert (
        signed_in.chats()[-1].body["tools"][0]["function"]["parameters"]["properties"]["search_mode"]["enum"] == modes
    )


def test_streaming(signed_in: Emulator) -> None:
    """LiteLLM's own stream, one time of creation, and its chunks make the answer again."""
    stream = call(stream=True)
    assert isinstance(stream, CustomStreamWrapper)
    chunks = list(stream)
    assert len({chunk.created for chunk in chunks}) == 1
    rebuilt: Any = litellm.stream_chunk_builder(chunks)
    assert "4" in rebuilt.choices[0].message.content
    assert rebuilt.usage.total_tokens > 0


def test_pydantic_model_input(signed_in: Emulator) -> None:
    """A message may be LiteLLM's object."""
    assert call([litellm.Message(content="What is 2+2?", role="user")]).choices[0].message.content
    assert signed_in.chats()[-1].body["messages"] == [{"role": "user", "content": "What is 2+2?"}]


def test_web_search(signed_in: Emulator) -> None:
    """OpenAI's search is not the service's: a bad request, rather than an answer that only looks searched."""
    assert not litellm.utils.supports_web_search(MODEL)
    with pytest.raises(exceptions.BadRequestError, match="enable_search") as caught:
        call(web_search_options={})
    assert caught.value.status_code == 400


def test_url_context(signed_in: Emulator) -> None:
    """A tool that is no function is a bad request."""
    assert not litellm.utils.supports_url_context(MODEL)
    with pytest.raises(exceptions.BadRequestError) as caught:
        call(tools=[{"urlContext": {}}])
    assert caught.value.status_code == 400


@pytest.mark.parametrize("way", SYNC_OR_ASYNC)
def test_pdf_handling(signed_in: Emulator, way: str) -> None:
    """A PDF is no modality of these models: a bad request."""
    assert not litellm.utils.supports_pdf_input(VISION)
    with pytest.raises(exceptions.BadRequestError) as caught:
        SYNC_OR_ASYNC[way](user({"type": "file", "file": {"file_data": PDF}}), model=VISION)
    assert caught.value.status_code == 400


def test_async_pdf_handling_with_file_id(signed_in: Emulator) -> None:
    """There is no store of files either."""
    with pytest.raises(exceptions.BadRequestError) as caught:
        acall(user({"type": "file", "file": {"file_id": "https://example.com/dummy.pdf"}}), model=VISION)
    assert caught.value.status_code == 400


def test_file_data_unit_test(signed_in: Emulator) -> None:
    """The raw request shows what would be sent."""
    wanted = {"model": VISION, "messages": user({"type": "file", "file": {"file_data": PDF}})}
    raw: Any = litellm.utils.return_raw_request(endpoint=CallTypes.completion, kwargs=wanted)
    assert PDF in json.dumps(raw["raw_request_body"])


def test_message_with_name(signed_in: Emulator) -> None:
    """A message may name its author."""
    named = {"role": "user", "content": "Hello", "name": "test_name"}
    assert call([named]).choices[0].message.content
    assert signed_in.chats()[-1].body["messages"] == [named]


@pytest.mark.parametrize("kind", ["json_object", "text"])
def test_json_response_format(signed_in: Emulator, kind: str) -> None:
    """Both formats are answered, and the first with JSON."""
    question = [{"role": "user", "content": "Respond with this in json. city=San Francisco, state=CA, temp=60"}]
    content = call(question, response_format={"type": kind}).choices[0].message.content
    assert content
    if kind == "json_object":
        assert isinstance(json.loads(content), dict)


def test_response_format_type_text_with_tool_calls_no_tool_choice(signed_in: Emulator) -> None:
    """The format text does not keep a tool from being called, nor choose one."""
    question = [{"role": "user", "content": "What's the weather like in Boston today?"}]
    response = call(question, response_format={"type": "text"}, tools=[WEATHER], drop_params=True)
    assert [name for name, _ in called(response)] == ["get_current_weather"]
    assert "tool_choice" not in signed_in.chats()[-1].body


def test_response_format_type_text(signed_in: Emulator) -> None:
    """The format text is not turned into a tool."""
    call(response_format={"type": "text"})
    assert not {"tools", "tool_choice"} & signed_in.chats()[-1].body.keys()


def test_json_response_pydantic_obj(signed_in: Emulator) -> None:
    """A class is the format: the answer is one of its objects, and no tool call."""

    class First(BaseModel):
        first_response: str

    message = call(response_format=First).choices[0].message
    assert First.model_validate_json(message.content).first_response
    assert message.tool_calls is None


def test_json_response_pydantic_obj_nested_obj(signed_in: Emulator) -> None:
    """An object inside an object arrives whole."""

    class Calendar(BaseModel):
        next_event: Event

    assert Calendar.model_validate_json(call(response_format=Calendar).choices[0].message.content).next_event.name


def test_json_response_nested_pydantic_obj(signed_in: Emulator) -> None:
    """So do objects in a list, and no tool is called for it."""
    question = [{"role": "user", "content": "List 5 important events in the XIX century"}]
    message = call(question, response_format=Events).choices[0].message
    assert Events.model_validate_json(message.content).events
    assert message.tool_calls is None


def test_json_response_nested_json_schema(signed_in: Emulator) -> None:
    """The same as a JSON schema, which is sent as it is given."""
    from litellm.llms.base_llm.base_utils import type_to_response_format_param

    wanted = type_to_response_format_param(Events)
    message = call(response_format=wanted).choices[0].message
    assert Events.model_validate_json(message.content).events
    assert signed_in.chats()[-1].body["response_format"] == wanted


def test_audio_input(signed_in: Emulator) -> None:
    """Sound is no modality of these models: a bad request."""
    with pytest.raises(exceptions.BadRequestError) as caught:
        call(user({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}), model=VISION)
    assert caught.value.status_code == 400


def test_json_response_format_stream(signed_in: Emulator) -> None:
    """A streamed JSON answer is JSON when it is put together."""
    question = [{"role": "user", "content": "Respond with this in json. city=San Francisco, state=CA"}]
    chunks = call(question, response_format={"type": "json_object"}, stream=True)
    assert isinstance(json.loads("".join(chunk.choices[0].delta.content or "" for chunk in chunks)), dict)


def test_tool_call_no_arguments(signed_in: Emulator) -> None:
    """A call without arguments in the history is sent as ``{}``."""
    made = {"id": "call_1", "type": "function", "function": {"name": "Get-FAQ", "arguments": "{}"}}
    history = [
        {"role": "user", "content": "What do people ask?"},
        {"role": "assistant", "content": "", "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Where is the river?"},
    ]
    assert "river" in call(history, tools=[function("Get-FAQ", {})]).choices[0].message.content
    assert signed_in.chats()[-1].body["messages"][1]["tool_calls"][0]["function"]["arguments"] == "{}"


@pytest.mark.parametrize("detail", [None, "low", "high"])
@pytest.mark.parametrize("url", ["http://example.com/a.jpg", "https://example.com/b.png"])
def test_image_url(signed_in: Emulator, detail: str | None, url: str) -> None:
    """An image is sent by its address, plain or not, with the detail that is asked for."""
    image = {"url": url} if detail is None else {"url": url, "detail": detail}
    assert call(user({"type": "image_url", "image_url": image}), model=VISION).choices[0].message.content
    assert signed_in.chats()[-1].body["messages"][0]["content"][1]["image_url"] == image


def test_image_url_string(signed_in: Emulator) -> None:
    """A bare address is an image too."""
    part = {"type": "image_url", "image_url": "https://example.com/b.png"}
    assert call(user(part), model=VISION).choices[0].message.content
    assert signed_in.chats()[-1].body["messages"][0]["content"][1]["image_url"] == {"url": "https://example.com/b.png"}


def test_prompt_caching(signed_in: Emulator) -> None:
    """A mark for the cache reaches the service, and usage adds up, with what came from the cache apart."""
    part = {"type": "text", "text": "Here is a long text. " * 400, "cache_control": {"type": "ephemeral"}}
    question: list[Any] = [{"role": "system", "content": [part]}, *HELLO]
    for _ in range(2):
        usage = call(question).usage
    assert signed_in.chats()[-1].body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens >= usage.prompt_tokens_details.cached_tokens > 0


def test_empty_tools(signed_in: Emulator) -> None:
    """An empty list is no tools."""
    assert call(tools=[]).choices[0].message.content


def test_basic_tool_calling(signed_in: Emulator) -> None:
    """Two turns: a call that ends with its reason, and an answer to its result."""
    question = [{"role": "user", "content": "What's the weather like in Paris?"}]
    first = call(question, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    ((name, arguments),) = called(first)
    assert (name, arguments["location"]) == ("get_current_weather", "Paris")
    message = first.choices[0].message
    assert "<thinking>" not in (message.content or "")
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "name": name, "content": "19 degrees"}
    assert "19" in call([*question, message, result], tools=[WEATHER]).choices[0].message.content


def test_completion_cost(signed_in: Emulator) -> None:
    """The portal costs nothing, which LiteLLM knows; a deployment of a plan that does names its price."""
    assert litellm.completion_cost(call()) == 0.0
    prices: dict[str, Any] = {
        "input_cost_per_token": 0.003,
        "output_cost_per_token": 0.002,
        "cache_read_input_token_cost": 0.001,
    }
    name = "qwen-portal/qwen3-coder-plus"
    free = {price: litellm.model_cost[name][price] for price in prices}
    try:
        priced = call(model=name, **prices)
    finally:
        # LiteLLM keeps a price for the process
        litellm.register_model({name: litellm.model_cost[name] | free})
    cached = priced.usage.prompt_tokens_details.cached_tokens
    expected = (priced.usage.prompt_tokens - cached) * 0.003 + cached * 0.001 + priced.usage.completion_tokens * 0.002
    assert priced._hidden_params["response_cost"] == pytest.approx(expected)


def test_supports_audio_input() -> None:
    """LiteLLM knows both models, and that neither hears or speaks."""
    for model in (MODEL, VISION):
        assert litellm.get_model_info(model)["mode"] == "chat"
        assert not litellm.utils.supports_audio_input(model)
        assert not litellm.utils.supports_audio_output(model)


def test_function_calling_with_tool_response(signed_in: Emulator) -> None:
    """A streamed call is put together, goes back as LiteLLM's object, and its result is answered in a stream."""
    question: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    rebuilt: Any = litellm.stream_chunk_builder(list(call(question, tools=[WEATHER], stream=True)), messages=question)
    (made,) = rebuilt.choices[0].message.tool_calls
    question += [
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": made.id, "name": made.function.name, "content": "19 degrees"},
    ]
    second = call(question, tools=[WEATHER], stream=True)
    assert "19" in "".join(chunk.choices[0].delta.content or "" for chunk in second)


def test_reasoning_effort(signed_in: Emulator) -> None:
    """It is a parameter of this provider, without drop_params, and the reasoning is counted."""
    response = call(reasoning_effort="low")
    assert response.choices[0].message.reasoning_content
    assert response.usage.completion_tokens_details.reasoning_tokens > 0


def test_non_streaming_reasoning_effort(signed_in: Emulator) -> None:
    """The base suite for reasoning models: reasoning apart from the text."""
    message = call(reasoning_effort="low").choices[0].message
    assert message.reasoning_content
    assert message.reasoning_content not in message.content


def test_streaming_reasoning_effort(signed_in: Emulator) -> None:
    """The same in a stream, with the tokens in its usage."""
    chunks = list(call(reasoning_effort="low", stream=True, stream_options={"include_usage": True}))
    assert any(getattr(chunk.choices[0].delta, "reasoning_content", None) for chunk in chunks if chunk.choices)
    usage = [chunk.usage for chunk in chunks if getattr(chunk, "usage", None)][-1]
    assert usage.completion_tokens_details.reasoning_tokens > 0
