"""How long an account is left alone: for which model, until when, in which process, and what the user is told."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import qwen_portal
from qwen_portal import PortalClient
from qwen_portal.account.cool_downs import LONGEST, CoolDown
from qwen_portal.account.registry import Accounts
from qwen_portal.errors import QwenQuotaExceededError, QwenStoreError
from qwen_portal.session import Session
from qwen_portal.storage.index import FileIndex
from qwen_portal.storage.locks import file_lock
from tests.quotas import ANSWER, SPENT, exhausted_until, keep_keys, keys_of, spent_but
from tests.scripted import Handler, answering
from tests.ways import HELLO

OTHER = "vision-model"


def refusing(code: str, message: str = "no", *, status: int = 403, models: tuple[str, ...] = ()) -> Handler:
    """Answer what a model's quota is not used up for; without models, nothing."""

    def answer(request: httpx.Request) -> httpx.Response:
        if models and json.loads(request.content)["model"] not in models:
            return httpx.Response(200, json=ANSWER)
        return httpx.Response(status, json={"error": {"code": code, "message": message}})

    return answer


def change_entry(label: str, **fields: Any) -> None:
    """Set what the index says of an account."""
    with Session().accounts.editing(label) as entry:
        for name, value in fields.items():
            setattr(entry, name, value)


def test_a_model_s_free_quota_is_that_model_s_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Other models of the account go on; the spent one is left alone by every process, under either of its names."""
    keep_keys("first")
    with answering(refusing("AllocationQuota.FreeTierOnly", models=("qwen3.7-plus",)), monkeypatch) as asked:
        for model in ("coder-model", "qwen3.7-plus"):
            with pytest.raises(
                QwenQuotaExceededError, match=r"'first' \(studio\) is asked for qwen3\.7-plus again at"
            ) as caught:
                PortalClient().chat(HELLO, model=model)
        assert len(asked) == 1
        assert PortalClient().chat(HELLO, model=OTHER)["choices"]
    assert "paid use" in caught.value.hint
    assert "use another model" in caught.value.hint
    assert exhausted_until("first") is None
    (entry,) = json.loads((tmp_path / "state" / "accounts.json").read_text())["accounts"].values()
    assert entry["exhausted_models"] == {"qwen3.7-plus": pytest.approx(time.time() + 1800, abs=60)}


def test_another_account_serves_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A free quota that is used up is a quota like any other; the model's name is each plan's own."""
    keep_keys("first", "second")
    free = refusing("AllocationQuota.FreeTierOnly")

    def answer(request: httpx.Request) -> httpx.Response:
        return free(request) if keys_of([request]) == ["first"] else httpx.Response(200, json=ANSWER)

    with answering(answer, monkeypatch) as asked:
        for _ in range(2):
            PortalClient().chat(HELLO, extra_body={"model": "coder-model"}, model="vision-model")
    assert keys_of(asked) == ["first", "second", "second"]


