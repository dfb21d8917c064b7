"""The ledger's file: who may read it, what is refused, and what the switch does."""

import os
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import qwen_portal
from qwen_portal import PortalClient
from qwen_portal.errors import QwenError, QwenStoreError
from qwen_portal.storage.usage_ledger import UsageRow
from tests.usage.counted import counted, ledger, row, switch_on
from tests.ways import HELLO


def test_the_files_are_their_owners_alone() -> None:
    """The database and what SQLite puts beside it, whatever the umask is."""
    before = os.umask(0)
    try:
        path = switch_on()
        with closing(sqlite3.connect(path)) as reader:
            ledger().write([row()])
            reader.execute("SELECT * FROM requests").fetchall()
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    finally:
        os.umask(before)

    assert modes == dict.fromkeys(("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm", "on"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_columns_are_those_of_the_contract() -> None:
    """No place for content, and none for a secret."""
    path = switch_on()
    with closing(sqlite3.connect(path)) as reader:
        columns = [name for _, name, *_ in reader.execute("PRAGMA table_info(requests)")]
        ((mode,),) = reader.execute("PRAGMA journal_mode")

    assert tuple(columns) == UsageRow._fields
    assert mode == "wal"


def test_switching_off_keeps_what_was_counted() -> None:
    """And to switch twice is to switch once."""
    switch_on()
    ledger().write([row(time=time.time())])
    switch_on()
    for _ in range(2):
        ledger().switch(on=False)

    assert not ledger().is_on()
    assert counted("outcome") == ["ok"]


def test_usage_goes_back_as_far_as_it_is_asked() -> None:
    """Seven days unless another number is given, oldest first, and of one account if it is named."""
    switch_on()
    now, day = time.time(), 86_400
    ledger().write([row(time=now), row(time=now - 6 * day, account="work"), row(time=now - 8 * day)])

    assert counted("account") == ["work", "default"]
    assert [each["account"] for each in qwen_portal.usage(days=9)] == ["default", "work", "default"]
    assert [each["account"] for each in qwen_portal.usage(account="work")] == ["work"]
    assert qwen_portal.usage(account="nobody") == []


@pytest.mark.parametrize("days", [0, -1, float("nan"), "x", b"x", None, [7], object(), -(10**400), 10**400])
def test_usage_refuses_days_that_are_none(days: Any) -> None:
    """Rather than to answer with nothing, or with an error of Python's."""
    with pytest.raises(QwenError, match="above 0"):
        qwen_portal.usage(days=days)


@pytest.mark.parametrize("account", [5, b"x", ["x"], ""])
def test_usage_refuses_an_account_that_is_no_label(account: Any) -> None:
    """No row has such a one."""
    with pytest.raises(QwenError, match="is no account label"):
        qwen_portal.usage(account=account)


def test_nothing_counted_is_an_empty_list() -> None:
    """Also where counting was never on; asking makes no file."""
    assert qwen_portal.usage() == []
    assert not ledger().path.exists()


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database " * 500)


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def _readable(path: Path) -> None:
    path.chmod(0o644)


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")


REFUSED = [
    (_garbage, "not a database"),
    (_link, "not a plain file"),
    (_readable, "other users can read it"),
    (_newer, "newer qwen-portal"),
]


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(("spoil", "why"), REFUSED)
def test_a_ledger_that_cannot_be_used_loses_rows_and_no_answer(
    spoil: object, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once; who asks for the figures is told what helps, and the file is left as it is."""
    assert callable(spoil)
    path = switch_on()
    spoil(path)
    before = path.read_bytes()

    for _ in range(2):
        assert PortalClient().chat(HELLO)["choices"]
        qwen_portal.close()

    assert [why in record.message for record in caplog.records] == [True]
    assert path.read_bytes() == before
    with pytest.raises(QwenStoreError, match=why) as caught:
        qwen_portal.usage()
    assert caught.value.hint
    with pytest.raises(QwenStoreError, match=why):
        switch_on()


@pytest.mark.usefixtures("signed_in")
def test_a_ledger_that_was_deleted_is_made_again() -> None:
    """Whoever wants to begin anew moves the file away."""
    path = switch_on()
    PortalClient().chat(HELLO)
    assert len(counted("outcome")) == 1
    path.unlink()
    PortalClient().chat(HELLO)

    assert len(counted("outcome")) == 1
