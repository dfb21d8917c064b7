"""A key becomes an account: its service is asked once whether it takes the key, and by its answer the key is kept."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import qwen_portal
from qwen_portal import LoginEvent
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenAuthenticationError, QwenError, QwenPlanNotForProgramsError
from qwen_portal.http import retry
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.sign_in.key_login import add_key
from tests.canaries import KEY, assert_none_in_error
from tests.key_services import key_services
from tests.scripted import answering


@pytest.fixture
def asked(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Request]]:
    """Let the emulator answer for the hosts of all plans; give what is asked."""
    monkeypatch.setattr(retry, "_FIRST", 0.0)
    with key_services(emulator, monkeypatch) as requests:
        yield requests


def log_in(plan: str, key: str = KEY, **options: Any) -> LoginEvent:
    """Keep a key; return the last event."""
    events = list[LoginEvent]()
    add_key(Session(), None, plan=plan, api_key=Secret(key), show=events.append, **options)
    return events[-1]


def lines(asked: list[httpx.Request]) -> list[str]:
    """Return method and address of each request."""
    return [f"{request.method} {request.url}" for request in asked]


def test_a_good_key_costs_one_request_without_a_token(asked: list[httpx.Request]) -> None:
    """The list of models, at the plan's own host."""
    assert log_in("studio-intl", "sk-mine").trial == "works"
    assert lines(asked) == ["GET https://dashscope-intl.aliyuncs.com/compatible-mode/v1/models"]
    assert asked[0].headers["authorization"] == "Bearer sk-mine"
    assert qwen_portal.get_access_token() == "sk-mine"


