"""Danger: many programs count at once, are killed, fork, or find the disk full or the file locked."""

import random
import signal
import sqlite3
import sys
from contextlib import closing

import pytest

import qwen_portal
from qwen_portal import PortalClient
from qwen_portal.storage.write_behind import flush
from tests.login_never_lost.programs import Program, programs
from tests.repeats import TRIES
from tests.usage.counted import counted, ledger, row, switch_on
from tests.ways import HELLO

pytestmark = pytest.mark.long

PROCESSES = 8
# 1,000 in the torture of 200.
CALLS = min(5 * TRIES, 1_000)

_ASK = """
import sys
import qwen_portal
client, asked = qwen_portal.PortalClient(), 0
def ask():
    return bool(client.chat([{"role": "user", "content": "What is 2+2?"}])["choices"])
"""
_COUNT = f"""{_ASK}
print("ready", flush=True)
sys.stdin.readline()
print(sum(ask() for _ in range(int(sys.argv[1]))), flush=True)
"""


def intact() -> bool:
    """Tell whether SQLite finds the ledger sound."""
    with closing(sqlite3.connect(switch_on())) as database:
        return bool(database.execute("PRAGMA integrity_check").fetchall() == [("ok",)])


@pytest.mark.usefixtures("signed_in", "unmeasured")
def test_eight_processes_count_every_call() -> None:
    """No row is lost, none is there twice, and each process ends as it would without the ledger."""
    switch_on()
    with programs(_COUNT, [(str(CALLS),)] * PROCESSES) as workers:
        assert {worker.hear() for worker in workers} == {"ready"}
        for worker in workers:
            worker.say("go")
        assert [worker.hear() for worker in workers] == [str(CALLS)] * PROCESSES
        assert {worker.end() for worker in workers} == {(0, "", "")}

    assert len(counted("outcome")) == PROCESSES * CALLS
    assert intact()


@pytest.mark.usefixtures("signed_in", "unmeasured")
def test_a_kill_costs_the_rows_of_a_moment_and_nothing_else() -> None:
    """The ledger is sound, the others count on, and of the killed one at most what was not written yet is missing."""
    switch_on()
    chance = random.Random(5)  # noqa: S311 - no secret, and the same each time
    # so often that the kill may meet a write
    often = "from qwen_portal.storage import write_behind; write_behind._PAUSE = 0.01"
    text = f'{_ASK}\n{often}\nprint("ready", flush=True)\nwhile ask():\n    print("answered", flush=True)\n'
    for _ in range(TRIES):
        with Program(text) as victim:
            assert victim.hear() == "ready"
            for _ in range(chance.randrange(1, 40)):
                assert victim.hear() == "answered"
            victim.process.send_signal(signal.SIGKILL)
            assert victim.process.wait(60) == -signal.SIGKILL
        before = len(counted("outcome"))
        assert PortalClient().chat(HELLO)["choices"]
        assert len(counted("outcome")) == before + 1
    assert set(counted("outcome")) == {"ok"}
    assert intact()


@pytest.mark.usefixtures("signed_in", "unmeasured")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_full_disk_costs_rows_and_no_answer() -> None:
    """Every call is answered, and one warning says what is lost; with room again the ledger goes on."""
    path = switch_on()
    limit = path.stat().st_size
    text = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n{_COUNT}"
    with Program(text, "20") as full:
        assert full.hear() == "ready"
        full.say("go")
        assert full.hear() == "20"
        code, _, said = full.end()
    assert code == 0
    assert said.count("what was used is not counted") == 1

    kept = len(counted("outcome"))
    assert kept < 20
    assert PortalClient().chat(HELLO)["choices"]
    assert len(counted("outcome")) == kept + 1
    assert intact()


@pytest.mark.usefixtures("signed_in")
def test_a_locked_file_holds_no_request_up_and_the_rows_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program has the file for as long as the calls last, and while they are written in vain."""
    path = switch_on()
    monkeypatch.setattr("qwen_portal.storage.usage_ledger._PATIENCE", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answers = [PortalClient().chat(HELLO)["choices"] for _ in range(20)]
        flush()
        other.execute("ROLLBACK")

    assert all(answers)
    assert counted("outcome") == ["ok"] * 20


@pytest.mark.usefixtures("signed_in", "unmeasured")
def test_a_program_ends_although_another_holds_the_file() -> None:
    """It tries a few times more, says what is lost, and its exit code is its own."""
    path = switch_on()
    with closing(sqlite3.connect(path, isolation_level=None)) as other, Program(_COUNT, "3") as program:
        other.execute("BEGIN IMMEDIATE")
        assert program.hear() == "ready"
        program.say("go")
        assert program.hear() == "3"
        code, _, said = program.end()

    assert code == 0
    assert said.count("what was used is not counted: another program did not let go of it") == 1


_FORK = f"""{_ASK}
import os, threading, warnings
from qwen_portal.session import Session
from qwen_portal.storage.usage_ledger import UsageLedger
from tests.usage.counted import row
import time
warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
ledger, ended = UsageLedger(Session().settings.home), threading.Event()

def work():
    global asked
    while not ended.is_set():
        ledger.write([row(time=time.time(), account="parent")])
        asked += 1

busy = threading.Thread(target=work)
busy.start()
children = []
for _ in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        ask()
        qwen_portal.close()
        os._exit(0)
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
ended.set()
busy.join()
print(sum(codes), asked, flush=True)
"""


@pytest.mark.usefixtures("signed_in", "unmeasured")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_children_forked_while_their_parent_writes_lose_nothing() -> None:
    """SQLite keeps notes of a process's locks, which would be wrong in a child that inherits them."""
    switch_on()
    children = 2 * TRIES
    with Program(_FORK, str(children)) as program:
        failed, written = map(int, program.hear().split())
        assert program.end() == (0, "", "")

    assert failed == 0
    by_account = counted("account")
    assert (by_account.count("default"), by_account.count("parent")) == (children, written)
    assert intact()


_POOL = f"""{_ASK}
import multiprocessing
def one(_):
    return ask()
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        answers = pool.map(one, range(6))
        pool.close()
        pool.join()
    print(sum(answers), flush=True)
"""


@pytest.mark.usefixtures("signed_in", "unmeasured")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_workers_of_a_pool_write_before_they_end() -> None:
    """They end without the hooks of an interpreter's exit."""
    switch_on()
    with Program(_POOL) as program:
        assert program.hear() == "6"
        assert program.end()[0] == 0

    assert counted("outcome") == ["ok"] * 6


def test_a_batch_is_written_whole_or_not_at_all() -> None:
    """Its rows would be there twice after the next try."""
    switch_on()
    bad = row(time=2.0)._replace(outcome=None)  # type: ignore[arg-type]
    with pytest.raises(qwen_portal.QwenStoreError):
        ledger().write([row(time=1.0), bad])

    assert ledger().rows(0.0) == []
