"""One token per account: when it is refreshed, what is kept, what is logged."""

import asyncio
import json
import logging
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

import qwen_portal
from qwen_portal import oauth
from qwen_portal.account.record import Account
from qwen_portal.account.registry import Accounts
from qwen_portal.emulator import Emulator
from qwen_portal.errors import (
    QwenConnectionError,
    QwenError,
    QwenOAuthError,
    QwenRefreshTokenInvalidError,
    QwenServerError,
    QwenServiceEndedError,
    QwenTokenExpiredError,
)
from qwen_portal.oauth import TokenResponse
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from qwen_portal.tokens.manager import TokenManager

LABEL = "default"


def credential(**changes: object) -> Credential:
    """Make a sign-in that was issued just now and lasts an hour."""
    now = time.time()
    made = Credential(
        kind="oauth",
        plan="oauth",
        access_token=Secret("first"),
        refresh_token=Secret("refresh-1"),
        issued_at=now,
        expires_at=now + 3600,
        resource_url="portal.qwen.ai",
        generation=1000,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    """Keep one account in a file store."""
    kept = Accounts(tmp_path / "home", "file")
    kept.keep(LABEL, credential())
    return kept


def manager(accounts: Accounts, pauses: list[float] | None = None) -> TokenManager:
    """Make a token manager that notes its waits instead of waiting."""
    noted = pauses if pauses is not None else []
    return TokenManager(accounts, oauth_url="https://chat.qwen.ai", client_id="id", sleep=noted.append)


def await_landing(tokens: TokenManager) -> None:
    """Wait until no refresh is under way and the last one's token is in use, which happens under one lock."""
    while True:
        with tokens._gate:
            flight = tokens._flights.get(LABEL)
        if flight is None:
            return
        flight.exception(30)


def expire(accounts: Accounts, **changes: object) -> None:
    """Put a sign-in whose token's time is over into the store."""
    past = time.time() - 10
    accounts.keep(LABEL, credential(issued_at=past - 3600, expires_at=past, **changes))


def answer_refresh(monkeypatch: pytest.MonkeyPatch, *answers: TokenResponse | Exception) -> list[str]:
    """Script the refresh answers; return the list of refresh tokens that were spent."""
    script, spent = list(answers), list[str]()

    def refresh(token: Secret, **_: object) -> TokenResponse:
        spent.append(token.reveal())
        answer = script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(oauth, "refresh", refresh)
    return spent


def not_sent() -> QwenConnectionError:
    """Make the error of a connection that was never made."""
    error = QwenConnectionError("refused")
    error.sent = False
    return error


NEW = TokenResponse(Secret("second"), Secret("refresh-2"), 3600.0, "portal.qwen.ai")


def test_a_valid_token_is_read_once_and_then_from_memory(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The store, a keyring of tens of milliseconds, is not asked at every request."""
    tokens, account = manager(accounts), accounts.choose()
    loads: list[str] = []
    load = accounts.load

    def count(account: Account) -> Credential:
        loads.append(account.label)
        return load(account)

    monkeypatch.setattr(accounts, "load", count)
    with caplog.at_level(logging.DEBUG, "qwen_portal"):
        assert {tokens.get(account).access_token.reveal() for _ in range(5)} == {"first"}
    assert loads == [LABEL]
    assert "using valid token" in caplog.text


def test_an_expired_token_is_refreshed_and_stored_before_it_is_used(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When the caller gets the new token, the store has it already."""
    expire(accounts)
    spent = answer_refresh(monkeypatch, NEW)
    with caplog.at_level(logging.INFO, "qwen_portal"):
        got = manager(accounts).get(accounts.choose())
    assert got.access_token.reveal() == "second"
    assert spent == ["refresh-1"]
    assert accounts.load(accounts.choose()).to_json() == got.to_json()
    assert "refreshing the token" in caplog.text
    assert "token refreshed" in caplog.text


@pytest.mark.parametrize(
    ("life", "left", "state"),
    [(3600, 31, "stale"), (3600, 29, "expired"), (100, 11, "stale"), (100, 9, "expired"), (3600, 301, "fresh")],
)
def test_the_margin_is_30_seconds_or_a_tenth_of_the_life(life: float, left: float, state: str) -> None:
    """A short-lived token is not refreshed at every call."""
    now = time.time()
    assert credential(issued_at=now + left - life, expires_at=now + left).state().value == state


def test_a_token_that_ends_soon_is_renewed_behind_the_requests(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests go on with the old token while one refresh is under way; then they have the new one."""
    now = time.time()
    accounts.keep(LABEL, credential(issued_at=now - 3500, expires_at=now + 100))
    tokens, account = manager(accounts), accounts.choose()
    assert tokens.get(account).access_token.reveal() == "first"
    asked, go_on = threading.Event(), threading.Event()

    def refresh(token: Secret, **_: object) -> TokenResponse:
        asked.set()
        assert go_on.wait(30)
        return NEW

    monkeypatch.setattr(oauth, "refresh", refresh)
    with caplog.at_level(logging.INFO, "qwen_portal"):
        assert {tokens.get(account).access_token.reveal() for _ in range(3)} == {"first"}
        assert asked.wait(30)
        assert tokens.get(account).access_token.reveal() == "first"
        flight = tokens._flights[LABEL]
        go_on.set()
        flight.result(30)
    assert tokens.get(account).access_token.reveal() == "second"
    assert caplog.text.count("expiring soon") == 1


def test_a_refresh_ahead_of_time_that_fails_is_tried_again_after_a_minute(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A sign-in host that is down for a moment costs a line in the log, not a request."""
    now = time.time()
    accounts.keep(LABEL, credential(issued_at=now - 3500, expires_at=now + 100))
    tokens, account = manager(accounts), accounts.choose()
    tokens.get(account)
    clock = [1000.0]
    monkeypatch.setattr("qwen_portal.tokens.manager.time.monotonic", lambda: clock[0])
    spent = answer_refresh(monkeypatch, QwenServerError("down"), NEW)
    for moment, tries in ((1000.0, 1), (1059.0, 1), (1061.0, 2)):
        clock[0] = moment
        tokens.get(account)
        await_landing(tokens)
        assert len(spent) == tries
    assert tokens.get(account).access_token.reveal() == "second"
    assert "could not be refreshed yet" in caplog.text


def test_a_sign_in_that_ended_stops_the_refresh_ahead_of_time(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning names the command; the token's last minutes are used without another try."""
    now = time.time()
    accounts.keep(LABEL, credential(issued_at=now - 3500, expires_at=now + 100))
    tokens = manager(accounts)
    tokens.get(accounts.choose())
    spent = answer_refresh(monkeypatch, QwenRefreshTokenInvalidError("dead"))
    for _ in range(3):
        assert tokens.get(accounts.choose()).access_token.reveal() == "first"
        await_landing(tokens)
    assert len(spent) == 1
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    assert "qwen-portal login default" in caplog.text


def test_keep_alive_refreshes_without_requests(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle program's token is renewed in time."""
    now = time.time()
    accounts.keep(LABEL, credential(issued_at=now - 3500, expires_at=now + 100))
    done = threading.Event()

    def refresh(token: Secret, **_: object) -> TokenResponse:
        done.set()
        return NEW

    monkeypatch.setattr(oauth, "refresh", refresh)
    tokens = manager(accounts)
    with tokens.keep_alive(accounts.choose()):
        assert done.wait(30)
        await_landing(tokens)
    assert tokens.get(accounts.choose()).access_token.reveal() == "second"


def test_what_the_answer_lacks_is_kept(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh answer without refresh_token and resource_url changes neither."""
    expire(accounts)
    answer_refresh(monkeypatch, TokenResponse(Secret("second")))
    got = manager(accounts).get(accounts.choose())
    assert got.refresh_token == Secret("refresh-1")
    assert got.resource_url == "portal.qwen.ai"
    assert got.expires_at is not None
    assert got.expires_at - got.issued_at == pytest.approx(6 * 3600)


def test_only_a_request_that_was_never_sent_is_repeated(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two repeats, two seconds apart; the refresh token is single-use."""
    expire(accounts)
    pauses: list[float] = []
    spent = answer_refresh(monkeypatch, not_sent(), not_sent(), NEW)
    assert manager(accounts, pauses).get(accounts.choose()).access_token.reveal() == "second"
    assert (len(spent), pauses) == (3, [2.0, 2.0])


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (QwenConnectionError("reset"), 1),
        (QwenServerError("500"), 1),
        (QwenOAuthError("a page", kind="firewall"), 1),
        (not_sent(), 3),
    ],
)
def test_a_passing_failure_keeps_the_sign_in(
    failure: QwenError, tries: int, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says that nothing is lost, and the next call succeeds with the same refresh token."""
    expire(accounts)
    spent = answer_refresh(monkeypatch, *[failure] * tries, NEW)
    tokens = manager(accounts)
    with pytest.raises(QwenTokenExpiredError) as caught:
        tokens.get(accounts.choose())
    assert "kept" in caught.value.hint
    assert caught.value.kind == failure.kind
    assert tokens.get(accounts.choose()).access_token.reveal() == "second"
    assert set(spent) == {"refresh-1"}


def test_inside_the_margin_a_passing_failure_is_no_failure(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token with seconds left still serves when the sign-in host is down."""
    now = time.time()
    accounts.keep(LABEL, credential(issued_at=now - 3590, expires_at=now + 10))
    answer_refresh(monkeypatch, QwenServerError("500"))
    assert manager(accounts).get(accounts.choose()).access_token.reveal() == "first"


def test_a_dead_refresh_token_marks_the_account_and_keeps_the_record(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the command; nothing is deleted."""
    expire(accounts)
    answer_refresh(monkeypatch, QwenRefreshTokenInvalidError("dead"))
    with pytest.raises(QwenRefreshTokenInvalidError, match="qwen-portal login default"):
        manager(accounts).get(accounts.choose())
    assert accounts.choose().needs_login
    assert accounts.load(accounts.choose()).refresh_token == Secret("refresh-1")
    # the script has no second answer: the dead token is not sent again
    with pytest.raises(QwenRefreshTokenInvalidError, match="has ended"):
        manager(accounts).get(accounts.choose())


def test_the_loser_of_a_race_adopts_what_the_winner_stored(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rejection is only believed after another look at the store."""
    expire(accounts)
    winner = credential(access_token=Secret("winner"), generation=2000)

    def refresh(token: Secret, **_: object) -> TokenResponse:
        accounts.store("file").save(LABEL, winner)
        msg = "dead"
        raise QwenRefreshTokenInvalidError(msg)

    monkeypatch.setattr(oauth, "refresh", refresh)
    assert manager(accounts).get(accounts.choose()).access_token.reveal() == "winner"
    assert not accounts.choose().needs_login


def test_without_a_refresh_token_the_error_says_so(accounts: Accounts) -> None:
    """An expired token that came alone cannot be renewed."""
    expire(accounts, refresh_token=None)
    with pytest.raises(QwenTokenExpiredError, match="without a refresh token"):
        manager(accounts).get(accounts.choose())


def test_a_sign_in_elsewhere_is_seen_at_the_next_call(accounts: Accounts) -> None:
    """Another process signed in again under the same label: its token is used, not the remembered one."""
    tokens = manager(accounts)
    assert tokens.get(accounts.choose()).access_token.reveal() == "first"
    accounts.keep(LABEL, credential(access_token=Secret("other"), generation=5000))
    assert tokens.get(accounts.choose()).access_token.reveal() == "other"


def test_sixteen_threads_and_a_hundred_tasks_make_one_refresh(signed_in: Emulator) -> None:
    """All of them get the same new token."""
    session = Session()
    signed_in.advance(7 * 3600)
    stale = session.accounts.load(session.choose())
    session.accounts.keep(LABEL, replace(stale, expires_at=time.time() - 1, generation=stale.generation + 1))
    got: list[str] = []
    barrier = threading.Barrier(17)

    def ask() -> None:
        barrier.wait()
        got.append(qwen_portal.get_access_token())

    async def ask_a_hundred() -> None:
        got.extend(await asyncio.gather(*(qwen_portal.aget_access_token() for _ in range(100))))

    def ask_async() -> None:
        barrier.wait()
        asyncio.run(ask_a_hundred())

    threads = [threading.Thread(target=ask) for _ in range(16)] + [threading.Thread(target=ask_async)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 116
    assert len(set(got)) == 1
    assert refreshes(signed_in) == 1


def refreshes(emulator: Emulator) -> int:
    """Count the refresh requests the emulator saw."""
    bodies = [entry.body for entry in emulator.log() if entry.path.endswith("/oauth2/token")]
    return sum(isinstance(body, dict) and body.get("grant_type") == "refresh_token" for body in bodies)


async def test_a_cancelled_caller_does_not_lose_the_refresh(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new pair is stored although nobody waits for it any more."""
    expire(accounts)
    asked, go_on = threading.Event(), threading.Event()

    def refresh(token: Secret, **_: object) -> TokenResponse:
        asked.set()
        assert go_on.wait(30)
        return NEW

    monkeypatch.setattr(oauth, "refresh", refresh)
    tokens = manager(accounts)
    task = asyncio.create_task(tokens.aget(accounts.choose()))
    await asyncio.to_thread(asked.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    assert (await tokens.aget(accounts.choose())).access_token.reveal() == "second"


def test_a_fresh_token_that_is_refused_means_the_service_has_ended(signed_in: Emulator) -> None:
    """One refresh, then the plain explanation; for 15 minutes no request is made at all."""
    signed_in.scenario("ended")
    client = qwen_portal.PortalClient()
    for _ in range(3):
        with pytest.raises(QwenServiceEndedError, match="--plan") as caught:
            client.chat([{"role": "user", "content": "Hello"}])
        assert caught.value.status == 401
    assert refreshes(signed_in) == 1
    assert len(signed_in.chats()) == 2


def test_what_a_host_of_the_users_own_refuses_is_not_remembered(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither for the account's own service, nor of that for this host: each call asks, and none renews the token."""
    signed_in.scenario("ended")
    question = [{"role": "user", "content": "Hello"}]
    with pytest.raises(QwenServiceEndedError):
        qwen_portal.PortalClient().chat(question)
    asked = len(signed_in.chats())
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", signed_in.base_url)
    for _ in range(2):
        with pytest.raises(QwenServiceEndedError):
            qwen_portal.PortalClient().chat(question)
    assert (len(signed_in.chats()), refreshes(signed_in)) == (asked + 2, 1)
    monkeypatch.delenv("QWEN_PORTAL_BASE_URL")
    qwen_portal.use(LABEL)
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", signed_in.base_url)
    with pytest.raises(QwenServiceEndedError):
        qwen_portal.PortalClient().chat(question)
    assert Session().accounts.choose().ended_at is None
    signed_in.scenario("ended", on=False)
    assert qwen_portal.PortalClient().chat(question)["choices"]


def test_a_token_that_ends_on_the_way_does_not_mean_that_the_service_has_ended(accounts: Accounts) -> None:
    """A refreshed token, refused at the end of its time, says nothing about the service."""
    now = time.time()
    at_its_end = credential(refreshed=True, issued_at=now - 100, expires_at=now + 1)
    manager(accounts).classify_401(accounts.choose(), at_its_end)
    assert accounts.choose().ended_at is None
    with pytest.raises(QwenServiceEndedError):
        manager(accounts).classify_401(accounts.choose(), credential(refreshed=True))


def test_a_token_that_was_replaced_and_is_refused_late_does_not_mean_that_the_service_has_ended(
    accounts: Accounts,
) -> None:
    """Requests overlap: one gets its 401 after the next token has answered another; a slow one succeeds as late."""
    tokens, account = manager(accounts), accounts.choose()
    old, new = credential(refreshed=True), credential(refreshed=True, generation=1001)
    for accepted in (old, new, old):
        tokens.mark_accepted(account, accepted)
    tokens.classify_401(account, old)
    tokens.classify_401(account, new)
    with pytest.raises(QwenServiceEndedError):
        tokens.classify_401(account, credential(refreshed=True, generation=1002))


def test_a_clock_that_was_set_back_does_not_mean_that_the_service_has_ended(accounts: Accounts) -> None:
    """A token issued in what is the future now may be over for all that this machine knows."""
    ahead = time.time() + 60
    tokens = manager(accounts)
    tokens.classify_401(accounts.choose(), credential(refreshed=True, issued_at=ahead, expires_at=ahead + 20))
    assert accounts.choose().ended_at is None


def test_a_sign_in_clears_the_memory_of_an_ended_service(signed_in: Emulator) -> None:
    """Whoever signs in again gets a new try at once."""
    signed_in.scenario("ended")
    client = qwen_portal.PortalClient()
    with pytest.raises(QwenServiceEndedError):
        client.chat([{"role": "user", "content": "Hello"}])
    signed_in.scenario("ended", on=False)
    qwen_portal.use(LABEL)
    assert client.chat([{"role": "user", "content": "Hello"}])["choices"]


def test_the_log_tells_a_refused_token_from_start_to_end(signed_in: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """Auth error, refresh, retry, success: each has its line, none has a secret."""
    signed_in.revoke()
    with caplog.at_level(logging.DEBUG):
        qwen_portal.PortalClient().chat([{"role": "user", "content": "Hello"}])
    for line in (
        "auth error (401): refreshing and retrying",
        "refreshing the token",
        "token refreshed",
        "retrying with the refreshed token",
        "succeeded after refresh",
    ):
        assert line in caplog.text
    assert not [token for token in signed_in.issued_tokens() if token in caplog.text]


def test_the_log_tells_when_a_refresh_did_not_help(signed_in: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """The failure after a refresh is an ERROR."""
    signed_in.scenario("ended")
    with caplog.at_level(logging.INFO), pytest.raises(QwenServiceEndedError):
        qwen_portal.PortalClient().chat([{"role": "user", "content": "Hello"}])
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "account default: failed after refresh: HTTP 401"
    ]


def test_a_revoked_sign_in_is_logged_and_raised(signed_in: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """A refresh token that died elsewhere ends in the error that names the command."""
    signed_in.revoke(refresh_too=True)
    with caplog.at_level(logging.INFO), pytest.raises(QwenRefreshTokenInvalidError):
        qwen_portal.PortalClient().chat([{"role": "user", "content": "Hello"}])
    assert "failed after refresh" in caplog.text


def test_records_survive_the_round_trip_and_tell_nothing_when_broken() -> None:
    """What is stored reads back the same; a damaged record's error quotes none of it."""
    made = credential()
    assert Credential.from_json(Secret(made.to_json())).to_json() == made.to_json()
    for broken in ("", "[]", "{}", '{"kind":"oauth"}', made.to_json()[:-9], '{"kind":"x","access_token":"CANARY"}'):
        with pytest.raises(ValueError, match=r"^not a credential record$") as caught:
            Credential.from_json(Secret(broken))
        assert caught.value.__context__ is None
    with pytest.raises(ValueError, match="not a credential"):
        Credential.from_json(Secret(json.dumps({"kind": "key", "plan": 1, "access_token": "x"})))


BROKEN = ["[" * 100_000, '{"a":' * 100_000, "\ufeff", "NaN", "1" * 5000]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_what_no_parser_takes_is_no_record(broken: str) -> None:
    """However it is broken, the error is the one that the stores expect."""
    with pytest.raises(ValueError, match=r"^not a credential record$") as caught:
        Credential.from_json(Secret(broken))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("absurd", ["1" + "0" * 400, "1" + "0" * 5000, "1e306", "Infinity", "NaN", '"soon"', "[]"])
def test_a_record_with_an_absurd_end_keeps_its_tokens(absurd: str) -> None:
    """It counts as the 6 hours of a token that does not say; the sign-in itself is whole."""
    made = credential()
    record = json.dumps(json.loads(made.to_json()) | {"expires_at": "?"}).replace('"?"', absurd)
    read = Credential.from_json(Secret(record))
    assert (read.access_token, read.refresh_token) == (made.access_token, made.refresh_token)
    assert read.expires_at == pytest.approx(made.issued_at + 6 * 3600, abs=1)


@pytest.mark.parametrize("generation", ["1e300", "1" + "0" * 400, "Infinity", "-1", '"7"'])
def test_a_record_with_an_absurd_generation_is_none(generation: str) -> None:
    """It would fit no file's time, and every later sign-in would look older."""
    record = json.dumps(json.loads(credential().to_json()) | {"generation": "?"}).replace('"?"', generation)
    with pytest.raises(ValueError, match="not a credential"):
        Credential.from_json(Secret(record))


def test_a_server_error_during_refresh_is_not_a_token_error(signed_in: Emulator) -> None:
    """Whatever the sign-in host does, the next call still has the sign-in."""
    for scenario in ("firewall", "empty", "error-500"):
        signed_in.revoke()
        signed_in.scenario(scenario, where="refresh")
        with pytest.raises(QwenError):
            qwen_portal.get_access_token(force_refresh=True)
        signed_in.scenario(scenario, on=False)
    assert qwen_portal.get_access_token(force_refresh=True)


def test_a_refresh_that_brings_the_same_bearer_is_one(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may leave the access token as it is: whoever had it refused is not sent round and round."""
    refused = accounts.load(accounts.choose())
    spent = answer_refresh(monkeypatch, TokenResponse(Secret("first"), Secret("refresh-2"), 3600.0))
    assert manager(accounts).get(accounts.choose(), refused=refused).access_token.reveal() == "first"
    assert spent == ["refresh-1"]


def test_a_thread_that_could_not_start_blocks_nobody(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is told, and the next call refreshes."""
    expire(accounts)
    answer_refresh(monkeypatch, TokenResponse(Secret("second"), Secret("refresh-2"), 3600.0))
    tokens = manager(accounts)

    def fail(_: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(QwenError, match="can't start new thread"):
            tokens.get(accounts.choose())
    assert tokens.get(accounts.choose()).access_token.reveal() == "second"


def test_a_rescue_is_found_although_the_record_is_gone(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store lost the old record while the new one was put aside."""
    kept = accounts.journal(LABEL)
    assert kept is not None
    kept.rescue(credential(access_token=Secret("rescued"), generation=2000))
    store = accounts.store("file")
    assert store.delete(LABEL)
    assert manager(accounts).get(accounts.choose()).access_token.reveal() == "rescued"
    assert store.load(LABEL) is not None
    assert kept.rescued() is None
