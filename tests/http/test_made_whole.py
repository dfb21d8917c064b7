"""Answers with holes and streams in odd pieces, as PortalClient hands them on: one form, nothing twice or lost."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

import qwen_portal
from qwen_portal.answers import call_arguments, tool_calls
from qwen_portal.answers.chunks import ChunkReader
from qwen_portal.answers.completions import whole_answer
from qwen_portal.answers.tool_calls import StreamedCalls
from qwen_portal.errors import QwenStreamError
from tests.reported import call, chunk, framed, keep_key, stream_of
from tests.reported_answers import STREAMED, WHOLE, Meant
from tests.scripted import answering
from tests.ways import HELLO

Answer = dict[str, Any]


def chat() -> Answer:
    """Ask for a whole answer."""
    return qwen_portal.PortalClient(max_retries=0).chat(HELLO)


def achat() -> Answer:
    """Ask for a whole answer on an event loop."""

    async def ask() -> Answer:
        try:
            return await qwen_portal.AsyncPortalClient(max_retries=0).chat(HELLO)
        finally:
            await qwen_portal.aclose()

    return asyncio.run(ask())


def stream() -> list[Answer]:
    """Ask for a streamed answer."""
    return list(qwen_portal.PortalClient(max_retries=0).stream(HELLO))


def astream() -> list[Answer]:
    """Ask for a streamed answer on an event loop."""

    async def ask() -> list[Answer]:
        try:
            return [each async for each in qwen_portal.AsyncPortalClient(max_retries=0).stream(HELLO)]
        finally:
            await qwen_portal.aclose()

    return asyncio.run(ask())


def summed(chunks: list[Answer]) -> Answer:
    """Put chunks together as a client that trusts OpenAI's form does: no field is looked for that may be missing."""
    answer: Answer = {
        "content": "",
        "calls": {},
        "reasons": [],
        "usages": [each["usage"] for each in chunks if "usage" in each],
    }
    for each in chunks:
        for choice in each["choices"]:
            answer["content"] += choice["delta"]["content"]
            answer["reasons"] += [choice["finish_reason"]] if choice["finish_reason"] else []
            for piece in choice["delta"].get("tool_calls", ()):
                known = answer["calls"].setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
                known["id"] += piece["id"] or ""
                known["name"] += piece["function"]["name"] or ""
                known["arguments"] += piece["function"]["arguments"]
    return answer


def assert_meant(meant: Meant, calls: list[tuple[str, str]]) -> None:
    """Compare calls with those that were meant, in their order."""
    good = [(name, json.loads(arguments)) for name, arguments in calls if name and call_arguments.is_object(arguments)]
    assert good == list(meant.calls)
    assert len(calls) == len(meant.calls) + len(meant.invalid)


