"""Danger: tokens of 4 s, one after the other, wanted by many processes, on files and on a real Secret Service."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from tests.login_never_lost.accounts import LABEL, PATIENCE, next_process, sign_in_as
from tests.login_never_lost.programs import programs

pytestmark = pytest.mark.real

STORES = ("file", "keyring")
PROCESSES = 8
TOKENS = 50
LIFE_SECONDS = 4.0
WORKER = """
import asyncio, json, os, sys, threading
names = ("QWEN_PORTAL_STORE", "QWEN_PORTAL_HOME", "QWEN_PORTAL_OAUTH_URL", "QWEN_PORTAL_BASE_URL")
os.environ.update(zip(names, sys.argv[1:]))
import qwen_portal

done, tokens, errors = threading.Event(), set(), []

def again_and_again(act, pause):
    while not done.wait(pause):
        try:
            act()
        except Exception as exc:
            errors.append(repr(exc))

async def task():
    while not done.is_set():
        try:
            tokens.add(await qwen_portal.aget_access_token())
        except Exception as exc:
            errors.append(repr(exc))
        await asyncio.sleep(0.1)

async def tasks():
    await asyncio.gather(*[task() for _ in range(4)])

client = qwen_portal.PortalClient()
acts = [
    lambda: again_and_again(lambda: tokens.add(qwen_portal.get_access_token()), 0.1),
    lambda: again_and_again(lambda: client.chat([{"role": "user", "content": "Hello"}]), 1.0),
    lambda: asyncio.run(tasks()),
]
crowd = [threading.Thread(target=act) for act in acts]
[each.start() for each in crowd]
sys.stdin.read()
done.set()
[each.join() for each in crowd]
print(json.dumps({"tokens": len(tokens), "errors": errors}))
"""


def test_fifty_tokens_of_four_seconds_lose_no_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both stores at once: each token is refreshed once, ahead of its end; every caller is served all the time."""
    with Emulator(access_life=LIFE_SECONDS) as on_file, Emulator(access_life=LIFE_SECONDS) as on_keyring:
        services = dict(zip(STORES, (on_file, on_keyring), strict=True))
        places = [(store, str(tmp_path / store), service.url, "") for store, service in services.items()]

        def work_at(place: tuple[str, str, str, str]) -> None:
            for name, value in zip(("STORE", "HOME", "OAUTH_URL", "BASE_URL"), place, strict=True):
                monkeypatch.setenv(f"QWEN_PORTAL_{name}", value)

        for place in places:
            work_at(place)
            sign_in_as(LABEL)
        with programs(WORKER, places * PROCESSES) as workers:
            until = time.monotonic() + TOKENS * LIFE_SECONDS + PATIENCE
            while any(len(service.log("refresh")) < TOKENS for service in services.values()):
                assert time.monotonic() < until, {name: len(each.log("refresh")) for name, each in services.items()}
                time.sleep(LIFE_SECONDS / 4)
            ends = [worker.end() for worker in workers]
        for code, out, err in ends:
            assert (code, err) == (0, "")
            said = json.loads(out)
            assert said["errors"] == []
            assert said["tokens"] > 1
        for place in places:
            service = services[place[0]]
            assert Counter(entry.status for entry in service.log("refresh")).keys() == {200}
            work_at(place)
            assert next_process()
            qwen_portal.logout()
