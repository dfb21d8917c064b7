"""An account that was chosen is remembered, and never longer than all that it depends on stays the same."""

from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qwen_portal.account import cool_downs, record
from qwen_portal.account.cool_downs import CoolDown
from qwen_portal.account.record import ENDED_SECONDS
from qwen_portal.account.registry import Accounts
from qwen_portal.errors import QwenStoreError, QwenTokenNotAvailableError
from qwen_portal.secrets import Secret
from qwen_portal.storage.credential import Credential

NOW = 1_800_000_000.0


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    """Return two accounts; the second one is active."""
    made = Accounts(tmp_path, "memory")
    for label in ("first", "second"):
        made.signed_in(label, Credential(kind="key", plan="studio", access_token=Secret("sk-x"), generation=1))
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stop the time that accounts are judged by; a test sets ``now``."""
    stopped = SimpleNamespace(now=NOW)
    stopped.time = lambda: stopped.now
    monkeypatch.setattr(record, "time", stopped)
    monkeypatch.setattr(cool_downs, "time", stopped)
    return stopped


def test_an_account_that_was_chosen_is_the_same_object_the_next_time(accounts: Accounts) -> None:
    """By its label, and as the active one."""
    for label in (None, "first", None):
        assert accounts.choose(label, cached=True) is accounts.choose(label, cached=True)
    assert accounts.choose(cached=True).label == "second"
    assert accounts.choose("first", cached=True).label == "first"


def test_what_changes_the_index_counts_at_once(accounts: Accounts, clock: SimpleNamespace) -> None:
    """Another active account, a cool-down, a sign-out."""
    accounts.choose(cached=True)
    accounts.use("first")
    assert accounts.choose(cached=True).label == "first"
    accounts.cool_down(accounts.choose(), CoolDown(clock.now + 1000), 1.0)
    assert accounts.choose(cached=True).cool_downs
    accounts.remove("first")
    assert accounts.choose(cached=True).label == "second"
    with pytest.raises(QwenTokenNotAvailableError, match="no account 'first'"):
        accounts.choose("first", cached=True)


def test_an_end_is_over_by_time_alone(accounts: Accounts, clock: SimpleNamespace) -> None:
    """Nobody writes anything when its 15 minutes have passed."""
    with accounts.editing("second") as entry:
        entry.ended_at = NOW
    assert accounts.choose(cached=True).ended_at == NOW
    clock.now += ENDED_SECONDS + 1
    assert accounts.choose(cached=True).ended_at is None


def test_a_cool_down_begins_by_time_alone_where_the_clock_was_set_back(
    accounts: Accounts, clock: SimpleNamespace
) -> None:
    """What was noted at a time to come counts from then on."""
    with accounts.editing("second") as entry:
        entry.exhausted_at, entry.exhausted_until = NOW + 5000, NOW + 9000
    assert not accounts.choose(cached=True).cool_downs
    clock.now += 6000
    assert accounts.choose(cached=True).cool_downs


def test_what_only_this_process_knows_counts_at_once(
    accounts: Accounts, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cool-down that the index would not take; and `accounts use` ends it."""
    account = accounts.choose(cached=True)
    with monkeypatch.context() as patch:
        patch.setattr(accounts.index, "edit", _refuse)
        with pytest.raises(QwenStoreError):
            accounts.cool_down(account, CoolDown(clock.now + 1000), 1.0)
    for _ in range(2):
        assert accounts.choose(cached=True).is_exhausted
    accounts.use("second")
    assert not accounts.choose(cached=True).is_exhausted


def _refuse(*_args: Any) -> AbstractContextManager[Any]:
    raise QwenStoreError("not now")
