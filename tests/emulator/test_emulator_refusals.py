"""What the emulated service refuses in a chat, with the service's words, and what it takes."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from .conftest import Person

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
USER = {"role": "user", "content": "Hello"}
CALLS = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "3", "tool_call_id": "call_1"}
UNEXPECTED = "The provided messages input is invalid. The error info is [Unexpected item type in content.]"
NO_URL = {"type": "image_url", "image_url": "x"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}


def _error(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()
    assert set(body) <= {"error", "request_id", "id"}
    assert body["request_id"] == answer.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": "qwen3-max"}, "model `qwen3-max` is not supported."),
        ({"model": None}, "is not supported."),
        ({"messages": []}, "[] is too short - 'messages'"),
        ({"max_tokens": 65_537}, "Range of max_tokens should be [1, 65536]"),
        ({"max_completion_tokens": 65_537}, "Range of max_tokens should be [1, 65536]"),
        ({"model": "qwen3-coder-plus", "max_tokens": 70_000}, "[1, 65536]"),
        ({"model": "vision-model", "max_tokens": 8_193}, "[1, 8192]"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10.5}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream_options": {"include_usage": True}}, "'stream_options' only set this when you set stream: true"),
        ({"store": True}, "unknown field store"),
        ({"metadata": {}, "provider": "x", "user": "me"}, "unknown field provider, user"),
        ({"tools": []}, "[] is too short - 'tools'"),
        ({"tools": [{"type": "web_search"}]}, "tools must be of type function"),
        ({"tools": [TOOL], "n": 2}, "n must be 1"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice needs tools"),
        ({"tools": [TOOL], "tool_choice": "required", "enable_thinking": True}, "thinking mode"),
        ({"enable_thinking": True, "reasoning_effort": "low"}, "reasoning_effort excludes"),
        ({"messages": [{"role": "developer", "content": "x"}]}, "'developer' is not one of"),
        ({"messages": [USER, {"role": "assistant"}]}, "Input error. Field required: input.messages.1.content"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}, RESULT]}, "input.messages.1.content"),
        ({"messages": [USER, CALLS, {"role": "tool", "tool_call_id": "call_1"}]}, "input.messages.2.content"),
        ({"messages": [{"role": "user", "content": []}]}, UNEXPECTED),
        ({"messages": [{"role": "user", "content": ["Hello"]}]}, UNEXPECTED),
        ({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}, UNEXPECTED),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, UNEXPECTED),
        ({"messages": [{"role": "user", "content": [{"type": "thinking", "thinking": "x"}]}]}, UNEXPECTED),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, UNEXPECTED),
        (
            {"model": "vision-model", "messages": [{"role": "user", "content": [IMAGE | {"image_url": "x"}]}]},
            UNEXPECTED,
        ),
        ({"model": "vision-model", "messages": [{"role": "system", "content": [IMAGE]}]}, UNEXPECTED),
        ({"messages": [USER, {"role": "assistant", "content": "", "tool_calls": [CALL]}]}, "call_1"),
        ({"messages": [USER, {"role": "assistant", "content": "", "tool_calls": [CALL]}, USER]}, "must be followed"),
        ({"messages": [USER, {"role": "tool", "content": "x", "tool_call_id": "call_1"}]}, "must be a response"),
        ({"messages": [USER, {"role": "assistant", "content": "", "tool_calls": [{"id": "x"}]}]}, "the tool_calls of"),
        ({"messages": [USER | {"tool_calls": [CALL]}]}, "the tool_calls of"),
        ({"messages": ["Hello"]}, "'Hello' is not one of"),
        ({"response_format": {"type": "json_object"}}, "must contain the word 'json'"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "needs a schema"),
        ({"response_format": {"type": "xml"}}, "response_format"),
    ],
)
def test_the_service_refuses(member: "Person", body: dict[str, Any], words: str) -> None:
    """Each bad body is a 400 with the service's envelope."""
    answer = member.chat(**body)
    error = _error(answer)
    assert (answer.status_code, error["code"], error["type"]) == (
        400,
        "invalid_parameter_error",
        "invalid_request_error",
    )
    assert words in error["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"max_tokens": 65_536},
        {"model": "vision-model", "max_tokens": 8_192, "messages": [{"role": "user", "content": [IMAGE]}]},
        {"temperature": 0, "top_p": 1, "seed": 7, "stop": ["x"], "presence_penalty": 1, "n": 2},
        {"enable_thinking": True, "thinking_budget": 100, "preserve_thinking": True, "top_k": 5},
        {
            "messages": [
                USER,
                USER | {"name": "ann"},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "content": [{"type": "text", "text": "3"}], "tool_call_id": "call_1"},
            ],
        },
        {"tools": [TOOL], "parallel_tool_calls": True, "tool_choice": {"type": "function", "function": {"name": "f"}}},
    ],
)
def test_the_service_accepts(member: "Person", body: dict[str, Any]) -> None:
    """What is within the rules is answered."""
    answer = member.chat(**body)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("content", [None, 7, {"type": "text", "text": "Hello"}])
