"""Rows that replay public reports of what services and gateways send; each names its sources."""

import json
from typing import Any

from langchain_core import exceptions
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from benchmarks.peer_checks import replay
from benchmarks.peer_checks.models import CODER, make, model_class
from benchmarks.peer_checks.replay import USAGE, Json, Reply, chunk, event, serving, stream, whole
from benchmarks.peer_checks.rows import DoesNotApplyError, row
from benchmarks.peer_checks.talk import ONE, Add, called, piece, streamed

ARGUMENTS = '{"a": 1, "b": 2}'
SAID, STOP = chunk({"role": "assistant", "content": "4"}), chunk({}, reason="stop")
FOUR = stream(SAID, STOP)


def _read(reply: Reply, *, streams: bool = True) -> Any:
    with serving(lambda _: reply) as served:
        model = make(CODER, served.url, max_retries=0)
        return streamed(model, "What is 2+2?") if streams else model.invoke("What is 2+2?")


def _refused(reply: Reply, kind: type[exceptions.ModelError], words: str, *, retryable: bool) -> bool:
    """Tell whether a stream ends in an error of a kind that has the service's words and says if a retry helps."""
    try:
        answer = _read(reply)
    except exceptions.ModelError as raised:
        error = raised
    else:
        raise AssertionError(f"passed as an answer: {answer.text!r}")
    assert isinstance(error, kind), f"{type(error).__name__}: {error}"
    assert words in str(error), f"its words are lost: {error}"
    assert error.is_retryable is retryable, f"retryable: {error.is_retryable}"
    return True


# Refusals.


@row("reported: DashScope's error event in a 200 stream is a rate limit, in its words")
def reported_event_error() -> bool:
    """hermes-agent#58017, #86496; spring-ai-extensions#29."""
    data = json.dumps({"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded", "request_id": "r-1"})
    sent = f"id:1\nevent:error\n:HTTP_STATUS/429\ndata:{data}\n\n".encode()
    return _refused(Reply(sent), exceptions.ModelRateLimitError, "Requests rate limit exceeded", retryable=True)


@row("reported: a refusal framed as an event is a spent quota, in its words")
def reported_framed_refusal() -> bool:
    """OpenKB#242."""
    sent = event({"error": {"code": "insufficient_quota", "message": "Free allocated quota exceeded."}})
    return _refused(
        Reply(sent, status=429), exceptions.ModelRateLimitError, "Free allocated quota exceeded", retryable=False
    )


@row("reported: an error's numeric code in a stream is its status")
def reported_numeric_code() -> bool:
    """guidellm#743, sglang#12081."""
    sent = event({"error": {"message": "max_tokens is too large", "code": 400}})
    return _refused(Reply(sent), exceptions.ModelInvalidRequestError, "max_tokens is too large", retryable=False)


@row("reported: a bare error object in a 200 stream is an error, in its words")
def reported_bare_error() -> bool:
    """lemonade#2826, llama.cpp#14566."""
    sent = b'{"error": {"message": "no such model", "code": 404}}'
    return _refused(Reply(sent), exceptions.ModelNotFoundError, "no such model", retryable=False)


# Answers with holes.


@row("reported: a whole answer whose role is null, or missing")
def reported_no_role() -> bool:
    """langchain#27325, #35990; llama.cpp#20198."""
    answers = [_read(whole(message), streams=False) for message in ({"role": None, "content": "4"}, {"content": "4"})]
    return [answer.text for answer in answers] == ["4", "4"]


@row("reported: a whole answer whose message is null is no raw exception")
def reported_no_message() -> bool:
    """langchain#27632; lmstudio-bug-tracker#830: empty, or one of LangChain's errors."""
    try:
        answer = _read(whole(None), streams=False)
    except exceptions.ModelError:
        return True
    return isinstance(answer, AIMessage) and not answer.text


@row("reported: a last chunk whose delta is null: its reason and usage arrive")
def reported_null_delta() -> bool:
    """litellm#20480; qwen-code#1448."""
    answer = _read(Reply(stream(SAID, chunk(None, reason="stop", usage=USAGE))))
    usage = answer.usage_metadata or {}
    return (answer.text, _reason(answer), usage.get("total_tokens")) == ("4", "stop", 7)


def _each_way(arguments: Any) -> bool:
    """Tell whether arguments are read from a whole answer and from a stream."""
    return all(called([piece("c1", "Add", arguments, index=0)], stream=way) == [ONE] for way in (False, True))


@row("reported: arguments encoded twice")
def reported_encoded_twice() -> bool:
    """hermes-agent#90301."""
    return _each_way(json.dumps(ARGUMENTS))


@row("reported: arguments as an object")
def reported_object_arguments() -> bool:
    """langchain#36052; llama.cpp#20198."""
    return _each_way(json.loads(ARGUMENTS))


