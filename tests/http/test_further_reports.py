"""Further public reports, replayed to the core's clients: what there is to read in an answer is read."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

import qwen_portal
from qwen_portal import AsyncPortalClient, PortalClient
from tests.further_reports import of
from tests.replay import Bad, Good, Json, Report, replaying
from tests.ways import HELLO

Ask = Callable[[], list[Json]]


def whole() -> list[Json]:
    """Ask for a whole answer."""
    return [PortalClient().chat(HELLO)]


def stream() -> list[Json]:
    """Ask for a stream."""
    with PortalClient().stream(HELLO) as chunks:
        return list(chunks)


def awhole() -> list[Json]:
    """Ask for a whole answer on an event loop."""

    async def ask() -> list[Json]:
        try:
            return [await AsyncPortalClient().chat(HELLO)]
        finally:
            await qwen_portal.aclose()

    return asyncio.run(ask())


def astream() -> list[Json]:
    """Ask for a stream on an event loop."""

    async def ask() -> list[Json]:
        try:
            async with AsyncPortalClient().stream(HELLO) as chunks:
                return [chunk async for chunk in chunks]
        finally:
            await qwen_portal.aclose()

    return asyncio.run(ask())


def read(pieces: list[Json]) -> Good:
    """Put an answer together as a program does that knows nothing but OpenAI's format."""
    text, reasoning, tokens = "", "", None
    calls: dict[int, list[str]] = {}
    for piece in pieces:
        tokens = piece["usage"]["total_tokens"] if piece.get("usage") else tokens
        for choice in piece["choices"]:
            said = choice.get("message") or choice["delta"]
            text += said.get("content") or ""
            reasoning += said.get("reasoning_content") or ""
            for place, call in enumerate(said.get("tool_calls") or ()):
                made = calls.setdefault(call.get("index", place), ["", ""])
                made[0] += call["function"].get("name") or ""
                made[1] += call["function"].get("arguments") or ""
    return Good(text, reasoning, tuple((name, json.loads(arguments)) for name, arguments in calls.values()), tokens)


def check_good(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask, and see that nothing is lost."""
    with replaying(report, monkeypatch) as server:
        answer = ask()
    assert read(answer) == report.means
    assert len(server.asked) == 1


def check_bad(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask, and see that the refusal is what it says."""
    assert isinstance(report.means, Bad)
    with replaying(report, monkeypatch) as server, pytest.raises(qwen_portal.QwenAPIError) as caught:
        ask()
    error: Any = caught.value
    assert type(error) is report.means.error
    assert report.means.words in str(error)
    assert error.partial_text == report.means.text
    assert len(server.asked) == report.means.tries


@of(Good, streamed=True)
@pytest.mark.parametrize("ask", [stream, astream])
def test_a_reported_stream_is_read(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, reasoning, calls and usage, sync and async; the source is in the report."""
    check_good(report, ask, monkeypatch)


@of(Good, streamed=False)
@pytest.mark.parametrize("ask", [whole, awhole])
def test_a_reported_answer_is_read(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for answers that come as a whole."""
    check_good(report, ask, monkeypatch)


@of(Bad, streamed=True)
@pytest.mark.parametrize("ask", [stream, astream])
def test_a_reported_refusal_of_a_stream_is_read(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its class, its words, what came before it, and as many tries as are worth it."""
    check_bad(report, ask, monkeypatch)


@of(Bad, streamed=False)
@pytest.mark.parametrize("ask", [whole, awhole])
def test_a_reported_refusal_is_read(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a request for a whole answer."""
    check_bad(report, ask, monkeypatch)
