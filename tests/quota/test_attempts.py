"""A quota that is used up: the next account of the same kind, in all four ways; and who is never asked."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator

import httpx
import pytest

import qwen_portal
from qwen_portal import PortalClient
from qwen_portal.account.cool_downs import CoolDown
from qwen_portal.emulator import Emulator
from qwen_portal.errors import (
    QwenBadRequestError,
    QwenContentFilterError,
    QwenContextLengthError,
    QwenError,
    QwenModelNotFoundError,
    QwenQuotaExceededError,
    QwenRateLimitError,
    QwenTokenNotAvailableError,
)
from qwen_portal.quota.attempts import Attempt, Attempts
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests import ways
from tests.cli.program import run_program
from tests.login_never_lost.accounts import sign_in_as
from tests.quotas import (
    ANSWER,
    KEYS,
    SPENT,
    Two,
    end_cool_down,
    exhausted_until,
    keep_keys,
    keys_of,
    spent_but,
    two_accounts,
)
from tests.scripted import Handler, answering
from tests.ways import ALL, HELLO, Way


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Sign ``a`` and ``b`` in, each at a host of its own; ``a`` is active."""
    with two_accounts(monkeypatch) as both:
        yield both


@pytest.mark.parametrize("ask", ALL)
def test_the_same_request_goes_on_to_the_next_account_at_its_own_host(ask: Way, two: Two) -> None:
    """A answers 429, B 200; both saw the same body, and each only its own token."""
    two.a.set_quota(0)
    assert "4" in ask()
    assert two.statuses() == ([429], [200])
    (first,), (second,) = two.a.chats(), two.b.chats()
    assert first.body == second.body
    assert first.headers["authorization"] != second.headers["authorization"]
    assert two.a.log("refresh") == two.b.log("refresh") == []


@pytest.mark.parametrize("ask", ALL)
def test_a_spent_account_is_left_alone_by_all_processes_until_its_cool_down_is_over(ask: Way, two: Two) -> None:
    """The next calls, of this and of another process, go to B alone; then A is the first again."""
    two.a.set_quota(0)
    ask()
    two.clear()
    ask()
    assert run_program("chat", "What is 2+2?").returncode == 0
    assert two.statuses() == ([], [200, 200])
    two.clear()
    two.a.set_quota(None)
    end_cool_down("a")
    ask()
    assert run_program("chat", "What is 2+2?").returncode == 0
    assert two.statuses() == ([200, 200], [])


