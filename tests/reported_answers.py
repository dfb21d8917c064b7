"""Answers with holes, and streams in odd pieces, as public reports have them, with what was meant.

Each case is tried at every door; see also tests/reported.py.
"""

import json
from typing import Any, NamedTuple

import httpx

from tests.reported import SSE, call, chunk, framed, stream_of, whole_of

HOLES = (
    "langchain#27325, #27632, #35990, #36052; litellm#20480; llama.cpp#20198; lmstudio-bug-tracker#830; "
    "qwen-code#1448; hermes-agent#90301"
)
NAME_IN_PIECES = "openclaw#127603, continue#5849"
IDS_EVERYWHERE = "hermes-agent#5254, #106943"
NAMES_EVERYWHERE = "hermes-agent#8259"
TWICE = "langchainjs#11054"
HALVES = "aider#3693"

ARGS = {"a": 1, "b": 2}
TEXT = json.dumps(ARGS)
TWICE_ENCODED = json.dumps(TEXT)
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


class Meant(NamedTuple):
    """What an answer means.

    Attributes:
        source: Who reported it.
        response: What is sent.
        text: The answer's text.
        calls: The names and arguments of the calls that can be made.
        invalid: The arguments, as they came, of those that cannot.
        reason: Why it ended.
        usage: Input and output tokens, if any were counted.
    """

    source: str
    response: httpx.Response
    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    invalid: tuple[str, ...] = ()
    reason: str | None = "stop"
    usage: tuple[int, int] | None = None

    def answer(self, _request: httpx.Request) -> httpx.Response:
        """Send it; a response belongs to the client that reads it."""
        sent = self.response
        return httpx.Response(
            sent.status_code, content=sent.content, headers={"content-type": sent.headers["content-type"]}
        )


def _said(message: Any, **meant: Any) -> Meant:
    return Meant(HOLES, whole_of(message), **meant)


def _called(entry: Any, *, args: Any = ARGS, invalid: str | None = None) -> Meant:
    response = whole_of({"role": "assistant", "content": None, "tool_calls": [entry]}, reason="tool_calls")
    if invalid is not None:
        return Meant(HOLES, response, invalid=(invalid,), reason="tool_calls")
    return Meant(HOLES, response, calls=(("add", args),), reason="tool_calls")


WHOLE: dict[str, Meant] = {
    "no role": _said({"content": "4"}, text="4"),
    "null role": _said({"role": None, "content": "4"}, text="4"),
    "empty role": _said({"role": "", "content": "4"}, text="4"),
    "another role": _said({"role": "model", "content": "4"}, text="4"),
    "no content": _said({"role": "assistant"}),
    "null message": _said(None),
    "text in parts": _said({"content": [{"type": "text", "text": "4"}]}, text="4"),
    "no message": Meant(HOLES, httpx.Response(200, json={"choices": [{"index": 0}]}), reason=None),
    "half a character": Meant(HALVES, whole_of({"content": "4\ud83d\ude00\ud83d"}), text="4😀\ufffd"),
    "usage in texts": Meant(
        HOLES,
        whole_of({"content": "4"}, usage={"prompt_tokens": "3", "completion_tokens": 4.0, "total_tokens": None}),
        text="4",
        usage=(3, 4),
    ),
    "no function": _called({"id": "c1", "type": "function"}, invalid='"{}"'),
    "no name": _called({"id": "c1", "function": {"arguments": TEXT}}, invalid=TWICE_ENCODED),
    "null name": _called(call(TEXT, name=None), invalid=TWICE_ENCODED),  # type: ignore[arg-type]
    "no id": _called({"function": {"name": "add", "arguments": TEXT}}),
    "object": _called(call(ARGS)),
    "list": _called(call([1, 2]), invalid="[1, 2]"),
    "number": _called(call("5"), invalid="5"),
    "null": _called(call(None), args={}),
    "null as text": _called(call("null"), args={}),
    "nothing": _called(call(""), args={}),
    "encoded twice": _called(call(TWICE_ENCODED)),
    "encoded three times": _called(call(json.dumps(TWICE_ENCODED))),
    "no JSON": _called(call("add(1, 2)"), invalid="add(1, 2)"),
    "one id for two calls": Meant(
        HOLES,
        whole_of({"tool_calls": [call(TEXT), call(TEXT)]}, reason="tool_calls"),
        calls=(("add", ARGS), ("add", ARGS)),
        reason="tool_calls",
    ),
}


