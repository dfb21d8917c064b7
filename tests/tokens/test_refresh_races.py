"""Several processes, one refused token: everybody is served, one refresh is made."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import qwen_portal
from qwen_portal.account.registry import Accounts
from qwen_portal.emulator import Emulator
from qwen_portal.session import Session
from tests.login_never_lost.accounts import LABEL
from tests.login_never_lost.programs import programs

WORKER = """
import json, sys, threading
import qwen_portal

client = qwen_portal.PortalClient()
answers, errors = [], []

def ask():
    try:
        answers.append(client.chat([{"role": "user", "content": "What is 2+2?"}])["choices"][0]["message"]["content"])
    except Exception as exc:
        errors.append(repr(exc))

print("ready", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=ask) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps({"answers": answers, "errors": errors}), flush=True)
"""


def refreshes(emulator: Emulator) -> int:
    """Count the refresh requests the emulator saw."""
    return len(emulator.log("refresh"))


def ask_at_once() -> list[dict[str, list[str]]]:
    """Let four processes of eight threads ask together; return what each process was told."""
    with programs(WORKER, [()] * 4) as workers:
        assert {worker.hear() for worker in workers} == {"ready"}
        for worker in workers:
            worker.say("go")
        results = [json.loads(worker.hear()) for worker in workers]
        assert [worker.end()[0] for worker in workers] == [0] * 4
    return results


def test_four_processes_with_eight_threads_and_one_revoked_token(signed_in: Emulator) -> None:
    """32 calls meet a 401 at once; all are answered after one refresh."""
    signed_in.revoke()
    results = ask_at_once()
    assert [result["errors"] for result in results] == [[], [], [], []]
    answers = [answer for result in results for answer in result["answers"]]
    assert len(answers) == 32
    assert all("4" in answer for answer in answers)
    assert refreshes(signed_in) == 1


def test_a_service_that_always_refuses_sees_one_refresh(signed_in: Emulator) -> None:
    """Four processes, eight calls each, every chat a 401: one refresh, because each one spends the refresh token."""
    signed_in.scenario("ended")
    results = ask_at_once()
    errors = [error for result in results for error in result["errors"]]
    assert len(errors) == 32
    assert all("QwenServiceEndedError" in error for error in errors)
    assert refreshes(signed_in) == 1


def test_nobody_refreshes_while_another_has_the_account(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only the write is locked: what is refreshed is read, spent and written by one alone."""
    arrived, took, locked = threading.Event(), threading.Event(), Accounts.locked

    @contextmanager
    def seen(accounts: Accounts, label: str) -> Iterator[None]:
        arrived.set()
        with locked(accounts, label):
            took.set()
            yield

    with Session().accounts.locked(LABEL):
        monkeypatch.setattr(Accounts, "locked", seen)
        asking = threading.Thread(target=qwen_portal.get_access_token, kwargs={"force_refresh": True})
        asking.start()
        while asking.is_alive() and not arrived.wait(0.01):
            pass
        assert arrived.is_set()
        assert not took.is_set()
        assert refreshes(signed_in) == 0
    asking.join()
    assert refreshes(signed_in) == 1
