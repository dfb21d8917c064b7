"""What a request costs while its token is good: no lock, no keyring, one look at a file's time in 100 ms."""

import os
from collections import Counter
from pathlib import Path

import filelock
import pytest

import qwen_portal
from qwen_portal.account.registry import Accounts
from qwen_portal.emulator import Emulator
from qwen_portal.oauth import TokenResponse
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage import index, index_cache
from qwen_portal.storage.stores.file import FileStore
from tests.login_never_lost.accounts import LABEL, sign_in_as

REQUESTS = 1000


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return seconds, as time.monotonic does."""
        return self.now


class Counting:
    """An ``os`` that counts the looks."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts

    def stat(self, path: Path, *, follow_symlinks: bool) -> os.stat_result:
        """Look at a file."""
        self._counts["stat"] += 1
        return path.stat(follow_symlinks=follow_symlinks)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stop the time that a look goes by."""
    stopped = Clock()
    monkeypatch.setattr(index_cache, "time", stopped)
    return stopped


@pytest.fixture
def counts(signed_in: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what a request costs, the first one of the process aside."""
    assert signed_in.url
    assert clock.now
    qwen_portal.get_access_token()
    counted = Counter[str]()

    def count(owner: object, name: str, what: str) -> None:
        real = getattr(owner, name)

        def counting(*args: object, **kwargs: object) -> object:
            counted[what] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    count(index, "read_private", "read")
    count(FileStore, "load", "store")
    count(filelock.FileLock, "acquire", "lock")
    monkeypatch.setattr(index_cache, "os", Counting(counted))
    return counted


def test_within_100_ms_a_good_token_costs_nothing(counts: Counter[str]) -> None:
    """A thousand requests, no look at any file."""
    for _ in range(REQUESTS):
        qwen_portal.get_access_token()
    assert counts == Counter()


def test_after_100_ms_it_costs_one_look(counts: Counter[str], clock: Clock) -> None:
    """However many requests there are, the file is looked at once, and not read while it is the same."""
    for _ in range(3):
        clock.now += 0.11
        for _ in range(REQUESTS):
            qwen_portal.get_access_token()
    assert counts == Counter(stat=3)


def test_what_another_process_did_shows_after_100_ms(counts: Counter[str], clock: Clock) -> None:
    """Another token in the store: the next look finds out, and reads it."""
    session = Session()
    other = Accounts(session.settings.home, session.settings.store)
    account = other.choose(LABEL)
    held = other.load(account)
    renewed = held.renewed(TokenResponse(Secret("another"), expires_in=3600))
    other.keep(LABEL, renewed)
    assert qwen_portal.get_access_token() == held.access_token.reveal()
    clock.now += 0.11
    assert qwen_portal.get_access_token() == renewed.access_token.reveal()
    assert counts["stat"] == 1


def test_what_this_process_did_shows_at_once(signed_in: Emulator, clock: Clock) -> None:
    """A second sign-in is active from the next request on."""
    assert signed_in.url
    first = qwen_portal.get_access_token()
    sign_in_as("second")
    assert clock.now
    assert qwen_portal.get_access_token() != first
    qwen_portal.use(LABEL)
    assert qwen_portal.get_access_token() == first


@pytest.mark.parametrize("store", ["memory", "qwen-cli"])
def test_every_store_has_the_fast_path(
    store: str, emulator: Emulator, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index in memory has no file to look at; the qwen CLI's file is looked at together with the index."""
    assert emulator.url
    monkeypatch.setenv("QWEN_PORTAL_STORE", store)
    monkeypatch.setenv("QWEN_HOME", str(tmp_path / "qwen"))
    sign_in_as(LABEL)
    qwen_portal.get_access_token()
    counted = Counter[str]()
    monkeypatch.setattr(index_cache, "os", Counting(counted))
    for _ in range(3):
        clock.now += 0.11
        for _ in range(REQUESTS):
            qwen_portal.get_access_token()
    assert counted == Counter(stat=0 if store == "memory" else 6)
