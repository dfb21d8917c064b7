"""A spent quota in LiteLLM: the next account, the pin of a call or deployment, the mark in the hidden params."""

from collections.abc import Iterator
from typing import Any

import pytest
from litellm import exceptions

from qwen_portal.errors import QwenQuotaExceededError
from tests.cli.program import run_program
from tests.litellm.ways import CALLS, HELLO, WAYS
from tests.quotas import TOOL, Two, end_cool_down, two_accounts


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Sign ``a`` and ``b`` in, each at a host of its own; the quota of ``a``, which is active, is used up."""
    with two_accounts(monkeypatch) as both:
        both.a.set_quota(0)
        yield both


@pytest.mark.parametrize("way", WAYS)
def test_the_same_request_goes_on_to_the_next_account(way: str, two: Two) -> None:
    """A 429, B 200, the same body; then B alone, in another process too; after the cool-down A again."""
    assert "4" in WAYS[way]().text
    assert two.statuses() == ([429], [200])
    assert two.a.chats()[0].body == two.b.chats()[0].body
    WAYS[way]()
    assert run_program("chat", "What is 2+2?").returncode == 0
    assert two.statuses() == ([429], [200, 200, 200])
    two.a.set_quota(None)
    end_cool_down("a")
    WAYS[way]()
    assert two.statuses() == ([429, 200], [200, 200, 200])


@pytest.mark.parametrize("way", CALLS)
def test_a_named_account_is_the_only_one(way: str, two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """qwen_account pins the call; in its cool-down the error comes without a request."""
    monkeypatch.setenv("QWEN_PORTAL_ON_QUOTA", "switch")
    for _ in range(2):
        with pytest.raises(exceptions.RateLimitError) as caught:
            CALLS[way](qwen_account="a", max_retries=0)
        assert isinstance(caught.value.__cause__, QwenQuotaExceededError)
    assert two.statuses() == ([429], [])


def strategy(response: Any) -> Any:
    """Return the mark of an answer or a stream."""
    return response._hidden_params.get("on_quota")


@pytest.mark.parametrize("way", CALLS)
def test_a_degraded_answer_is_marked_in_the_hidden_params(way: str, two: Two) -> None:
    """Of the response, or of the stream; an ordinary answer has no mark."""
    assert strategy(CALLS[way]()) is None
    two.b.set_quota(0)
    two.a.configure(spare_tokens=1024)
    assert strategy(CALLS[way]()) == "degrade"
    assert "4" in WAYS["stream" if "stream" in way else "completion"](HELLO).text


@pytest.mark.parametrize("way", CALLS)
def test_with_tools_nothing_is_dropped(way: str, two: Two) -> None:
    """The error names both accounts; each saw the tools."""
    two.b.set_quota(0)
    two.a.configure(spare_tokens=1024)
    with pytest.raises(
        exceptions.RateLimitError, match=r"'a' \(oauth\) is asked again at .*'b' \(oauth\) is asked again at"
    ):
        CALLS[way](tools=[TOOL], max_retries=0)
    assert two.statuses() == ([429], [429])
    assert all(entry.body["tools"] for service in (two.a, two.b) for entry in service.chats())