def test_content_that_is_neither_text_nor_parts_is_refused_by_its_type(member: "Person", content: object) -> None:
    """The gateway names the place and the type, which for null is "object"."""
    answer = member.chat(messages=[USER, {"role": "assistant", "content": content}])
    assert answer.status_code == 400
    assert _error(answer) == {
        "message": "Invalid type for 'messages.[1].content': "
        "expected one of a string or array of objects, but got an object instead.",
        "type": "invalid_request_error",
        "param": "'messages.[1].content'",
        "code": "invalid_type",
    }


@pytest.mark.parametrize("arguments", ["", '{"a": 1', "[1]", "null", "1", '"{}"', "{'a': 1}"])
def test_arguments_that_are_no_json_object_are_refused(member: "Person", arguments: str) -> None:
    """What a cut call left in the history ends the conversation."""
    call = CALL | {"function": {"name": "f", "arguments": arguments}}
    answer = member.chat(messages=[USER, CALLS | {"tool_calls": [call]}, RESULT])
    assert answer.status_code == 400
    assert 'The "function.arguments" parameter of the code model must be in JSON format.' in _error(answer)["message"]


VIDEOS = [
    {"type": "video_url", "video_url": {"url": "https://example.com/cat.mp4"}},
    {"type": "video", "video": ["https://example.com/1.png", "https://example.com/2.png"]},
]


@pytest.mark.parametrize("part", VIDEOS, ids=lambda part: str(part["type"]))
def test_a_video_is_for_models_that_watch(member: "Person", part: dict[str, Any]) -> None:
    """By address or as frames; others find it an unexpected item."""
    message = [USER | {"content": [{"type": "text", "text": "What is it?"}, part]}]
    for model, status in (("qwen3.7-plus", 200), ("qwen3.8-flash", 200), ("qwen3.7-max", 400), ("qwen-plus", 400)):
        assert member.chat(key="sk-mine", model=model, messages=message).status_code == status
    assert UNEXPECTED in _error(member.chat(messages=message))["message"]
    for odd in ({"type": "video_url", "video_url": "x"}, {"type": "video", "video": []}):
        assert member.chat(key="sk-mine", model="qwen3.7-plus", messages=[USER | {"content": [odd]}]).status_code == 400


FORCED = {"tools": [TOOL], "tool_choice": "required"}
JSON_OBJECT = {"response_format": {"type": "json_object"}, "messages": [USER | {"content": "Answer in JSON."}]}
IN_STREAMS_ONLY = "parameter.enable_thinking must be set to false for non-streaming calls"


