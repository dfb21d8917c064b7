"""Answers that are whole and hard to read: what the scenarios of this kind make of a good one.

Source of each: docs/protocol.md, "Stream" and "Answer".
"""

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

Frame = dict[str, Any]
Completion = dict[str, Any]

_EMOJI_HALVES = ("\ud83d", "\ude00")
_BOM = b"\xef\xbb\xbf"


def _delta(frame: Frame) -> Frame:
    delta: Frame = frame["choices"][0]["delta"] if frame["choices"] else {}
    return delta


def _fragment(frame: Frame) -> Frame | None:
    calls = _delta(frame).get("tool_calls")
    fragment: Frame | None = calls[0] if calls else None
    return fragment


def _with_delta(frame: Frame, delta: Frame | None) -> Frame:
    return frame | {"choices": [frame["choices"][0] | {"delta": delta}]}


def _with_fragment(frame: Frame, fragment: Frame) -> Frame:
    return _with_delta(frame, _delta(frame) | {"tool_calls": [fragment]})


def _is_finish(frame: Frame) -> bool:
    return bool(frame["choices"]) and frame["choices"][0]["finish_reason"] is not None


def _with_holes(frames: Iterator[Frame]) -> Iterator[Frame]:
    for frame in frames:
        delta = {name: value for name, value in _delta(frame).items() if name != "role" and value is not None}
        if fragment := _fragment(frame):
            function = {name: value for name, value in fragment["function"].items() if value}
            delta["tool_calls"] = [{"function": function} | ({"id": fragment["id"]} if fragment["id"] else {})]
        choices = [
            {name: choice[name] for name in ("finish_reason",) if choice[name]} | {"delta": delta or None}
            for choice in frame["choices"]
        ]
        yield {"choices": choices} | ({"usage": frame["usage"]} if frame["usage"] else {})


def _with_name_in_pieces(frames: Iterator[Frame]) -> Iterator[Frame]:
    for frame in frames:
        fragment = _fragment(frame)
        if fragment is None or "name" not in fragment["function"]:
            yield frame
            continue
        name = fragment["function"]["name"]
        for piece in (name[: len(name) // 2], name[len(name) // 2 :]):
            yield _with_fragment(frame, fragment | {"function": fragment["function"] | {"name": piece}})


def _with_ids_everywhere(frames: Iterator[Frame]) -> Iterator[Frame]:
    begun = ""
    for number, frame in enumerate(frames):
        fragment = _fragment(frame)
        if fragment is None:
            yield frame
            continue
        begun = fragment["id"] or begun
        yield _with_fragment(frame, fragment | {"id": fragment["id"] or f"{begun}_{number}"})


def _with_names_everywhere(frames: Iterator[Frame]) -> Iterator[Frame]:
    call: Frame = {}
    for frame in frames:
        fragment = _fragment(frame)
        if fragment is None:
            yield frame
            continue
        if fragment["id"]:
            call = fragment
        function = fragment["function"] | {"name": call["function"]["name"]}
        yield _with_fragment(frame, fragment | {"id": call["id"], "function": function})


def _with_finish_twice(frames: Iterator[Frame]) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        if _is_finish(frame):
            yield _with_delta(frame, {})


def _with_usage_twice(frames: Iterator[Frame]) -> Iterator[Frame]:
    held = list(frames)
    usage = held[-1]["usage"]
    for frame in held:
        yield frame | {"usage": usage} if _is_finish(frame) else frame


def _with_half_characters(frames: Iterator[Frame]) -> Iterator[Frame]:
    first = next(frames)
    yield first
    for half in _EMOJI_HALVES:
        yield _with_delta(first, {"content": half})
    yield from frames


def _double_encoded(frames: Iterator[Frame]) -> Iterator[Frame]:
    # The text of a JSON string that holds JSON is the JSON with its quotes escaped, between two quotes.
    held = list(frames)
    last = {fragment["index"]: number for number, frame in enumerate(held) if (fragment := _fragment(frame))}
    for number, frame in enumerate(held):
        fragment = _fragment(frame)
        if fragment is None:
            yield frame
            continue
        before = '"' if fragment["id"] else ""
        after = '"' if last[fragment["index"]] == number else ""
        inside = json.dumps(fragment["function"]["arguments"], ensure_ascii=False)[1:-1]
        function = fragment["function"] | {"arguments": f"{before}{inside}{after}"}
        yield _with_fragment(frame, fragment | {"function": function})


def _with_bom(pieces: Iterator[bytes]) -> Iterator[bytes]:
    return chain([_BOM], pieces)


def _with_cr_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    return (piece.replace(b"[DONE]", b"[DONE] ").replace(b"\n", b"\r") for piece in pieces)


def _whole_with_holes(answer: Completion) -> Completion:
    message = {name: value for name, value in answer["choices"][0]["message"].items() if name != "role"}
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [{"id": call["id"], "function": call["function"]} for call in calls]
    choice = {"message": message, "finish_reason": answer["choices"][0]["finish_reason"]}
    return {"choices": [choice], "usage": answer["usage"]}


def _whole_double_encoded(answer: Completion) -> Completion:
    message = answer["choices"][0]["message"]
    calls = [
        call | {"function": call["function"] | {"arguments": json.dumps(call["function"]["arguments"])}}
        for call in message.get("tool_calls", [])
    ]
    return answer | {
        "choices": [answer["choices"][0] | {"message": message | ({"tool_calls": calls} if calls else {})}]
    }


# What a scenario does to the frames of a stream, to its bytes, and to an answer that is no stream.
FRAMES: dict[str, Callable[[Iterator[Frame]], Iterator[Frame]]] = {
    "holes": _with_holes,
    "name-in-pieces": _with_name_in_pieces,
    "ids-everywhere": _with_ids_everywhere,
    "names-everywhere": _with_names_everywhere,
    "finish-twice": _with_finish_twice,
    "usage-twice": _with_usage_twice,
    "half-character": _with_half_characters,
    "double-encoded": _double_encoded,
}
BYTES: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {"bom": _with_bom, "cr-lines": _with_cr_lines}
WHOLE: dict[str, Callable[[Completion], Completion]] = {
    "holes": _whole_with_holes,
    "double-encoded": _whole_double_encoded,
}
