"""When every quota is used up: a short answer where that changes nothing else, marked; else an error with the times."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from qwen_portal import PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenQuotaExceededError
from qwen_portal.quota.degrade import is_plain
from qwen_portal.session import Session
from tests.login_never_lost.accounts import sign_in_as
from tests.quotas import TOOL, Two, end_cool_down, keep_keys, spent_but, two_accounts
from tests.scripted import answering
from tests.ways import ALL, HELLO, STREAMED, WHOLE, Way

IMAGE: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}
]
CALLED: list[dict[str, Any]] = [
    {"role": "user", "content": "Look it up"},
    {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "type": "function", "function": {}}]},
    {"role": "tool", "tool_call_id": "1", "content": "found"},
]


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Sign two accounts in whose quotas are used up, but for short answers at the first one's host."""
    with two_accounts(monkeypatch) as both:
        both.a.set_quota(0)
        both.b.set_quota(0)
        both.a.configure(spare_tokens=1024)
        yield both


@pytest.mark.parametrize("ask", ALL)
def test_when_all_are_spent_one_short_answer_is_asked_for(
    ask: Way, spent: Two, caplog: pytest.LogCaptureFixture
) -> None:
    """Both refused the whole request; the one that is free first gets it with max_tokens 1,024, and it is told."""
    assert "4" in ask()
    assert spent.statuses() == ([429, 200], [429])
    whole, short = (entry.body for entry in spent.a.chats())
    assert short == whole | {"max_tokens": 1024}
    assert "at most 1024 tokens" in caplog.text


@pytest.mark.parametrize("ask", ALL)
def test_a_smaller_wish_stays(ask: Way, spent: Two) -> None:
    """1,024 is the most, not the least."""
    ask(max_tokens=50)
    assert [entry.body["max_tokens"] for entry in spent.a.chats()] == [50]


@pytest.mark.parametrize("ask", ALL)
def test_in_the_cool_down_the_short_answer_is_the_only_request(ask: Way, spent: Two) -> None:
    """No account that is known to be spent is asked for the whole again."""
    ask()
    spent.clear()
    ask()
    assert spent.statuses() == ([200], [])


