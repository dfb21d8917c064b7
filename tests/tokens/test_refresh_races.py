"""Several processes, one refused token: everybody is served, one refresh is made."""

import json
import subprocess
import sys

from qwen_portal.emulator import Emulator

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

sys.stdin.readline()
threads = [threading.Thread(target=ask) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps({"answers": answers, "errors": errors}))
"""


def refreshes(emulator: Emulator) -> int:
    """Count the refresh requests the emulator saw."""
    return len(emulator.log("refresh"))


def test_four_processes_with_eight_threads_and_one_revoked_token(signed_in: Emulator) -> None:
    """32 calls meet a 401 at once; all are answered after one refresh."""
    signed_in.revoke()
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    results = [json.loads(worker.communicate(timeout=120)[0]) for worker in workers]
    assert [result["errors"] for result in results] == [[], [], [], []]
    answers = [answer for result in results for answer in result["answers"]]
    assert len(answers) == 32
    assert all("4" in answer for answer in answers)
    assert refreshes(signed_in) == 1


def test_a_service_that_always_refuses_sees_one_refresh(signed_in: Emulator) -> None:
    """Four processes, eight calls each, every chat a 401: one refresh, because each one spends the refresh token."""
    signed_in.scenario("ended")
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    results = [json.loads(worker.communicate("go\n", timeout=120)[0]) for worker in workers]
    errors = [error for result in results for error in result["errors"]]
    assert len(errors) == 32
    assert all("QwenServiceEndedError" in error for error in errors)
    assert refreshes(signed_in) == 1
