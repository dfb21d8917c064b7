"""Further public reports, replayed to ChatQwenPortal: what there is to read in an answer is read, and once."""

from typing import Any

import pytest

import qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from tests.further_reports import of
from tests.langchain.ways import STREAMED, WHOLE, Way
from tests.replay import Bad, Good, Report, replaying


def check_good(report: Report, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask, and see that nothing is lost or doubled."""
    with replaying(report, monkeypatch) as server:
        message = ask(ChatQwenPortal(), "What is 2+2?")
    reasoning = "".join(
        block.get("reasoning") or "" for block in message.content_blocks if block["type"] == "reasoning"
    )
    usage = message.usage_metadata
    assert message.invalid_tool_calls == []
    assert report.means == Good(
        text=message.text,
        reasoning=reasoning,
        calls=tuple((call["name"], call["args"]) for call in message.tool_calls),
        tokens=usage["total_tokens"] if usage else None,
    )
    assert message.response_metadata["finish_reason"] in ("stop", "tool_calls")
    assert message.response_metadata["model_name"] in ("m", "coder-model")
    assert len(server.asked) == 1


def check_bad(report: Report, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask, and see that the refusal is what it says."""
    assert isinstance(report.means, Bad)
    with replaying(report, monkeypatch) as server, pytest.raises(qwen_portal.QwenAPIError) as caught:
        ask(ChatQwenPortal(), "What is 2+2?")
    error: Any = caught.value
    assert isinstance(error, report.means.error)
    assert report.means.words in str(error)
    assert error.partial_text == report.means.text
    assert len(server.asked) == report.means.tries


@of(Good, streamed=True)
@pytest.mark.parametrize("ask", STREAMED)
def test_a_reported_stream_is_read(report: Report, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, reasoning, calls and usage, sync and async; the source is in the report."""
    check_good(report, ask, monkeypatch)


@of(Good, streamed=False)
@pytest.mark.parametrize("ask", WHOLE)
def test_a_reported_answer_is_read(report: Report, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for answers that come as a whole."""
    check_good(report, ask, monkeypatch)


@of(Bad, streamed=True)
@pytest.mark.parametrize("ask", STREAMED)
def test_a_reported_refusal_of_a_stream_is_read(report: Report, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its class, its words, what came before it, and as many tries as are worth it."""
    check_bad(report, ask, monkeypatch)


@of(Bad, streamed=False)
@pytest.mark.parametrize("ask", WHOLE)
def test_a_reported_refusal_is_read(report: Report, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a request for a whole answer."""
    check_bad(report, ask, monkeypatch)