def test_a_service_without_a_list_is_asked_for_one_token(asked: list[httpx.Request], emulator: Emulator) -> None:
    """The smallest answer there is."""
    emulator.scenario("no-model-list")
    assert log_in("studio-intl", "sk-mine").trial == "works"
    assert [request.method for request in asked] == ["GET", "POST"]
    assert emulator.chats()[-1].body["max_tokens"] == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b""),
        (405, b'{"error": {"message": "Method Not Allowed"}}'),
        (400, b'{"error": {"message": "no"}}'),
        (501, b""),
        (403, b'{"error": {"code": "AccessDenied", "message": "no access to this"}}'),
        (200, b'{"models": []}'),
    ],
)
def test_an_answer_that_says_nothing_of_the_key_is_no_refusal(
    status: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then one token decides."""
    chat = {"choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "length"}]}

    def answer(request: httpx.Request) -> httpx.Response:
        json_type = {"content-type": "application/json"}
        return (
            httpx.Response(200, json=chat)
            if request.method == "POST"
            else httpx.Response(status, content=body, headers=json_type)
        )

    monkeypatch.setattr(retry, "_FIRST", 0.0)
    with answering(answer, monkeypatch):
        event = log_in("studio", "sk-mine")
    assert (event.trial, event.message) == ("works", "")


@pytest.mark.parametrize("plan", ["coding", "token-intl"])
def test_a_plan_for_few_programs_is_asked_whether_it_serves_this_one(plan: str, asked: list[httpx.Request]) -> None:
    """Its list may be there for all."""
    assert log_in(plan).trial == "works"
    assert [(request.method, request.url.path.rpartition("/")[2]) for request in asked] == [("POST", "completions")]


@pytest.mark.parametrize(
    ("plan", "key"),
    [("studio-intl", "sk-bad"), ("qwencloud", "sk-bad"), ("coding", "sk-sp-bad"), ("token", "sk-sp-bad")],
)
def test_a_key_that_the_service_refuses_is_not_kept(plan: str, key: str, asked: list[httpx.Request]) -> None:
    """Whatever its words are: 401, or the Token Plan's 403."""
    events = list[LoginEvent]()
    with pytest.raises(QwenAuthenticationError, match=r"refused the API key .* It is not kept\.") as caught:
        add_key(Session(), "team", plan=plan, api_key=Secret(key), show=events.append)
    assert_none_in_error(caught.value, [key])
    assert [(event.kind, event.trial) for event in events] == [("error", "refused")]
    assert len(asked) == 1
    assert qwen_portal.accounts() == []


@pytest.mark.parametrize(
    ("plan", "key", "alike"),
    [
        ("studio-intl", "sk-bad", "studio-intl, studio, studio-us, studio-hk or qwencloud"),
        ("qwencloud", "sk-ws-bad", "qwencloud, studio, studio-intl, studio-us or studio-hk"),
        ("token", "sk-sp-bad", "token, token-intl, qwencloud-token, coding or coding-intl"),
        ("coding", "sk-sp-bad", "coding, token, token-intl, qwencloud-token or coding-intl"),
    ],
)
def test_whose_key_is_refused_learns_which_plans_have_such_keys(
    plan: str, key: str, alike: str, asked: list[httpx.Request]
) -> None:
    """Most often a key is of another region."""
    with pytest.raises(QwenAuthenticationError) as caught:
        add_key(Session(), "my team", plan=plan, api_key=Secret(key), show=lambda event: None)
    assert caught.value.hint == (
        "Copy the key, or a new one, from the console of its plan and keep it under that plan: "
        f"`qwen-portal login --plan PLAN 'my team'`, PLAN being {alike}."
    )


def test_words_alone_tell_a_wrong_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal by 403 without a code is one of the key, or of what it may do, by its message."""
    body = {"error": {"message": "invalid api-key"}}
    with (
        answering(lambda request: httpx.Response(403, json=body), monkeypatch),
        pytest.raises(QwenAuthenticationError),
    ):
        log_in("studio", "sk-mine")
    assert qwen_portal.accounts() == []


def test_a_refused_key_leaves_the_one_before_it_alone(asked: list[httpx.Request]) -> None:
    """Under the same label."""
    log_in("studio-intl", "sk-good")
    with pytest.raises(QwenAuthenticationError):
        log_in("studio-intl", "sk-bad")
    assert qwen_portal.get_access_token() == "sk-good"


def test_a_plan_that_serves_no_programs_says_so(asked: list[httpx.Request], emulator: Emulator) -> None:
    """With the plans that do."""
    emulator.scenario("coding-agents-only")
    for plan in ("coding-intl", emulator.base_url):
        with pytest.raises(
            QwenPlanNotForProgramsError, match=r"only available for Coding Agents.* It is not"
        ) as caught:
            log_in(plan)
        assert "--plan studio-intl" in caught.value.hint
    assert qwen_portal.accounts() == []


@pytest.mark.parametrize(
    ("plan", "key", "why"),
    [("studio-intl", "sk-bad", "refused the API key"), ("coding", KEY, "only available for Coding Agents")],
)
def test_who_insists_keeps_a_refused_key(
    plan: str, key: str, why: str, asked: list[httpx.Request], emulator: Emulator
) -> None:
    """And is told of the refusal all the same."""
    if plan == "coding":
        emulator.scenario("coding-agents-only")
    event = log_in(plan, key, force=True)
    assert (event.kind, event.trial) == ("success", "refused")
    assert why in event.message
    assert qwen_portal.get_access_token() == key


def test_unasked_nothing_is_sent(asked: list[httpx.Request]) -> None:
    """The key is kept as it is."""
    assert log_in("studio-intl", "sk-bad", check=False).trial == "unchecked"
    assert asked == []
    assert qwen_portal.get_access_token() == "sk-bad"


@pytest.mark.parametrize(
    ("scenario", "why"),
    [
        ("drop", "broke"),
        ("error-500", "HTTP 500"),
        ("html-502", "web page"),
        ("burst", "HTTP 429"),
        ("firewall", "web page"),
    ],
)
def test_a_key_that_could_not_be_tried_is_kept(
    scenario: str, why: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A passing trouble says nothing about it."""
    monkeypatch.setattr(retry, "_FIRST", 0.0)
    emulator.scenario(scenario, where="models")
    event = log_in(f"{emulator.url}/compatible-mode/v1")
    assert event.trial == "unknown"
    assert why in event.message
    assert qwen_portal.get_access_token() == KEY


def test_a_repeat_goes_out_with_the_key_that_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with that of the account which has its label so far."""
    monkeypatch.setattr(retry, "_FIRST", 0.0)
    answers = iter([httpx.Response(500), httpx.Response(200, json={"data": []})])
    log_in("studio-intl", "sk-before", check=False)
    with answering(lambda request: next(answers), monkeypatch) as asked:
        assert log_in("studio-intl", "sk-new").trial == "works"
    assert [request.headers["authorization"] for request in asked] == ["Bearer sk-new"] * 2


def test_a_spent_quota_says_nothing_about_the_key(asked: list[httpx.Request], emulator: Emulator) -> None:
    """It is kept, for the day when the quota is back."""
    emulator.scenario("quota")
    event = log_in("token")
    assert event.trial == "unknown"
    assert "quota" in event.message


def test_an_unreachable_host_says_nothing_about_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is offline keeps the key, and learns why it was not tried."""
    monkeypatch.setattr(retry, "_FIRST", 0.0)
    event = log_in("http://127.0.0.1:1/v1")
    assert event.trial == "unknown"
    assert "could not be reached" in event.message
    assert qwen_portal.get_access_token() == KEY


def test_the_users_address_is_the_one_that_is_asked(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """QWEN_PORTAL_BASE_URL is where the account's requests will go."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    assert log_in("studio-intl", "sk-mine").trial == "works"
    assert [entry.path for entry in emulator.log()] == ["/v1/models"]


def test_python_tries_a_key_too(asked: list[httpx.Request]) -> None:
    """Nothing has to be said for it."""
    with pytest.raises(QwenAuthenticationError):
        qwen_portal.login(plan="studio-intl", api_key="sk-bad", show=lambda event: None)
    assert qwen_portal.login(plan="studio-intl", api_key="sk-mine", show=lambda event: None).plan.name == "studio-intl"
    assert len(asked) == 2


async def test_a_key_whose_trial_was_cancelled_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the service takes it afterwards."""
    trial, cancelled = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def answer(request: httpx.Request) -> httpx.Response:
        loop.call_soon_threadsafe(trial.set)
        assert cancelled.wait(30)
        return httpx.Response(200, json={"data": []})

    with answering(answer, monkeypatch):
        task = asyncio.create_task(qwen_portal.alogin(plan="studio-intl", api_key="sk-mine", show=lambda event: None))
        await asyncio.wait_for(trial.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cancelled.set()
        for thread in threading.enumerate():
            if thread.name == "qwen-portal-login":
                await asyncio.to_thread(thread.join, 30)
    assert qwen_portal.accounts() == []


@pytest.mark.parametrize(
    ("plan", "key", "belongs_to"),
    [
        ("studio-intl", "sk-sp-1", ["token-intl", "coding-intl"]),
        ("qwencloud", "sk-sp-1", ["token-intl", "coding-intl"]),
        ("studio:ws-1@cn-beijing", "sk-sp-1", ["token", "coding"]),
        ("token", "sk-ws-1", ["studio-intl", "qwencloud"]),
        ("coding", "sk-ws-1", ["studio-intl", "qwencloud"]),
        ("coding-intl", "sk-1", ["studio-intl", "qwencloud"]),
    ],
)
@pytest.mark.parametrize("options", [{}, {"check": False}, {"force": True}, {"check": False, "force": True}])
def test_a_key_of_other_plans_is_never_sent_nor_kept(
    plan: str, key: str, belongs_to: list[str], options: dict[str, bool], asked: list[httpx.Request]
) -> None:
    """The error names its plans, whatever else was wished."""
    with pytest.raises(QwenError, match="not of the plan") as caught:
        log_in(plan, key, **options)
    assert all(name in caught.value.hint for name in belongs_to)
    assert asked == []
    assert qwen_portal.accounts() == []


@pytest.mark.parametrize(("plan", "key"), [("studio", "sk-sp-1"), ("token", "sk-ws-1"), ("coding", "sk-1")])
def test_a_key_that_is_not_kept_is_told_apart_too(
    plan: str, key: str, asked: list[httpx.Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an argument and in the environment."""
    question = [{"role": "user", "content": "Hello"}]
    with pytest.raises(QwenError, match="not of the plan"), qwen_portal.PortalClient(api_key=key, plan=plan) as client:
        client.chat(question)
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", key)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", plan)
    with pytest.raises(QwenError, match="not of the plan"), qwen_portal.PortalClient() as client:
        client.chat(question)
    assert asked == []
