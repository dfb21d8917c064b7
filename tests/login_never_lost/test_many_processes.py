"""Danger: processes, threads and tasks that refresh one account at the same moment."""

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.storage.credential import Credential
from qwen_portal.tokens.manager import TokenManager
from tests.login_never_lost.accounts import LABEL, end_token, refreshes, sign_in_as, stored
from tests.login_never_lost.crowd import one_refresh_each_round
from tests.repeats import TRIES


@pytest.mark.long
def test_eight_processes_of_16_threads_and_100_tasks_make_one_refresh(signed_in: Emulator) -> None:
    """928 callers with one token whose time is over: all are served, the refresh token is spent once."""
    one_refresh_each_round(signed_in, (16, 100))


@pytest.mark.long
def test_many_tokens_in_a_row_lose_no_sign_in(signed_in: Emulator) -> None:
    """Each token ends as soon as everybody used it: one refresh for each, and at the end the sign-in lives."""
    one_refresh_each_round(signed_in, *[(2, 4)] * TRIES)


def test_threads_and_tasks_need_no_file_to_make_one_refresh(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory store has no lock that processes share; one flight at a time is what serves its threads and tasks."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "memory")
    sign_in_as(LABEL)
    end_token()
    # The answer is held until everybody waits for it: else the first might be served before the last asks.
    emulator.scenario("held")
    waiting, join, got = threading.Semaphore(0), TokenManager._flight, list[str]()

    def note(manager: TokenManager, *args: Any, **options: Any) -> Future[Credential]:
        flight = join(manager, *args, **options)
        waiting.release()
        return flight

    monkeypatch.setattr(TokenManager, "_flight", note)

    def ask() -> None:
        got.append(qwen_portal.get_access_token())

    async def ask_a_hundred() -> None:
        got.extend(await asyncio.gather(*(qwen_portal.aget_access_token() for _ in range(100))))

    def loop() -> None:
        asyncio.run(ask_a_hundred())

    crowd = [threading.Thread(target=ask) for _ in range(16)] + [threading.Thread(target=loop)]
    for each in crowd:
        each.start()
    for _ in range(116):
        assert waiting.acquire(timeout=60)
    emulator.scenario("held", on=False)
    for each in crowd:
        each.join()
    assert (len(got), set(got)) == (116, {stored().access_token.reveal()})
    assert refreshes(emulator) == 1
