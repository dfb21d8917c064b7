"""A spent quota in LangChain: the next account, the pin, the strategies, the mark."""

from collections.abc import Iterator

import pytest
from langchain_core.exceptions import ModelRateLimitError
from langchain_core.runnables import ConfigurableField

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.errors import QwenQuotaExceededError
from tests.cli.program import run_program
from tests.langchain.ways import ALL, Model, Way
from tests.quotas import TOOL, Two, end_cool_down, two_accounts

QUESTION = "What is 2+2?"


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Sign ``a`` and ``b`` in, each at a host of its own; the quota of ``a``, which is active, is used up."""
    with two_accounts(monkeypatch) as both:
        both.a.set_quota(0)
        yield both


@pytest.mark.parametrize("ask", ALL)
def test_the_same_request_goes_on_to_the_next_account(ask: Way, two: Two) -> None:
    """A 429, B 200, the same body; then B alone, in another process too; after the cool-down A again."""
    model = ChatQwenPortal()
    answer = ask(model, QUESTION)
    assert "4" in answer.text
    assert "on_quota" not in answer.response_metadata
    assert two.statuses() == ([429], [200])
    assert two.a.chats()[0].body == two.b.chats()[0].body
    ask(model, QUESTION)
    assert run_program("chat", QUESTION).returncode == 0
    assert two.statuses() == ([429], [200, 200, 200])
    two.a.set_quota(None)
    end_cool_down("a")
    ask(model, QUESTION)
    assert two.statuses() == ([429, 200], [200, 200, 200])


@pytest.mark.parametrize("ask", ALL)
def test_a_named_account_is_the_only_one(ask: Way, two: Two) -> None:
    """account= pins; in its cool-down the error comes without a request, and retrying is not suggested."""
    for _ in range(2):
        with pytest.raises(ModelRateLimitError) as caught:
            ask(ChatQwenPortal(account="a", on_quota="switch"), QUESTION)
        assert isinstance(caught.value, QwenQuotaExceededError)
        assert not caught.value.is_retryable
    assert two.statuses() == ([429], [])


@pytest.mark.parametrize("ask", ALL)
def test_on_quota_is_the_models_own(ask: Way, two: Two) -> None:
    """An argument beats the variable's default."""
    with pytest.raises(QwenQuotaExceededError):
        ask(ChatQwenPortal(on_quota="error"), QUESTION)
    assert two.statuses() == ([429], [])
    with pytest.raises(QwenQuotaExceededError, match="is used up"):
        ask(ChatQwenPortal(on_quota="degrade"), QUESTION)


@pytest.mark.parametrize("ask", ALL)
def test_a_degraded_answer_is_marked_in_its_metadata(ask: Way, two: Two) -> None:
    """Whole or streamed, once."""
    two.b.set_quota(0)
    two.a.configure(spare_tokens=1024)
    answer = ask(ChatQwenPortal(), QUESTION)
    assert "4" in answer.text
    assert answer.response_metadata["on_quota"] == "degrade"


@pytest.mark.parametrize("ask", ALL)
def test_with_tools_nothing_is_dropped(ask: Way, two: Two) -> None:
    """The error names both accounts; each saw the tools."""
    two.b.set_quota(0)
    two.a.configure(spare_tokens=1024)
    model: Model = ChatQwenPortal().bind_tools([TOOL])
    with pytest.raises(
        QwenQuotaExceededError, match=r"'a' \(oauth\) is asked again at .*'b' \(oauth\) is asked again at"
    ):
        ask(model, QUESTION)
    assert two.statuses() == ([429], [429])
    assert all(entry.body["tools"] for service in (two.a, two.b) for entry in service.chats())


@pytest.mark.parametrize("ask", ALL)
def test_the_account_can_be_configured_at_run_time(ask: Way, two: Two) -> None:
    """configurable_fields: one chain serves many accounts."""
    model: Model = ChatQwenPortal().configurable_fields(account=ConfigurableField(id="account"))
    ask(model, QUESTION, config={"configurable": {"account": "b"}})
    assert two.statuses() == ([], [200])


def test_an_unknown_strategy_is_refused_at_construction() -> None:
    """Not at the first spent quota."""
    with pytest.raises(Exception, match="ON_QUOTA"):
        ChatQwenPortal(on_quota="swich")
