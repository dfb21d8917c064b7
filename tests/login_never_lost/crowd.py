"""Many processes of many threads and tasks that want one account's token at the same moment, again and again."""

import json

from qwen_portal.emulator import Emulator
from tests.login_never_lost.accounts import LABEL, end_token, next_process, refreshes, stored
from tests.login_never_lost.programs import programs

PROCESSES = 8
_WORKER = """
import asyncio, json, sys, threading
import qwen_portal

def ask(threads, tasks):
    answers, errors, gate = [], [], threading.Barrier(threads + 1)

    def one():
        gate.wait()
        try:
            answers.append(qwen_portal.get_access_token())
        except Exception as exc:
            errors.append(repr(exc))

    async def many():
        asking = (qwen_portal.aget_access_token() for _ in range(tasks))
        for got in await asyncio.gather(*asking, return_exceptions=True):
            errors.append(repr(got)) if isinstance(got, BaseException) else answers.append(got)

    def loop():
        gate.wait()
        asyncio.run(many())

    crowd = [threading.Thread(target=one) for _ in range(threads)] + [threading.Thread(target=loop)]
    [each.start() for each in crowd]
    [each.join() for each in crowd]
    return {"count": len(answers), "tokens": sorted(set(answers)), "errors": errors}

print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(ask(*map(int, line.split()))), flush=True)
"""


def one_refresh_each_round(emulator: Emulator, *rounds: tuple[int, int]) -> None:
    """Fail unless in each round everybody is served with the same new token, for one refresh.

    Args:
        emulator: The service, with the account ``default`` signed in.
        *rounds: For each, the threads and the tasks of each process.
    """
    with programs(_WORKER, [()] * PROCESSES) as workers:
        assert {worker.hear() for worker in workers} == {"ready"}
        for threads, tasks in rounds:
            end_token()
            before = refreshes(emulator)
            for worker in workers:
                worker.say(f"{threads} {tasks}")
            answers = [json.loads(worker.hear()) for worker in workers]
            errors = {error for answer in answers for error in answer["errors"]}
            assert errors == set(), f"errors: {errors}"
            assert [answer["count"] for answer in answers] == [threads + tasks] * PROCESSES
            assert {token for answer in answers for token in answer["tokens"]} == {stored().access_token.reveal()}
            assert refreshes(emulator) == before + 1
        for worker in workers:
            assert worker.end() == (0, "", "")
    assert next_process(LABEL)