@pytest.mark.parametrize("seconds", ["1800", "7"])
def test_the_cool_down_is_the_users(seconds: str, two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """QWEN_PORTAL_QUOTA_COOLDOWN seconds from the refusal on, half an hour without it."""
    if seconds != "1800":
        monkeypatch.setenv("QWEN_PORTAL_QUOTA_COOLDOWN", seconds)
    two.a.set_quota(0)
    before = time.time()
    PortalClient().chat(HELLO)
    until = exhausted_until("a")
    assert until is not None
    assert before + int(seconds) <= until <= time.time() + int(seconds)
    assert exhausted_until("b") is None


def test_choosing_an_account_ends_its_cool_down(two: Two) -> None:
    """`accounts use` is the way to try again at once."""
    two.a.set_quota(0)
    PortalClient().chat(HELLO)
    two.a.set_quota(None)
    two.clear()
    qwen_portal.use("a")
    PortalClient().chat(HELLO)
    assert two.statuses() == ([200], [])


@pytest.mark.parametrize("ask", ALL)
def test_a_named_account_is_the_only_one(ask: Way, two: Two) -> None:
    """No switching; in its cool-down the error comes at once, without a request, and says when the account is free."""
    two.a.set_quota(0)
    with pytest.raises(QwenQuotaExceededError, match="'a'") as caught:
        ask(client={"account": "a"})
    assert "'b'" not in caught.value.message
    assert two.statuses() == ([429, 429], [])
    two.clear()
    with pytest.raises(QwenQuotaExceededError, match=r"'a' \(oauth\) is asked again at .*, in 30 min"):
        ask(client={"account": "a"})
    assert two.statuses() == ([], [])


@pytest.mark.parametrize("ask", ALL)
def test_error_in_on_quota_never_picks_another_account(ask: Way, two: Two) -> None:
    """One request, then none while the cool-down lasts."""
    two.a.set_quota(0)
    for _ in range(2):
        with pytest.raises(QwenQuotaExceededError):
            ask(client={"on_quota": "error"})
    assert two.statuses() == ([429], [])


def test_the_variable_names_the_first_account_and_pins_nothing(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """QWEN_PORTAL_ACCOUNT takes the active account's place."""
    monkeypatch.setenv("QWEN_PORTAL_ACCOUNT", "b")
    PortalClient().chat(HELLO)
    two.b.set_quota(0)
    PortalClient().chat(HELLO)
    assert two.statuses() == ([200], [200, 429])


@pytest.mark.parametrize("ask", ALL)
def test_another_429_waits_and_tries_the_same_account(ask: Way, two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many requests at once say nothing about the quota."""
    monkeypatch.setattr("qwen_portal.http.retry._FIRST", 0.0)
    two.a.scenario("burst")
    with pytest.raises(QwenRateLimitError):
        ask()
    assert two.statuses() == ([429, 429, 429], [])
    assert exhausted_until("a") is None


@pytest.mark.parametrize("ask", ALL)
def test_a_403_that_is_a_quota_causes_no_refresh(ask: Way, two: Two) -> None:
    """The code counts before the status."""
    two.a.scenario("quota-403")
    assert "4" in ask()
    assert two.statuses() == ([403], [200])
    assert two.a.log("refresh") == []


QUOTAS = [
    (429, "insufficient_quota", "Free allocated quota exceeded."),
    (403, "insufficient_quota", "daily quota"),
    (429, "Throttling.AllocationQuota", "Allocated quota exceeded, please increase your quota limit."),
    (400, "Arrearage", "Access denied, please make sure your account is in good standing."),
    (429, "", "hour allocated quota exceeded"),
    (429, "", "Your token-plan 1-week quota has been exhausted. The quota will reset at 07-27 09:25:00 UTC."),
]


@pytest.mark.parametrize(("status", "code", "message"), QUOTAS)
def test_every_known_word_for_a_spent_quota_is_understood(
    status: int, code: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each marks the account, and the next one answers."""
    keep_keys("first", "second")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"].endswith(KEYS["first"]):
            return httpx.Response(status, json={"error": {"message": message, "code": code or None}})
        return httpx.Response(200, json=ANSWER)

    with answering(answer, monkeypatch) as asked:
        PortalClient().chat(HELLO)
    assert keys_of(asked) == ["first", "second"]
    assert exhausted_until("first") is not None


def test_accounts_take_turns_from_the_active_one_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Round robin in the order in which they came; each is asked once."""
    keep_keys("first", "second", "third")
    qwen_portal.use("second")
    with answering(spent_but("first"), monkeypatch) as asked:
        PortalClient().chat(HELLO)
        PortalClient().chat(HELLO)
    assert keys_of(asked) == ["second", "third", "first", "first"]


def test_a_request_stays_within_its_kind_and_plan(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is moved from a free account to a paid key, or from one plan to another, unasked; the hint says how."""
    keep_keys("first")
    keep_keys("second", plan="token")
    two.a.set_quota(0)
    two.b.set_quota(0)
    with pytest.raises(QwenQuotaExceededError, match="'b'") as caught:
        PortalClient(on_quota="switch").chat(HELLO)
    assert "'first'" not in caught.value.message
    assert "accounts rotate --mixed" in caught.value.hint
    assert two.statuses() == ([429], [429])


def test_crossing_needs_leave_and_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With `accounts rotate --mixed` the plan's own accounts come first, then the others in their own shape."""
    keep_keys("first")
    keep_keys("second", plan="token")
    keep_keys("third")
    Session().accounts.allow_mixed(allowed=True)
    with answering(spent_but("second"), monkeypatch) as asked:
        for _ in range(2):
            PortalClient().chat(HELLO)
    assert keys_of(asked) == ["first", "third", "second", "second"]
    assert [request.url.host for request in asked[1:3]] == [
        "dashscope.aliyuncs.com",
        "token-plan.cn-beijing.maas.aliyuncs.com",
    ]
    assert [record.message.count("of plan token serves") for record in caplog.records].count(1) == 1


def test_an_account_that_needs_a_sign_in_is_passed_over(two: Two) -> None:
    """What is known to be dead is not asked; the error at the end says so."""
    with Session().accounts.editing("b") as entry:
        entry.needs_login = True
    two.a.set_quota(0)
    with pytest.raises(QwenQuotaExceededError, match=r"'b' \(oauth\) needs a new sign-in"):
        PortalClient().chat(HELLO)
    assert two.statuses() == ([429, 429], [])


def test_an_account_that_the_service_has_ended_is_passed_over(two: Two) -> None:
    """It was asked less than a quarter of an hour ago; its quota is not what is the matter."""
    with Session().accounts.editing("b") as entry:
        entry.ended_at = time.time()
    two.a.set_quota(0)
    with pytest.raises(QwenQuotaExceededError, match=r"'b' \(oauth\) is refused by the service"):
        PortalClient(on_quota="switch").chat(HELLO)
    assert two.statuses() == ([429], [])


@pytest.mark.parametrize("which", ["first", "second"])
def test_retry_after_is_for_the_account_that_is_asked_again_first(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever that is."""
    keep_keys("first", "second")
    for label in ("first", "second"):
        soon = CoolDown(time.time() + (60 if label == which else 900))
        Session().exhaust(Session().accounts.choose(label), soon)
    with pytest.raises(QwenQuotaExceededError) as caught:
        PortalClient(on_quota="switch").chat(HELLO)
    assert caught.value.retry_after == pytest.approx(60, abs=30)


@pytest.mark.parametrize("ask", [ways.achat, ways.astream])
def test_what_follows_a_refusal_is_decided_off_the_event_loop(
    ask: Way, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To note it waits for a file lock, and other tasks must not."""
    on_loop: list[bool] = []
    after = Attempts.after

    def note(attempts: Attempts, attempt: Attempt, error: QwenError) -> Attempt:
        on_loop.append(asyncio._get_running_loop() is not None)
        return after(attempts, attempt, error)

    monkeypatch.setattr(Attempts, "after", note)
    two.a.set_quota(0)
    assert "4" in ask()
    assert on_loop == [False]


@pytest.mark.parametrize("ask", ALL)
def test_an_account_that_turns_out_dead_is_passed_over(ask: Way, emulator: Emulator) -> None:
    """The one the user chose raises its own error; one that only steps in makes way for the next."""
    sign_in_as("c", "b", "a")
    emulator.set_quota(0, account=3)
    accounts = Session().accounts
    accounts.store("file").delete("c")
    assert [account.label for account in accounts.list()] == ["c", "b", "a"]
    assert "4" in ask()
    assert [entry.account for entry in emulator.chats()] == [3, 2]
    qwen_portal.use("c")
    with pytest.raises(QwenTokenNotAvailableError):
        ask()


def test_a_stream_goes_on_to_another_account_only_before_its_first_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error frame before anything was said is like a 429; after that, what came is in the error."""
    keep_keys("first", "second")
    said = 'data: {"choices": [{"index": 0, "delta": {"content": "Once"}, "finish_reason": null}]}\n\n'
    refused = f"data: {json.dumps(SPENT)}\n\n"
    ended = 'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    streams = {KEYS["first"]: refused, KEYS["second"]: said + ended}

    def answer(request: httpx.Request) -> httpx.Response:
        text = streams[request.headers["authorization"].removeprefix("Bearer ")]
        return httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})

    with answering(answer, monkeypatch) as asked:
        with PortalClient().stream(HELLO) as chunks:
            assert len(list(chunks)) == 2
        assert keys_of(asked) == ["first", "second"]
        streams[KEYS["second"]] = said + refused
        with PortalClient().stream(HELLO) as chunks:
            next(chunks)
            with pytest.raises(QwenQuotaExceededError) as caught:
                next(chunks)
    assert caught.value.partial_text == "Once"
    assert keys_of(asked) == ["first", "second", "second"]


def test_a_key_from_the_environment_has_a_cool_down_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in no index, so this process alone remembers; another key is another account."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEYS["first"])
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "studio")
    keep_keys("third")
    with answering(spent_but("second", "third"), monkeypatch) as asked:
        for _ in range(2):
            with pytest.raises(QwenQuotaExceededError, match=r"'env' \(studio\) is asked again"):
                PortalClient(on_quota="switch").chat(HELLO)
        assert keys_of(asked) == ["first"]
        monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEYS["second"])
        PortalClient(on_quota="switch").chat(HELLO)
    assert keys_of(asked) == ["first", "second"]


def test_a_key_that_a_call_brings_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever accounts there are: api_key= pins like a name, and --mixed changes nothing about it."""
    keep_keys("second")
    Session().accounts.allow_mixed(allowed=True)
    with answering(spent_but("second"), monkeypatch) as asked:
        for _ in range(2):
            with pytest.raises(QwenQuotaExceededError, match="'api_key='") as caught:
                PortalClient(api_key=KEYS["first"], plan="studio", on_quota="switch").chat(HELLO)
    assert "key" in caught.value.hint
    assert keys_of(asked) == ["first"]


def test_a_stand_in_that_is_refused_makes_way_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key among the others costs no answer; without any answer the error says what was wrong with it."""
    keep_keys("first", "second", "third")

    def answer(request: httpx.Request) -> httpx.Response:
        bad = request.headers["authorization"].endswith(KEYS["second"])
        return httpx.Response(401, json={}) if bad else spent_but("third")(request)

    with answering(answer, monkeypatch) as asked:
        PortalClient().chat(HELLO)
        assert keys_of(asked) == ["first", "second", "third"]
        Session().exhaust(Session().accounts.choose("third"), CoolDown(time.time() + 1800))
        with pytest.raises(QwenQuotaExceededError, match=r"'second' \(studio\) cannot be used now: .* refused"):
            PortalClient(on_quota="switch").chat(HELLO)


PASSING: dict[str, Handler] = {
    "a failure": lambda request: httpx.Response(500, text="oops"),
    "a burst": lambda request: httpx.Response(429, json={"error": {"message": "slow down", "code": "limit_requests"}}),
    "no such model": lambda request: httpx.Response(404, json={"error": {"message": "no", "code": "model_not_found"}}),
    "no connection": lambda request: (_ for _ in ()).throw(httpx.ConnectError("refused", request=request)),
    "no answer": lambda request: (_ for _ in ()).throw(httpx.ReadTimeout("silence", request=request)),
    "no sign-in": lambda request: httpx.Response(401, json={}),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("what", PASSING)
def test_a_stand_in_with_trouble_of_its_own_makes_way(
    what: str, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next account serves; without one, the quota error says what was the matter with each."""
    monkeypatch.setattr("qwen_portal.http.retry._FIRST", 0.0)
    keep_keys("first", "second", "third")
    served = ["third"]

    def answer(request: httpx.Request) -> httpx.Response:
        return PASSING[what](request) if keys_of([request]) == ["second"] else spent_but(*served)(request)

    def ask() -> None:
        client = PortalClient(max_retries=1, on_quota="switch")
        if streamed:
            client.stream(HELLO).open()
        else:
            client.chat(HELLO)

    with answering(answer, monkeypatch) as asked:
        if not streamed:
            ask()
            tries = 2 if what in {"a failure", "a burst", "no connection"} else 1
            assert keys_of(asked) == ["first", *["second"] * tries, "third"]
        served.clear()
        end_cool_down("first")
        with pytest.raises(QwenQuotaExceededError, match=r"'second' \(studio\) cannot be used now: ") as caught:
            ask()
    assert "'first' (studio) is asked again at" in caught.value.message
    assert "'third' (studio) is asked again at" in caught.value.message


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (400, "invalid_parameter_error", "bad request", QwenBadRequestError),
        (400, "x", "Range of input length should be [1, 5]", QwenContextLengthError),
        (400, "data_inspection_failed", "inappropriate", QwenContentFilterError),
    ],
)
def test_what_is_wrong_with_the_request_is_said_whoever_finds_it(
    status: int, code: str, message: str, expected: type[QwenError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another account would say the same."""
    keep_keys("first", "second", "third")

    def answer(request: httpx.Request) -> httpx.Response:
        wrong = httpx.Response(status, json={"error": {"code": code, "message": message}})
        return wrong if keys_of([request]) == ["second"] else spent_but()(request)

    with answering(answer, monkeypatch) as asked, pytest.raises(expected):
        PortalClient().chat(HELLO)
    assert keys_of(asked) == ["first", "second"]


def test_the_account_that_the_user_chose_tells_its_own_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a stand-in is passed over."""
    keep_keys("first", "second")
    with answering(PASSING["no such model"], monkeypatch) as asked, pytest.raises(QwenModelNotFoundError):
        PortalClient().chat(HELLO)
    assert keys_of(asked) == ["first"]


def test_an_account_on_a_plan_that_nobody_knows_serves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops no rotation, and the error says why it was left out."""
    keep_keys("first", "second", "third")
    with Session().accounts.editing("second") as entry:
        entry.plan = "premium"
    Session().accounts.allow_mixed(allowed=True)
    with answering(spent_but(), monkeypatch) as asked, pytest.raises(QwenQuotaExceededError) as caught:
        PortalClient(on_quota="switch").chat(HELLO)
    assert keys_of(asked) == ["first", "third"]
    assert "'second' (premium) cannot be used: unknown plan 'premium'" in caught.value.message


def hint_of(**client: object) -> str:
    """Return what a request's quota error tells to do."""
    with pytest.raises(QwenQuotaExceededError) as caught:
        PortalClient(**client).chat(HELLO)  # type: ignore[arg-type]
    return caught.value.hint


def test_the_hint_fits_the_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom the call named, who else there is, and what the strategies leave out."""
    keep_keys("first")
    with answering(spent_but(), monkeypatch):
        assert "add an account" in hint_of(on_quota="switch")
        assert "`qwen-portal accounts use first`" in hint_of(on_quota="switch")
        assert hint_of(account="first") == "Wait, or end the cool-down early: `qwen-portal accounts use first`."
        keep_keys("second")
        assert hint_of(account="first") == "Wait, or leave the account's name out: then 'second' may serve."
        assert hint_of(account="first", on_quota="error") == "Wait, or name another account: 'second'."
        assert hint_of(on_quota="error").startswith("Wait, or put switch into QWEN_PORTAL_ON_QUOTA")
        assert "then 'second' may serve" in hint_of(on_quota="degrade")
        Session().accounts.remove("second")
        keep_keys("third", plan="token")
        assert hint_of(account="first") == "Wait, or name another account: 'third'."
        assert "accounts rotate --mixed" in hint_of(on_quota="switch")


def test_a_key_of_the_environment_cannot_be_used_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command ends its cool-down, so none is named."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEYS["first"])
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "studio")
    with answering(spent_but(), monkeypatch):
        for client in ({}, {"account": "env"}, {"on_quota": "error"}):
            hint = hint_of(**client)
            assert "key" in hint
            assert "accounts use" not in hint


def test_a_label_in_a_hint_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quoted as a shell takes it."""
    Session().accounts.add("my key", Credential.from_key(Secret(KEYS["first"]), plan="studio"))
    with answering(spent_but(), monkeypatch):
        assert "`qwen-portal accounts use 'my key'`" in hint_of()


def test_the_time_for_an_answer_is_for_all_accounts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that has used up its time is not sent to yet another account."""
    keep_keys("first", "second", "third")
    clock = [0.0]
    monkeypatch.setattr("qwen_portal.quota.attempts.time.monotonic", lambda: clock[0])

    def answer(request: httpx.Request) -> httpx.Response:
        clock[0] += 6.0
        return httpx.Response(429, json=SPENT)

    with answering(answer, monkeypatch) as asked, pytest.raises(QwenQuotaExceededError) as caught:
        PortalClient(timeout=10, on_quota="switch").chat(HELLO)
    assert keys_of(asked) == ["first", "second"]
    assert "the time for this answer (10 s) was over before all was tried" in caught.value.message
    assert "'third' (studio) was not asked" in caught.value.message


@pytest.mark.parametrize("on_quota", ["switch", "degrade", "switch,degrade"])
def test_an_account_that_becomes_free_meanwhile_serves(on_quota: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first was in its cool-down and never asked; that ends while others, or a short answer, are refused."""
    keep_keys("first", "second")
    Session().exhaust(Session().accounts.choose("first"), CoolDown(time.time() + 1800))
    if on_quota == "degrade":
        Session().exhaust(Session().accounts.choose("second"), CoolDown(time.time() + 1800))

    def answer(request: httpx.Request) -> httpx.Response:
        whole = "max_tokens" not in json.loads(request.content)
        free = not Session().accounts.choose("first").is_exhausted
        end_cool_down("first")
        return httpx.Response(200, json=ANSWER) if free and whole else httpx.Response(429, json=SPENT)

    with answering(answer, monkeypatch) as asked:
        assert "on_quota" not in PortalClient(on_quota=on_quota).chat(HELLO)
    assert keys_of(asked) == ["first" if on_quota == "degrade" else "second", "first"]


def test_an_account_that_was_refused_is_not_called_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """However soon its cool-down is over: the error says what happened, and it is not asked twice."""
    keep_keys("first")

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, json=SPENT)

    monkeypatch.setenv("QWEN_PORTAL_QUOTA_COOLDOWN", "1e-9")
    with answering(answer, monkeypatch) as asked, pytest.raises(QwenQuotaExceededError) as caught:
        PortalClient(on_quota="switch").chat(HELLO)
    assert keys_of(asked) == ["first"]
    assert "'first' (studio) refused this request" in caught.value.message
    assert "free" not in caught.value.message.replace("Free allocated", "")


@pytest.mark.parametrize("wrong", ["switsch", "switch,error", ",", []])
def test_an_unknown_strategy_lists_the_known_ones(wrong: str | list[str]) -> None:
    """A mistyped strategy is no silent default."""
    with pytest.raises(QwenError, match="ON_QUOTA") as caught:
        PortalClient(on_quota=wrong)
    assert "switch, degrade, cli" in caught.value.hint


def test_a_list_is_as_good_as_commas(two: Two) -> None:
    """on_quota takes both."""
    two.a.set_quota(0)
    assert PortalClient(on_quota=["switch"]).chat(HELLO)["choices"]
    end_cool_down("a")
    assert PortalClient(on_quota=" Switch , degrade").chat(HELLO)["choices"]


def test_a_cool_down_is_logged_without_a_secret(two: Two, caplog: pytest.LogCaptureFixture) -> None:
    """Who is left alone, for how long."""
    two.a.set_quota(0)
    with caplog.at_level(logging.INFO, "qwen_portal"):
        PortalClient().chat(HELLO)
    assert "account a: its quota is used up; it is left alone for 30 min" in caplog.text
    assert "account a: the request goes on to account b" in caplog.text
    assert not any(token in caplog.text for token in two.a.issued_tokens() + two.b.issued_tokens())