def test_a_degraded_answer_is_marked(spent: Two) -> None:
    """Nobody takes it for a whole one; the account's own answers bear no mark."""
    client = PortalClient()
    assert client.chat(HELLO)["on_quota"] == "degrade"
    with client.stream(HELLO) as chunks:
        assert [chunk.get("on_quota") for chunk in chunks][:2] == ["degrade", None]
    assert chunks.strategy == "degrade"
    spent.b.set_quota(None)
    end_cool_down("b")
    assert "on_quota" not in client.chat(HELLO)


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize(
    "params",
    [
        {"tools": [TOOL]},
        {"extra_body": {"tools": [TOOL]}},
        {"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "json, please"}]},
        {"messages": IMAGE, "model": "vision-model"},
        {"messages": CALLED},
    ],
    ids=["tools", "tools in extra_body", "format", "image", "called"],
)
def test_where_a_short_answer_could_be_another_answer_nothing_is_dropped(
    ask: Way, params: dict[str, Any], spent: Two
) -> None:
    """Each account sees the whole request; the error names both and when each is free."""
    with pytest.raises(QwenQuotaExceededError) as caught:
        ask(**params)
    for label in ("a", "b"):
        assert f"'{label}' (oauth) is asked again at 20" in caught.value.message
    assert caught.value.message.count("in 30 min") == 2
    assert caught.value.retry_after == pytest.approx(1800, abs=60)
    assert (caught.value.status, caught.value.code) == (429, "insufficient_quota")
    assert spent.statuses() == ([429], [429])
    assert spent.a.chats()[0].body == spent.b.chats()[0].body


@pytest.mark.parametrize("ask", ALL)
def test_a_degraded_request_that_is_refused_too_ends_in_the_quota_error(ask: Way, spent: Two) -> None:
    """Once is enough, and the error is about the accounts."""
    spent.a.configure(spare_tokens=0)
    with pytest.raises(QwenQuotaExceededError, match=r"'a' .* 'b'"):
        ask()
    assert spent.statuses() == ([429, 429], [429])
    before = Session().choose("a").cool_downs
    with pytest.raises(QwenQuotaExceededError):
        ask()
    assert spent.statuses() == ([429, 429, 429], [429])
    # a refusal of the short answer says nothing new about the whole
    assert Session().choose("a").cool_downs == before


@pytest.mark.parametrize(
    ("status", "said"), [(500, "HTTP 500"), (401, "refused the API key"), (404, "HTTP 404"), (429, "slow down")]
)
def test_trouble_with_the_short_answer_ends_in_the_quota_error(
    status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's question is still why the whole answer did not come; the sign-in may have ended meanwhile."""
    monkeypatch.setattr("qwen_portal.http.retry._FIRST", 0.0)
    keep_keys("first")

    def answer(request: httpx.Request) -> httpx.Response:
        short = json.loads(request.content).get("max_tokens") == 1024
        return httpx.Response(status, json={"error": {"message": "slow down"}}) if short else spent_but()(request)

    with answering(answer, monkeypatch), pytest.raises(QwenQuotaExceededError) as caught:
        PortalClient().chat(HELLO)
    assert "'first' (studio) is asked again at" in caught.value.message
    assert "A short answer could not be had either: " in caught.value.message
    assert said in caught.value.message


@pytest.mark.parametrize("ask", ALL)
def test_switch_alone_asks_for_no_short_answer(ask: Way, spent: Two) -> None:
    """on_quota lists all that may be tried."""
    with pytest.raises(QwenQuotaExceededError):
        ask(client={"on_quota": "switch"})
    assert spent.statuses() == ([429], [429])


@pytest.mark.parametrize("ask", ALL)
def test_degrade_before_switch_keeps_the_account(ask: Way, spent: Two) -> None:
    """The strategies are tried in the user's order; degrade alone never picks another account."""
    assert "4" in ask(client={"on_quota": "degrade,switch"})
    assert "4" in ask(client={"on_quota": "degrade"})
    assert spent.statuses() == ([429, 200, 200], [])


@pytest.mark.parametrize("ask", [*WHOLE, *STREAMED])
def test_a_single_account_gets_a_short_answer_too(ask: Way, emulator: Emulator) -> None:
    """Nothing of this needs a second account; a stream stays a stream."""
    sign_in_as("only")
    emulator.configure(spare_tokens=1024)
    emulator.set_quota(0)
    assert "4" in ask()
    assert [entry.status for entry in emulator.chats()] == [429, 200]
    assert len({entry.body["stream"] for entry in emulator.chats()}) == 1


@pytest.mark.parametrize(
    ("messages", "params", "plain"),
    [
        (HELLO, {}, True),
        (HELLO, {"tools": [], "response_format": {"type": "text"}, "temperature": 0}, True),
        ([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], {}, True),
        (HELLO, {"functions": [{"name": "f"}]}, False),
        (HELLO, {"response_format": {"type": "json_schema"}}, False),
        (HELLO, {"extra_body": {"response_format": {"type": "json_object"}}}, False),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], {}, False),
        (["Hi"], {}, False),
        (HELLO, {"function_call": {"name": "f"}}, False),
        (HELLO, {"modalities": ["text"]}, True),
        (HELLO, {"modalities": ["text", "audio"], "audio": {"voice": "x"}}, False),
        (HELLO, {"modalities": ["audio"]}, False),
        (HELLO, {"audio": {"voice": "x"}}, False),
        (HELLO, {"guided_json": {"type": "object"}}, False),
        (HELLO, {"extra_body": {"guided_regex": "[0-9]"}}, False),
        (HELLO, {"extra_body": {"structured_outputs": {"choice": ["a"]}}}, False),
        (HELLO, {"guided_json": None, "functions": [], "modalities": None}, True),
        ([{"role": "function", "name": "f", "content": "found"}, *HELLO], {}, False),
        ([{"role": "assistant", "content": None, "function_call": {"name": "f"}}, *HELLO], {}, False),
        ([{"role": "assistant", "content": None}, *HELLO], {}, True),
        ([{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, *HELLO], {}, False),
        ([{"role": "user", "content": None}], {}, False),
        ([{"role": "user", "content": [{"type": "text"}]}], {}, False),
        (CALLED, {}, False),
        (IMAGE, {}, False),
    ],
)
def test_only_text_without_tools_and_format_is_plain(messages: Any, params: dict[str, Any], plain: bool) -> None:
    """The table of what a short answer cannot change."""
    assert is_plain(messages, params) is plain


@pytest.mark.parametrize(
    ("budget", "most", "sent"), [(4096, None, 512), (100, None, 100), (4096, 50, 25), (None, None, None), (9, 1, None)]
)
def test_thinking_leaves_room_for_a_short_answer(
    budget: int | None, most: int | None, sent: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A budget as large as the whole answer would leave none, or be refused."""
    keep_keys("first")
    with answering(spent_but(), monkeypatch) as asked, pytest.raises(QwenQuotaExceededError):
        PortalClient().chat(HELLO, thinking_budget=budget, max_tokens=most)
    whole, short = (json.loads(request.content) for request in asked)
    assert whole.get("thinking_budget") == budget
    assert short.get("thinking_budget") == sent


def test_no_warning_without_a_short_answer(spent: Two, caplog: pytest.LogCaptureFixture) -> None:
    """What is not done is not told."""
    with caplog.at_level(logging.WARNING), pytest.raises(QwenQuotaExceededError):
        PortalClient().chat(HELLO, tools=[TOOL])
    assert "at most" not in caplog.text