@pytest.mark.parametrize("ask", [chat, achat])
@pytest.mark.parametrize(
    "meant", [pytest.param(each, id=name, marks=pytest.mark.reported(each.source)) for name, each in WHOLE.items()]
)
def test_a_whole_answer_has_no_holes(meant: Meant, ask: Callable[[], Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    """langchain#27325, #36052; litellm#20480; llama.cpp#20198; aider#3693: see tests/reported_answers.py."""
    keep_key()
    with answering(meant.answer, monkeypatch):
        answer = ask()
    (choice,) = answer["choices"]
    message = choice["message"]
    assert (message["role"], message["content"]) == ("assistant", meant.text)
    assert (choice["index"], choice["finish_reason"]) == (0, meant.reason)
    made = message.get("tool_calls", [])
    assert_meant(meant, [(each["function"]["name"], each["function"]["arguments"]) for each in made])
    ids = [each["id"] for each in made]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    if meant.usage is not None:
        assert (answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]) == meant.usage


@pytest.mark.parametrize("ask", [stream, astream])
@pytest.mark.parametrize(
    "meant", [pytest.param(each, id=name, marks=pytest.mark.reported(each.source)) for name, each in STREAMED.items()]
)
def test_a_stream_adds_up(meant: Meant, ask: Callable[[], list[Answer]], monkeypatch: pytest.MonkeyPatch) -> None:
    """openclaw#127603, hermes-agent#5254, #8259, langchainjs#11054, aider#3693: see tests/reported_answers.py."""
    keep_key()
    with answering(meant.answer, monkeypatch):
        answer = summed(ask())
    assert answer["content"] == meant.text
    assert answer["reasons"] == [meant.reason]
    calls = [answer["calls"][index] for index in sorted(answer["calls"])]
    assert_meant(meant, [(each["name"], each["arguments"]) for each in calls])
    ids = [each["id"] for each in calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    usages = [(each["prompt_tokens"], each["completion_tokens"]) for each in answer["usages"]]
    assert usages == ([] if meant.usage is None else [meant.usage])


def test_a_good_stream_keeps_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text as it comes, the reason to finish once all is said, then the usage; one id and one model throughout."""
    keep_key()
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    response = stream_of(
        chunk({"role": "assistant", "content": ""}, system_fingerprint="f"),
        chunk({"content": "4"}) | {"id": "another", "model": "another"},
        chunk({}, reason="stop"),
        {"choices": [], "usage": usage},
    )
    with answering(lambda request: response, monkeypatch):
        chunks = stream()
    assert [each["choices"][0]["finish_reason"] if each["choices"] else "usage" for each in chunks] == [
        None,
        None,
        "stop",
        "usage",
    ]
    assert {(each["id"], each["model"], each["system_fingerprint"]) for each in chunks} == {("c-1", "m", "f")}
    assert [each.get("usage") for each in chunks] == [None, None, None, usage]
    assert [each["choices"][0]["delta"].get("role") for each in chunks[:3]] == ["assistant", None, None]


def test_choices_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """With n=2 each has its own text, calls and reason."""
    reader = ChunkReader("h")
    both = [
        {"index": 0, "delta": {"content": "a", "tool_calls": [call("{}")]}, "finish_reason": "stop"},
        {"index": 1, "delta": {"content": "b", "tool_calls": [call("{}", name="multiply")]}, "finish_reason": "length"},
    ]
    chunks = [*reader.feed(framed({"choices": both}) + b"data: [DONE]\n\n"), *reader.end()]
    assert [[choice["index"] for choice in each["choices"]] for each in chunks] == [[0, 1], [0], [1]]
    assert [each["choices"][0]["finish_reason"] for each in chunks[1:]] == ["stop", "length"]
    names = [made["function"]["name"] for each in chunks[0]["choices"] for made in each["delta"]["tool_calls"]]
    assert names == ["add", "multiply"]


def test_a_message_at_the_end_is_not_said_twice() -> None:
    """Some gateways send the whole once more; where nothing came before, it is the answer."""
    whole: Answer = {"choices": [{"index": 0, "message": {"content": "4"}, "finish_reason": "stop"}]}
    reader = ChunkReader("h")
    assert summed([*reader.feed(framed(whole)), *reader.end()])["content"] == "4"
    reader = ChunkReader("h")
    assert summed([*reader.feed(framed(chunk({"content": "4"})) + framed(whole)), *reader.end()])["content"] == "4"
    reader, whole["choices"][0]["delta"] = ChunkReader("h"), {}
    assert summed([*reader.feed(framed(chunk({"role": "assistant"})) + framed(whole)), *reader.end()])["content"] == "4"


@pytest.mark.parametrize("arguments", ['{"a": 1', '"{\\"a\\": 1', '{"a": "'])
def test_what_the_limit_cut_stays_cut(arguments: str) -> None:
    """Brackets would hide that more was to come; whole and streamed agree."""
    message = {"tool_calls": [call(arguments)]}
    whole = whole_answer({"choices": [{"message": message, "finish_reason": "length"}]})
    assert whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == arguments
    reader = ChunkReader("h")
    chunks = [*reader.feed(framed(chunk(message)) + framed(chunk({}, reason="length"))), *reader.end()]
    assert summed(chunks)["calls"][0]["arguments"] == arguments


def test_fields_of_another_type_are_left_out_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """They are beside the answer: it is read all the same, and the log says what is missing."""
    caplog.set_level("DEBUG", "qwen_portal")
    answer = whole_answer({"id": 5, "choices": [{"message": {"content": "4", "refusal": [], "x": 1}, "logprobs": 3}]})
    assert "id" not in answer
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "4", "x": 1}
    assert [record.args[0] for record in caplog.records if record.args] == ["id", "refusal", "logprobs"]  # type: ignore[index]


def test_a_broken_stream_has_the_halves_of_its_calls() -> None:
    """An error has the calls as they were put together, name and all."""
    reader = ChunkReader("h")
    list(reader.feed(framed(chunk({"content": "4", "tool_calls": [call("", name="get_")]}))))
    list(reader.feed(framed(chunk({"tool_calls": [call('{"a"', name="weather", call_id="")]}))))
    with pytest.raises(QwenStreamError) as caught:
        list(reader.end())
    assert caught.value.partial_text == "4"
    assert [each["function"] for each in caught.value.partial_tool_calls] == [
        {"name": "get_weather", "arguments": '{"a"'}
    ]


@pytest.mark.reported("hermes-agent#8259")
def test_every_character_of_a_call_is_looked_at_a_fixed_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """hermes-agent#8259: 64 KB in 8,000 fragments, each with the name; it was quadratic and blocked the event loop."""
    arguments = json.dumps({"text": "x" * 64_000})
    fragments = [arguments[at : at + 8] for at in range(0, len(arguments), 8)]
    searched: list[int] = []
    parsed: list[int] = []
    real_feed, real_loads = call_arguments.Nesting.feed, json.loads

    def feed(self: Any, piece: str) -> None:
        searched.append(len(piece))
        real_feed(self, piece)

    def loads(text: str, **options: Any) -> Any:
        parsed.append(len(text))
        return real_loads(text, **options)

    monkeypatch.setattr(call_arguments.Nesting, "feed", feed)
    monkeypatch.setattr("qwen_portal.answers.call_arguments.json.loads", loads)
    calls = StreamedCalls()
    pieces = [piece for each in fragments for piece in calls.add(call(each))] + calls.end(cut=False)
    assert "".join(piece["function"]["arguments"] for piece in pieces) == arguments
    assert sum(searched) == len(arguments)
    assert sum(parsed) <= len(arguments)


def test_many_calls_are_found_without_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fragment looks at the call it continues, not at all of them."""
    asked = 0
    real = tool_calls._Call.is_ended_by

    def count(self: Any, *args: Any, **options: Any) -> bool:
        nonlocal asked
        asked += 1
        return real(self, *args, **options)

    monkeypatch.setattr(tool_calls._Call, "is_ended_by", count)
    calls = StreamedCalls()
    for number in range(500):
        calls.add(call("{", call_id=f"c{number}", index=number))
        calls.add(call("}", name="", call_id=f"d{number}", index=number))
    assert asked <= 1_000
    assert len(calls.so_far()) == 500