@pytest.mark.parametrize(
    ("model", "body", "words"),
    [
        ("qwen3.7-max", FORCED, "The tool_choice parameter does not support being set to required or object in think"),
        ("qwen3.6-plus", FORCED | {"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
        ("qwen-plus", FORCED | {"enable_thinking": True}, "tool_choice"),
        ("qwen3-235b-a22b-thinking-2507", FORCED | {"stream": True}, "tool_choice"),
        ("qwen-plus", JSON_OBJECT | {"enable_thinking": True}, "Json mode response is not supported when enable_thin"),
        ("qwen3-32b", JSON_OBJECT | {"stream": True}, "Json mode response is not supported"),
        ("qwen3-235b-a22b-thinking-2507", JSON_OBJECT | {"stream": True}, "Json mode response is not supported"),
        ("qwen3-235b-a22b-thinking-2507", {"enable_thinking": False, "stream": True}, "is restricted to True"),
        ("qwen3-8b", {}, IN_STREAMS_ONLY),
        ("qwen3-235b-a22b-thinking-2507", {}, IN_STREAMS_ONLY),
    ],
)
def test_a_model_that_thinks_refuses_what_it_cannot_do_while_thinking(
    member: "Person",
    model: str,
    body: dict[str, Any],
    words: str,
) -> None:
    """Each kind of model by its own rule, with the service's words."""
    answer = member.chat(key="sk-mine", model=model, **body)
    error = _error(answer)
    assert (answer.status_code, error["code"]) == (400, "invalid_parameter_error")
    assert words in error["message"]


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("qwen3.7-max", FORCED | {"enable_thinking": False}),
        ("qwen3.7-max", FORCED | {"reasoning_effort": "none"}),
        ("qwen3.7-max", JSON_OBJECT),
        ("qwen-plus", FORCED),
        ("qwen-plus", JSON_OBJECT),
        ("qwen3-coder-plus", FORCED | {"enable_thinking": True}),
        ("qwen3-8b", {"enable_thinking": False}),
        ("qwen3-8b", {"stream": True}),
        ("qwen3-235b-a22b-thinking-2507", {"stream": True}),
    ],
)
def test_a_model_that_does_not_think_then_takes_it(member: "Person", model: str, body: dict[str, Any]) -> None:
    """The same requests with thinking off, to a model that never thinks, or in a stream."""
    answer = member.chat(key="sk-mine", model=model, **body)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("model", "body", "words"),
    [
        (
            "qwen3.8-flash",
            {"enable_thinking": False},
            "The value of the enable_thinking parameter is restricted to True",
        ),
        ("qwen4-max", {"enable_thinking": False}, "The value of the enable_thinking parameter is restricted to True"),
        ("qwen3.8-flash", {"reasoning_effort": "high"}, "must be one of: 'none', 'low', 'medium', 'xhigh'"),
        ("qwen3.8-max", {"reasoning_effort": "max"}, "must be one of: 'none', 'low', 'medium', 'xhigh'"),
        ("qwen3.8-max-preview", {"reasoning_effort": "none"}, "must be one of: 'low', 'medium', 'xhigh'"),
        ("qwen4-max", {"reasoning_effort": "default"}, "must be one of: 'none', 'minimal', 'low', 'medium', 'high', "),
        ("qwen4-max", {"reasoning_effort": "low", "thinking_budget": 9}, "reasoning_effort excludes"),
        ("qwen4-max", FORCED, "tool_choice"),
    ],
)
def test_a_model_with_efforts_takes_its_own_alone(
    member: "Person", model: str, body: dict[str, Any], words: str
) -> None:
    """VicBilibily/GCMP#384, QwenLM/qwen-code#7659: neither another's word nor another's switch."""
    answer = member.chat(key="sk-mine", model=model, **body)
    assert answer.status_code == 400
    assert words in _error(answer)["message"]


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("qwen3.8-flash", FORCED | {"reasoning_effort": "none"}),
        ("qwen3.8-flash", {"enable_thinking": True, "thinking_budget": 9}),
        ("qwen3.8-max", FORCED | {"enable_thinking": False}),
        ("qwen3.8-max", {"reasoning_effort": "xhigh"}),
        ("qwen4-max", {"reasoning_effort": "minimal"}),
        ("qwen4-max", JSON_OBJECT),
    ],
)
def test_a_model_with_efforts_takes_these(member: "Person", model: str, body: dict[str, Any]) -> None:
    """Its switch and its efforts, and a budget in place of an effort."""
    answer = member.chat(key="sk-mine", model=model, **body)
    assert answer.status_code == 200, answer.text


def test_the_body_of_the_real_cli_is_accepted(member: "Person") -> None:
    """Metadata, cache marks and the vision flag, as captured from qwen-code 0.12.0."""
    marked = {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}}
    last = {"type": "text", "text": "what is 2+2?", "cache_control": {"type": "ephemeral"}}
    frames = member.frames(
        messages=[{"role": "system", "content": [marked]}, {"role": "user", "content": [last]}],
        temperature=0.3,
        stream_options={"include_usage": True},
        tools=[TOOL | {"cache_control": {"type": "ephemeral"}}],
        metadata={"sessionId": "s", "promptId": "s########0"},
        vl_high_resolution_images=True,
    )
    assert "4" in "".join(frame["choices"][0]["delta"].get("content") or "" for frame in frames if frame["choices"])
    assert frames[-1]["usage"]["prompt_tokens_details"]["cache_type"] == "ephemeral"
