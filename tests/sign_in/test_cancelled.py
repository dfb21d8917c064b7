"""Danger: a sign-in that was cancelled goes on, and a later approval is kept."""

import asyncio
import threading

import pytest

import qwen_portal
from qwen_portal import LoginEvent
from qwen_portal.emulator import Emulator


def _polls(emulator: Emulator) -> int:
    return len(emulator.log("poll"))


async def test_a_cancelled_sign_in_asks_no_more_and_keeps_nothing(emulator: Emulator) -> None:
    """The person approves after the program gave up."""
    emulator.configure(auto_approve=False, interval=60)
    shown, events = asyncio.Event(), list[LoginEvent]()
    loop = asyncio.get_running_loop()

    def show(event: LoginEvent) -> None:
        events.append(event)
        loop.call_soon_threadsafe(shown.set)

    task = asyncio.create_task(qwen_portal.alogin(show=show))
    await asyncio.wait_for(shown.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    emulator.approve()
    await asyncio.to_thread(_join_login_threads)
    assert not qwen_portal.accounts()
    assert events[-1].kind == "error"
    assert "cancelled" in events[-1].message
    assert _polls(emulator) == 0


def _join_login_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "qwen-portal-login":
            thread.join(30)
            assert not thread.is_alive()


def test_a_time_limit_ends_the_program_too(emulator: Emulator) -> None:
    """asyncio.run does not wait for a thread that waits for a person."""
    emulator.configure(auto_approve=False)

    async def main() -> None:
        await asyncio.wait_for(qwen_portal.alogin(show=lambda event: None), 0.5)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    _join_login_threads()
    assert not qwen_portal.accounts()


async def test_a_sign_in_that_is_not_cancelled_is_kept(emulator: Emulator) -> None:
    """Its events come from another thread; the account is the active one."""
    account = await qwen_portal.alogin("work", show=lambda event: None)
    assert (account.label, account.active) == ("work", True)


async def test_an_error_of_the_sign_in_reaches_who_awaits_it(emulator: Emulator) -> None:
    """The flow runs in a thread, its errors do not stay there."""
    emulator.scenario("denied")
    with pytest.raises(qwen_portal.QwenLoginDeniedError):
        await qwen_portal.alogin(show=lambda event: None)