def _streamed(source: str, *chunks: Any, **meant: Any) -> Meant:
    return Meant(source, stream_of(*chunks), **meant)


def _in_pieces(source: str, *fragments: Any, **meant: Any) -> Meant:
    first, last = chunk({"role": "assistant", "content": ""}), chunk({}, reason="tool_calls")
    known: dict[str, Any] = {"calls": (("add", ARGS),), "reason": "tool_calls"}
    return _streamed(source, first, *(chunk({"tool_calls": [each]}) for each in fragments), last, **(known | meant))


def _finish(**more: Any) -> dict[str, Any]:
    return {"id": "c-1", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", **more}]}


def _half(half: str) -> bytes:
    return b'data: {"choices": [{"index": 0, "delta": {"content": "%s"}}]}\n\n' % half.encode()


_WEATHER = (("get_weather", ARGS),)
_SEVERAL = (("add", ARGS), ("multiply", {"a": 3}))

STREAMED: dict[str, Meant] = {
    "finish without delta": _streamed(HOLES, chunk({"content": "4"}), _finish(), text="4"),
    "finish with null delta": _streamed(HOLES, chunk({"content": "4"}), _finish(delta=None), text="4"),
    "finish without delta, with usage": _streamed(
        HOLES, chunk({"content": "4"}), {**_finish(), "usage": USAGE}, text="4", usage=(3, 4)
    ),
    "no role, no index": _streamed(HOLES, {"choices": [{"delta": {"content": "4"}}]}, _finish(delta={}), text="4"),
    "another role": _streamed(HOLES, chunk({"role": "tool", "content": "4"}), _finish(delta={}), text="4"),
    "index as text": _in_pieces(HOLES, call("", index="0"), call(TEXT, name="", call_id="", index="0")),
    "object": _in_pieces(HOLES, call(ARGS)),
    "list": _in_pieces(HOLES, call([1, 2]), calls=(), invalid=("[1, 2]",)),
    "null as text": _in_pieces(HOLES, call("nu"), call("ll", name="", call_id=""), calls=(("add", {}),)),
    "nothing": _in_pieces(HOLES, call(""), calls=(("add", {}),)),
    "encoded twice": _in_pieces(HOLES, call(TWICE_ENCODED[:7]), call(TWICE_ENCODED[7:], name="", call_id="")),
    "no function": _in_pieces(
        HOLES, {"index": 0, "id": "c1"}, {"index": 0, "function": {"name": "add", "arguments": TEXT}}
    ),
    "no name": _in_pieces(HOLES, call(TEXT, name=""), calls=(), invalid=(TWICE_ENCODED,)),
    "null call": _in_pieces(HOLES, None, call(TEXT)),
    "name in pieces": _in_pieces(
        NAME_IN_PIECES, call("", name="get_"), call(TEXT, name="weather", call_id=""), calls=_WEATHER
    ),
    "name in pieces, one id": _in_pieces(
        NAME_IN_PIECES, call("", name="get_"), call("", name="weather"), call(TEXT, name=""), calls=_WEATHER
    ),
    "name in pieces, null arguments": _in_pieces(
        NAME_IN_PIECES,
        call(None, name="get_"),
        call(None, name="weather", call_id=""),
        call(TEXT, name=""),
        calls=_WEATHER,
    ),
    "name that grows": _in_pieces(
        NAME_IN_PIECES, call("", name="get_"), call(TEXT, name="get_weather"), calls=_WEATHER
    ),
    "ids everywhere": _in_pieces(
        IDS_EVERYWHERE, call(""), *(call(each, name="", call_id=f"x{at}") for at, each in enumerate(TEXT))
    ),
    "ids everywhere, null names": _in_pieces(
        IDS_EVERYWHERE,
        call(TEXT[:3]),
        call(TEXT[3:], name=None, call_id="c2"),  # type: ignore[arg-type]
        call("", name=None, call_id="c3"),  # type: ignore[arg-type]
    ),
    "ids everywhere, no index": _in_pieces(
        IDS_EVERYWHERE, call("", index=None), *(call(each, name="", call_id=f"x{each}", index=None) for each in TEXT)
    ),
    "ids everywhere, two calls": _in_pieces(
        IDS_EVERYWHERE,
        call(""),
        call(TEXT, name="", call_id="c2"),
        call('{"a"', name="multiply", call_id="c3", index=1),
        call(": 3}", name="", call_id="c4", index=1),
        calls=_SEVERAL,
    ),
    "ids and names everywhere": _in_pieces(
        IDS_EVERYWHERE, *(call(each, call_id=f"x{at}") for at, each in enumerate(TEXT))
    ),
    "names everywhere": _in_pieces(NAMES_EVERYWHERE, *(call(each, call_id="") for each in TEXT)),
    "names everywhere, and once too often": _in_pieces(NAMES_EVERYWHERE, call(TEXT, call_id=""), call("", call_id="")),
    "one id for two calls": _in_pieces(
        HOLES, call(TEXT), call("", name="multiply", index=1), call('{"a": 3}', name="", index=1), calls=_SEVERAL
    ),
    "a call without arguments first": _in_pieces(
        HOLES,
        call("", name="now", call_id="c0"),
        call(TEXT[:4], index=1),
        call(TEXT[4:], name="", call_id="", index=1),
        calls=(("now", {}), ("add", ARGS)),
    ),
    "finish in every chunk": _in_pieces(TWICE, call(TEXT)),
    "finish twice": _streamed(
        TWICE, chunk({"content": "4"}), chunk({}, reason="stop"), chunk({}, reason="stop"), text="4"
    ),
    "finish before the end of a call": _streamed(
        TWICE,
        chunk({"tool_calls": [call(TEXT[:5])]}, reason="tool_calls"),
        chunk({"tool_calls": [call(TEXT[5:], name="", call_id="")]}, reason="tool_calls"),
        calls=(("add", ARGS),),
        reason="tool_calls",
    ),
    "usage twice": _streamed(
        TWICE,
        chunk({"content": "4"}, usage={**USAGE, "completion_tokens": 1}),
        chunk({}, reason="stop", usage=USAGE),
        {"choices": [], "usage": USAGE},
        text="4",
        usage=(3, 4),
    ),
    "half a character in arguments": _in_pieces(
        HALVES,
        call('{"a": "\ud83d'),
        call('\ude00"}', name="", call_id=""),
        calls=(("add", {"a": "😀"}),),
    ),
    "half a character in arguments alone": _in_pieces(HALVES, call('{"a": "\ud83d'), calls=(("add", {"a": "\ufffd"}),)),
    "name in single letters": _in_pieces(
        NAME_IN_PIECES,
        *(call("", name=letter, call_id="") for letter in "goo"),
        call(TEXT, name=""),
        calls=(("goo", ARGS),),
    ),
    "half a character": Meant(
        HALVES,
        httpx.Response(
            200,
            content=_half("4\\ud83d") + _half("\\ude00") + framed(_finish(delta={})) + b"data: [DONE]\n\n",
            headers={"content-type": SSE},
        ),
        text="4😀",
    ),
    "half a character alone": Meant(
        HALVES,
        httpx.Response(200, content=_half("4\\ud83d") + framed(_finish(delta={})), headers={"content-type": SSE}),
        text="4\ufffd",
    ),
}
