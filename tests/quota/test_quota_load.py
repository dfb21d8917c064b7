"""Many accounts, many requests, many processes: whoever could be served is served, and nothing of the index is lost."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from qwen_portal import PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenAPIError
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.login_never_lost.accounts import sign_in_as
from tests.login_never_lost.programs import programs
from tests.ways import HELLO

ACCOUNTS = [f"account-{number:02}" for number in range(20)]
PER_SECOND, SECONDS = 50, 30
DRY_SECONDS = 0.4


@contextmanager
def running_dry(emulator: Emulator, spared: int) -> Iterator[Counter[int]]:
    """Empty accounts, and fill them again, at random; one is spared, so that at every moment somebody could serve."""
    done, dried = threading.Event(), Counter[int]()
    chance = random.Random(4)  # noqa: S311 - no secret, and the same each time

    def run() -> None:
        numbers = [number for number in range(1, len(ACCOUNTS) + 1) if number != spared]
        while not done.wait(DRY_SECONDS):
            dry = set(chance.sample(numbers, 14))
            for number in numbers:
                emulator.set_quota(0 if number in dry else None, account=number)
            dried.update(dry)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield dried
    finally:
        done.set()
        thread.join()


def came_back(statuses: list[int | None]) -> bool:
    """Tell whether an account that was spent has served since."""
    return 429 in statuses and 200 in statuses[statuses.index(429) :]


def test_no_request_fails_that_some_account_could_have_served(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """20 accounts, 50 requests a second for 30 s, while accounts run dry and come back: each is answered in full."""
    monkeypatch.setenv("QWEN_PORTAL_QUOTA_COOLDOWN", "0.5")
    monkeypatch.setenv("QWEN_PORTAL_ON_QUOTA", "switch")
    sign_in_as(*ACCOUNTS)
    client, failures, right = PortalClient(), list[str](), list[bool]()

    def ask(number: int) -> None:
        try:
            answer = client.chat([{"role": "user", "content": f"What is {number}+1?"}])
            right.append(f"{number + 1}" in answer["choices"][0]["message"]["content"])
        except QwenAPIError as exc:
            failures.append(str(exc))

    began = time.monotonic()
    with running_dry(emulator, spared=7) as dried, ThreadPoolExecutor(16) as crowd:
        for number in range(PER_SECOND * SECONDS):
            crowd.submit(ask, number)
            # a slow machine takes longer, and asks as often
            time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
    took = time.monotonic() - began
    statuses = Counter(entry.status for entry in emulator.chats())
    served = Counter(entry.account for entry in emulator.chats() if entry.status == 200)
    with capsys.disabled():
        print(f"\n  {len(right)} answers in {took:.0f} s, {statuses[429]} refusals, {len(served)} accounts")  # noqa: T201
    assert failures == []
    assert right == [True] * PER_SECOND * SECONDS
    assert set(statuses) == {200, 429}
    assert emulator.log("refresh") == []
    assert len(dried) == len(ACCOUNTS) - 1
    # the first is tried first whenever it may be free again; others stepped in
    assert len(served) > 1
    # whose cool-down was over served again
    assert any(came_back([entry.status for entry in emulator.chats() if entry.account == n]) for n in set(dried))


WORKER = """
import sys, time
from qwen_portal.account.cool_downs import CoolDown
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.index import Entry
from qwen_portal.secrets import Secret
from qwen_portal.session import Session

number, rounds = int(sys.argv[1]), int(sys.argv[2])
session = Session()
print("ready", flush=True)
sys.stdin.readline()
for turn in range(rounds):
    label = f"{number}-{turn}"
    session.accounts.signed_in(label, Credential.from_key(Secret(f"sk-{label}"), plan="studio"))
    session.exhaust(session.accounts.choose(label), CoolDown(time.time() + 1800))
    session.accounts.use(f"{number}-{turn - 1}" if turn else "shared")
    with session.accounts.editing("shared") as entry:
        entry.generation += 1
"""


def test_eight_processes_that_use_mark_and_sign_in_lose_no_update() -> None:
    """Each adds ten accounts, marks them spent, frees all but the last again and counts in a shared entry."""
    processes, rounds = 8, 10
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


ASKING = """
import json, sys
import qwen_portal

print("ready", flush=True)
sys.stdin.readline()
errors = []
for turn in range(25):
    for label in ("a", "b"):
        try:
            qwen_portal.PortalClient(account=label).chat([{"role": "user", "content": "What is 2+2?"}])
        except qwen_portal.QwenError as exc:
            errors.append(type(exc).__name__)
print(json.dumps(errors), flush=True)
"""


def test_a_service_that_always_answers_401_sees_one_refresh_per_account(emulator: Emulator) -> None:
    """100 calls for each of two accounts from 4 processes: each fails, typed, and there are two refreshes in all."""
    sign_in_as("a", "b")
    emulator.scenario("ended")
    with programs(ASKING, [()] * 4) as workers:
        assert {worker.hear() for worker in workers} == {"ready"}
        for worker in workers:
            worker.say("go")
        errors = [error for worker in workers for error in json.loads(worker.hear())]
        assert [worker.end()[0] for worker in workers] == [0] * 4
    assert len(errors) == 200
    assert set(errors) == {"QwenServiceEndedError"}
    assert len(emulator.log("refresh")) == 2


def test_a_401_causes_exactly_one_refresh(signed_in: Emulator) -> None:
    """And the account stays the same: a dead token says nothing about a quota."""
    sign_in_as("other")
    signed_in.revoke()
    PortalClient().chat(HELLO)
    assert [(entry.status) for entry in signed_in.chats()] == [401, 200]
    assert len(signed_in.log("refresh")) == 1
