"""Further public reports, replayed through LiteLLM: what there is to read in an answer is read."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.further_reports import of
from tests.litellm.ways import WAYS, Answer
from tests.replay import Bad, Good, Report, replaying

Ask = Callable[..., Answer]
STREAMED = [WAYS["stream"], WAYS["astream"]]
WHOLE = [WAYS["completion"], WAYS["acompletion"]]


def check_good(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask, and see that nothing is lost."""
    assert isinstance(report.means, Good)
    with replaying(report, monkeypatch) as server:
        answer = ask()
    calls = tuple((call["name"], json.loads(call["arguments"])) for call in answer.tool_calls)
    assert (answer.text, answer.reasoning, calls) == (report.means.text, report.means.reasoning, report.means.calls)
    assert answer.finish_reason == ("tool_calls" if calls else "stop")
    if report.means.tokens is not None:
        assert answer.usage.total_tokens == report.means.tokens
    assert len(server.asked) == 1


def check_bad(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask, and see that LiteLLM's exception has ours for its cause, with the service's words."""
    assert isinstance(report.means, Bad)
    with (
        replaying(report, monkeypatch) as server,
        pytest.raises(Exception, match=re.escape(report.means.words)) as caught,
    ):
        ask()
    error: Any = caught.value
    assert type(error).__module__ == "litellm.exceptions"
    assert _is_caused_by(error, report.means.error)
    assert len(server.asked) == report.means.tries


def _is_caused_by(error: BaseException | None, kind: type[Exception]) -> bool:
    if error is None or isinstance(error, kind):
        return error is not None
    # From 1.110 on a break in the middle of a stream has what broke it there alone.
    return any(_is_caused_by(each, kind) for each in (error.__cause__, getattr(error, "original_exception", None)))


@of(Good, streamed=True)
@pytest.mark.parametrize("ask", STREAMED)
def test_a_reported_stream_is_read(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, reasoning, calls and usage, sync and async; the source is in the report."""
    check_good(report, ask, monkeypatch)


@of(Good, streamed=False)
@pytest.mark.parametrize("ask", WHOLE)
def test_a_reported_answer_is_read(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for answers that come as a whole."""
    check_good(report, ask, monkeypatch)


@of(Bad, streamed=True)
@pytest.mark.parametrize("ask", STREAMED)
def test_a_reported_refusal_of_a_stream_is_read(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its class and its words, and as many tries as are worth it."""
    check_bad(report, ask, monkeypatch)


@of(Bad, streamed=False)
@pytest.mark.parametrize("ask", WHOLE)
def test_a_reported_refusal_is_read(report: Report, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a request for a whole answer."""
    check_bad(report, ask, monkeypatch)