@pytest.mark.parametrize("code", ["Arrearage", "AllocationQuota.FreeTierOnly"])
def test_what_no_shorter_request_gets_around_is_asked_once(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No degraded request, neither now nor in the cool-down, in this process or the next."""
    keep_keys("first")
    with answering(refusing(code, status=400 if code == "Arrearage" else 403), monkeypatch) as asked:
        for _ in range(3):
            with pytest.raises(QwenQuotaExceededError):
                PortalClient().chat(HELLO)
            qwen_portal.close()
    assert len(asked) == 1


def test_a_bill_is_to_be_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint names the place, and the command for afterwards; an account with quota is degraded all the same."""
    keep_keys("first")
    with answering(refusing("Arrearage", status=400), monkeypatch):
        with pytest.raises(QwenQuotaExceededError, match=r"'first' \(studio\) has a bill to settle") as caught:
            PortalClient().chat(HELLO)
        assert "Settle the bill of 'first' in the console of Model Studio" in caught.value.hint
        assert "`qwen-portal accounts use first`" in caught.value.hint
    keep_keys("second")
    Session().exhaust(Session().accounts.choose("second"), CoolDown(time.time() + 1800))
    with answering(lambda request: httpx.Response(200, json=ANSWER), monkeypatch) as asked:
        assert PortalClient().chat(HELLO)["on_quota"] == "degrade"
    assert keys_of(asked) == ["second"]


def reset_text(seconds: float) -> str:
    """Say what a Token Plan says, for a moment to come."""
    moment = datetime.fromtimestamp(time.time() + seconds, UTC)
    return f"Your token-plan 1-week quota has been exhausted. The quota will reset at {moment:%m-%d %H:%M:%S} UTC."


@pytest.mark.parametrize("days", [0.01, 6, 39])
def test_the_service_s_own_word_ends_the_cool_down(days: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then nobody asks, and the error says that the account is free again then."""
    keep_keys("first")
    with (
        answering(refusing("", reset_text(days * 86400), status=429), monkeypatch) as asked,
        pytest.raises(QwenQuotaExceededError, match=r"'first' \(studio\) is free again at 20") as caught,
    ):
        PortalClient(on_quota="switch").chat(HELLO)
    assert exhausted_until("first") == pytest.approx(time.time() + days * 86400, abs=60)
    assert caught.value.retry_after == pytest.approx(days * 86400, abs=60)
    assert len(asked) == 1


@pytest.mark.parametrize(
    "text",
    [
        reset_text(41 * 86400),
        reset_text(-86400),
        "Quota exceeded. The quota will reset at 13-45 25:61:00 UTC.",
        "Quota exceeded. The quota will reset at soon UTC.",
    ],
    # a name that is the same in every process, whatever the time is there
    ids=["too far away", "past", "no such date", "no date"],
)
def test_a_moment_that_cannot_be_is_not_believed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past, or further ahead than any plan counts: the cool-down is the user's."""
    keep_keys("first")
    with (
        answering(refusing("", text, status=429), monkeypatch),
        pytest.raises(QwenQuotaExceededError, match=r"is asked again at .*, in 30 min"),
    ):
        PortalClient(on_quota="switch").chat(HELLO)
    assert exhausted_until("first") == pytest.approx(time.time() + 1800, abs=60)


def test_a_shorter_cool_down_shortens_no_other_mark() -> None:
    """Only the service's own word does."""
    keep_keys("first")
    account = Session().accounts.choose("first")
    Session().exhaust(account, CoolDown(time.time() + 1800))
    Session().exhaust(account, CoolDown(time.time() + 900, model="m"))
    Session().exhaust(account, CoolDown(time.time() + 7))
    Session().exhaust(account, CoolDown(time.time() + 7, model="m"))
    known = {each.model: each.until for each in Session().accounts.choose("first").cool_downs}
    assert known == {None: pytest.approx(time.time() + 1800, abs=60), "m": pytest.approx(time.time() + 900, abs=60)}
    Session().exhaust(account, CoolDown(time.time() + 300, is_stated=True))
    assert exhausted_until("first") == pytest.approx(time.time() + 300, abs=60)


@pytest.mark.parametrize("ahead", [86400.0, 2 * LONGEST])
@pytest.mark.parametrize("dated", [True, False])
def test_a_mark_of_a_clock_that_was_set_back_counts_as_over(
    ahead: float, dated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can tell when it would end; one request finds out, and its refusal is noted by the right clock."""
    keep_keys("first")
    now = time.time()
    at = now + ahead if dated else None
    change_entry("first", exhausted_until=now + ahead + 1800, exhausted_at=at, exhausted_models={"m": now + ahead + 9})
    if not dated and ahead < LONGEST:
        # as an older version writes it, with a long cool-down or for a sign-in from another program
        assert Session().accounts.choose("first").is_exhausted
        return
    assert Session().accounts.choose("first").cool_downs == ()
    Session().exhaust(Session().accounts.choose("first"), CoolDown(time.time() + 1800))
    assert exhausted_until("first") == pytest.approx(now + 1800, abs=60)


def test_using_an_account_ends_all_its_cool_downs() -> None:
    """Those of single models too."""
    keep_keys("first")
    account = Session().accounts.choose("first")
    Session().exhaust(account, CoolDown(time.time() + 1800))
    Session().exhaust(account, CoolDown(time.time() + 900, "arrearage", model="m"))
    qwen_portal.use("first")
    assert Session().accounts.choose("first").cool_downs == ()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let the index be on a disk that takes nothing."""

    def refuse(path: Path, text: str) -> None:
        raise QwenStoreError(f"{path} cannot be written: Read-only file system.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qwen_portal.storage.index.write_private", refuse)
        yield


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Let somebody else have the index's lock for good."""
    with pytest.MonkeyPatch.context() as patch, file_lock(folder / "accounts.lock"):
        patch.setattr("qwen_portal.session._PATIENCE", 0.01)
        yield


@pytest.mark.parametrize("unwritable", [read_only, held])
def test_a_cool_down_that_cannot_be_noted_costs_no_answer(
    unwritable: Callable[[Path], AbstractContextManager[None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """This process heeds it all the same, tells it once, and forgets it when the account is chosen."""
    keep_keys("first", "second")
    with answering(spent_but("second"), monkeypatch) as asked:
        with unwritable(tmp_path / "state"):
            for _ in range(3):
                assert PortalClient().chat(HELLO)["choices"]
                Session().exhaust(Session().choose("first"), CoolDown(time.time() + 1800))
        assert keys_of(asked) == ["first", "second", "second", "second"]
        assert caplog.text.count("only this process knows that its quota is used up") == 1
        assert (entry := Session().accounts.entry("first")) is not None
        assert entry.exhausted_until is None
        qwen_portal.use("first")
        PortalClient().chat(HELLO)
    assert keys_of(asked)[4:] == ["first", "second"]


@pytest.mark.parametrize(("took", "patience"), [(1.0, 3.0), (9.0, 1.0), (11.0, 0.0)])
def test_the_index_is_waited_for_no_longer_than_the_answer_may_take(
    took: float, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a few seconds at most: whoever holds the lock so long is hung."""
    keep_keys("first", "second")
    clock, waits = [0.0], list[float]()
    monkeypatch.setattr("qwen_portal.quota.attempts.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(Accounts, "cool_down", lambda self, account, cool_down, seconds: waits.append(seconds))

    def answer(request: httpx.Request) -> httpx.Response:
        clock[0] += took
        return httpx.Response(429, json=SPENT) if keys_of([request]) == ["first"] else httpx.Response(200, json=ANSWER)

    with answering(answer, monkeypatch):
        if patience:
            PortalClient(timeout=10).chat(HELLO)
        else:
            with pytest.raises(QwenQuotaExceededError):
                PortalClient(timeout=10).chat(HELLO)
    assert waits == [patience]


def test_the_patience_is_the_lock_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is passed on is what the lock is given."""
    given: list[float] = []

    def lock(path: Path, seconds: float) -> Any:
        given.append(seconds)
        raise QwenStoreError("held")

    monkeypatch.setattr("qwen_portal.storage.index.file_lock", lock)
    with pytest.raises(QwenStoreError), FileIndex(tmp_path / "accounts.json").edit(1.5):
        pass
    assert given == [1.5]