# Event streams.


@row("reported: a stream that begins with a byte order mark")
def reported_byte_order_mark() -> bool:
    """openai-python#3819: the first event is not lost."""
    return bool(_read(Reply(b"\xef\xbb\xbf" + FOUR)).text == "4")


@row("reported: a stream whose lines end with CR")
def reported_carriage_returns() -> bool:
    """mistral-vibe#793; WHATWG has CR, LF and CRLF."""
    return bool(_read(Reply(FOUR.replace(b"\n", b"\r"))).text == "4")


@row("reported: an event with empty data")
def reported_empty_data() -> bool:
    """openai-python#2722; lathe#131."""
    return bool(_read(Reply(event(SAID) + b"data:\n\n" + stream(STOP))).text == "4")


# Tool calls in a stream.


@row("reported: a tool's name in pieces")
def reported_name_in_pieces() -> bool:
    """openclaw#127603, continue#5849."""
    return called([piece("c1", "A", "", index=0), piece("", "dd", ARGUMENTS, index=0)]) == [ONE]


@row("reported: another id in every fragment of a call")
def reported_ids_everywhere() -> bool:
    """hermes-agent#5254, #106943."""
    later = [piece(f"x{at}", None, each, index=0) for at, each in enumerate(ARGUMENTS)]
    return called([piece("c1", "Add", "", index=0), *later]) == [ONE]


# What LangChain adds up.


def _reason(answer: Any) -> Any:
    return answer.response_metadata.get("finish_reason")


@row("reported: finish_reason twice is one reason")
def reported_finish_twice() -> bool:
    """langchainjs#11054."""
    answer = _read(Reply(stream(SAID, STOP, STOP)))
    return (answer.text, _reason(answer)) == ("4", "stop")


@row("reported: usage twice is counted once")
def reported_usage_twice() -> bool:
    """langchainjs#11054."""
    answer = _read(Reply(stream(SAID, chunk({}, reason="stop", usage=USAGE), {**STOP, "choices": [], "usage": USAGE})))
    return bool(answer.usage_metadata["total_tokens"] == USAGE["total_tokens"])


@row("reported: a character halved between two chunks")
def reported_half_character() -> bool:
    """aider#3693: two halves are no text that any service takes back."""
    answer = _read(Reply(stream(chunk({"content": "4\ud83d"}), chunk({"content": "\ude00"}), STOP)))
    return bool(answer.text == "4\U0001f600")


# What goes back.


@row("reported: an assistant that only calls tools goes back with content")
def reported_content_always() -> bool:
    """agentscope-java#1270, joyagent-jdgenie#99; null is taken beside tool calls."""
    call = {"name": "Add", "args": {"a": 1, "b": 2}, "id": "c1"}
    with serving(lambda _: whole({"role": "assistant", "content": "3"})) as served:
        history = [HumanMessage("Add."), AIMessage("", tool_calls=[call]), ToolMessage("3", tool_call_id="c1")]
        make(CODER, served.url, max_retries=0).bind_tools([Add]).invoke(history)
    return all("content" in message for message in served.asked[-1]["messages"])


@row("reported: a call cut by max_tokens goes back as JSON, and the conversation goes on")
def reported_cut_call() -> bool:
    """nanobot#1487, #2469; vllm#43995: from a whole answer and from a stream."""

    def answer(asked: Json) -> Reply:
        if len(asked["messages"]) == 1:
            return replay.tool_calls(asked, [piece("c1", "Add", '{"a": 1, "b', index=0)], reason="length")
        return whole({"role": "assistant", "content": "3"})

    for way in (False, True):
        with serving(answer) as served:
            model = make(CODER, served.url, max_retries=0).bind_tools([Add])
            cut = streamed(model, "Add.") if way else model.invoke("Add.")
            model.invoke([HumanMessage("Add."), cut, HumanMessage("Go on.")])
        for message in served.asked[-1]["messages"]:
            for call in message.get("tool_calls") or []:
                assert isinstance(json.loads(call["function"]["arguments"]), dict)
    return True


# Options and the machine's variables.


@row("reported: stream_usage=False sends no stream_options")
def reported_no_stream_options() -> bool:
    """vercel/ai#1578: servers that do not know the field refuse it."""
    if "stream_usage" not in model_class().model_fields:
        raise DoesNotApplyError("it has no such option")
    with serving(lambda _: Reply(FOUR)) as served:
        streamed(make(CODER, served.url, max_retries=0, stream_usage=False), "What is 2+2?")
    return "stream_options" not in served.asked[-1]


@row("reported: NO_PROXY with half an address in brackets stops nothing", NO_PROXY="localhost,[::1")
def reported_no_proxy() -> bool:
    """nanobot#5425; basic-memory#1541."""
    return bool(_read(Reply(FOUR)).text == "4")
