"""Many accounts, many requests, many processes: whoever could be served is served, and nothing of the index is lost."""

import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from qwen_portal import PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenAPIError
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.login_never_lost.accounts import sign_in_as
from tests.login_never_lost.programs import programs
from tests.repeats import TRIES
from tests.ways import HELLO

pytestmark = pytest.mark.long

ACCOUNTS = [f"account-{number:02}" for number in range(20)]
TURNS = min(TRIES, 25)
PER_SECOND, REQUESTS = 50, min(60 * TRIES, 1500)
# After so many requests others run dry: each 0.4 s.
DRY_FOR = 20
# The account that never does.
SPARED = 7


class Load:
    """Requests that set the pace themselves: the clock stands still between them, and accounts run dry by their count.

    Args:
        emulator: The service, with the accounts signed in.
        monkeypatch: Puts the clock back.
    """

    def __init__(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dried = set[int]()
        self._emulator = emulator
        self._chance = random.Random(4)  # noqa: S311 - no secret, and the same each time
        self._began, self._asked, self._turn = time.time(), 0, threading.Lock()
        monkeypatch.setattr("time.time", lambda: self._began + self._asked / PER_SECOND)

    def count(self) -> None:
        """Let a fiftieth of a second pass, and at times other accounts run dry: somebody could serve all the time."""
        with self._turn:
            if self._asked % DRY_FOR == 0:
                self._run_dry()
            self._asked += 1

    def _run_dry(self) -> None:
        numbers = [number for number in range(1, len(ACCOUNTS) + 1) if number != SPARED]
        dry = set(self._chance.sample(numbers, 14))
        for number in numbers:
            self._emulator.set_quota(0 if number in dry else None, account=number)
        self.dried |= dry


def came_back(statuses: list[int | None]) -> bool:
    """Tell whether an account that was spent has served since."""
    return 429 in statuses and 200 in statuses[statuses.index(429) :]


def test_no_request_fails_that_some_account_could_have_served(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 accounts and 16 threads, while accounts run dry and come back: each request is answered in full."""
    monkeypatch.setenv("QWEN_PORTAL_QUOTA_COOLDOWN", "0.5")
    monkeypatch.setenv("QWEN_PORTAL_ON_QUOTA", "switch")
    # the index's lock is free some time, on the slowest machine too
    monkeypatch.setattr("qwen_portal.session._PATIENCE", 300.0)
    sign_in_as(*ACCOUNTS)
    client, failures, right = PortalClient(), list[str](), list[bool]()
    load = Load(emulator, monkeypatch)

    def ask(number: int) -> None:
        load.count()
        try:
            answer = client.chat([{"role": "user", "content": f"What is {number}+1?"}])
            right.append(f"{number + 1}" in answer["choices"][0]["message"]["content"])
        except QwenAPIError as exc:
            failures.append(str(exc))

    with ThreadPoolExecutor(16) as crowd:
        list(crowd.map(ask, range(REQUESTS)))
    statuses = Counter(entry.status for entry in emulator.chats())
    served = Counter(entry.account for entry in emulator.chats() if entry.status == 200)
    assert failures == []
    assert right == [True] * REQUESTS
    assert set(statuses) == {200, 429}
    assert emulator.log("refresh") == []
    assert len(load.dried) == len(ACCOUNTS) - 1
    # the first is tried first whenever it may be free again; others stepped in
    assert len(served) > 1
    # whose cool-down was over served again
    assert any(came_back([entry.status for entry in emulator.chats() if entry.account == n]) for n in load.dried)


WORKER = """
import sys, time
from qwen_portal import session as sessions
from qwen_portal.account.cool_downs import CoolDown
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.index import Entry
from qwen_portal.secrets import Secret
from qwen_portal.session import Session

# the index's lock is free some time, on the slowest machine too
sessions._PATIENCE = 300.0
number, rounds = int(sys.argv[1]), int(sys.argv[2])
session = Session()
print("ready", flush=True)
sys.stdin.readline()
for turn in range(rounds):
    label = f"{number}-{turn}"
    session.accounts.signed_in(label, Credential.from_key(Secret(f"sk-{label}"), plan="studio"))
    session.exhaust(session.accounts.choose(label), CoolDown(time.time() + 1800), seconds=300.0)
    session.accounts.use(f"{number}-{turn - 1}" if turn else "shared")
    with session.accounts.editing("shared") as entry:
        entry.generation += 1
"""


def test_eight_processes_that_use_mark_and_sign_in_lose_no_update() -> None:
    """Each adds accounts, marks them spent, frees all but the last again and counts in a shared entry."""
    processes, rounds = 8, min(TRIES, 10)
    shared = Session().accounts.signed_in("shared", Credential.from_key(Secret("sk-shared"), plan="studio"))
    with programs(WORKER, [(str(number), str(rounds)) for number in range(processes)]) as workers:
        assert {worker.hear() for worker in workers} == {"ready"}
        for worker in workers:
            worker.say("go")
        assert [worker.end() for worker in workers] == [(0, "", "")] * processes
    found = {each.label: each for each in Session().accounts.list()}
    expected = {f"{number}-{turn}" for number in range(processes) for turn in range(rounds)}
    assert set(found) == {"shared"} | expected
    assert {label for label in expected if found[label].is_exhausted} == {
        f"{number}-{rounds - 1}" for number in range(processes)
    }
    assert found["shared"].generation == shared.generation + processes * rounds
    assert next(each.label for each in found.values() if each.active).endswith(f"-{rounds - 2}")


ASKING = f"""
import json, sys
import qwen_portal

print("ready", flush=True)
sys.stdin.readline()
errors = []
for turn in range({TURNS}):
    for label in ("a", "b"):
        try:
            qwen_portal.PortalClient(account=label).chat([{{"role": "user", "content": "What is 2+2?"}}])
        except qwen_portal.QwenError as exc:
            errors.append(type(exc).__name__)
print(json.dumps(errors), flush=True)
"""


def test_a_service_that_always_answers_401_sees_one_refresh_per_account(emulator: Emulator) -> None:
    """Many calls for each of two accounts from 4 processes: each fails, typed, and there are two refreshes in all."""
    sign_in_as("a", "b")
    emulator.scenario("ended")
    with programs(ASKING, [()] * 4) as workers:
        assert {worker.hear() for worker in workers} == {"ready"}
        for worker in workers:
            worker.say("go")
        errors = [error for worker in workers for error in json.loads(worker.hear())]
        assert [worker.end()[0] for worker in workers] == [0] * 4
    assert len(errors) == 4 * 2 * TURNS
    assert set(errors) == {"QwenServiceEndedError"}
    assert len(emulator.log("refresh")) == 2


def test_a_401_causes_exactly_one_refresh(signed_in: Emulator) -> None:
    """And the account stays the same: a dead token says nothing about a quota."""
    sign_in_as("other")
    signed_in.revoke()
    PortalClient().chat(HELLO)
    assert [(entry.status) for entry in signed_in.chats()] == [401, 200]
    assert len(signed_in.log("refresh")) == 1
