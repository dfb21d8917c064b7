"""Danger: Ctrl-C, SIGTERM, a timeout, a cancelled task or the end of the event loop, while a refresh is under way.

In each try the refresh token is spent already and the answer is held back, which is the worst moment there is.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

import qwen_portal
from qwen_portal import oauth
from qwen_portal.emulator import Emulator
from qwen_portal.session import Session
from tests.cli.program import run
from tests.login_never_lost.accounts import (
    account,
    answers_held,
    await_refreshes,
    end_token,
    next_process,
    refreshes,
    sign_in_as,
    stored,
)
from tests.login_never_lost.programs import Program, programs
from tests.repeats import TRIES

_AT_ONCE = 10
# The answer is held for as long as the slowest machine needs.
_PATIENT = """
import sys
import qwen_portal
from qwen_portal import oauth

oauth.refresh.__kwdefaults__["timeout"] = 300.0
"""
LIBRARY = f"""{_PATIENT}
try:
    qwen_portal.get_access_token(sys.argv[1])
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
# The interrupted call may be one of many that wait for the same flight, in a thread or on a loop.
LOOP = f"""{_PATIENT}
import asyncio

try:
    asyncio.run(qwen_portal.aget_access_token(sys.argv[1]))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
# Whoever runs these tests under nohup, or in the background of a script, has signals ignored that a terminal sends.
HEEDFUL = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
COMMAND = f"""{_PATIENT}
from qwen_portal.cli import main

label, sys.argv = sys.argv[1], ["qwen-portal", "token", sys.argv[1]]
try:
    main()
except SystemExit as exc:
    print("leaving with", exc.code, flush=True)
    raise
"""


pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process, too, wait for an answer that is held."""
    assert oauth.refresh.__kwdefaults__ is not None
    monkeypatch.setitem(oauth.refresh.__kwdefaults__, "timeout", 300.0)


def batches() -> list[list[str]]:
    """Return labels, one for each try, a few at a time."""
    labels = [f"try {number}" for number in range(TRIES)]
    return [labels[first : first + _AT_ONCE] for first in range(0, TRIES, _AT_ONCE)]


def interrupt_all(
    emulator: Emulator, text: str, number: signal.Signals, hear: str, *, again: bool = False
) -> list[tuple[int, str, str]]:
    """Send a signal to programs in the middle of a refresh; return how each of them ended.

    Args:
        emulator: The service.
        text: The program; its argument is the account.
        number: The signal.
        hear: What it says when the signal has arrived.
        again: Whether the signal comes a second time then.
    """
    ends = []
    for labels in batches():
        sign_in_as(*labels)
        for label in labels:
            end_token(label)
        before = refreshes(emulator)
        with programs(text, [[label] for label in labels]) as children:
            with answers_held(emulator):
                await_refreshes(emulator, before + len(labels))
                for child in children:
                    child.process.send_signal(number)
                assert {child.hear() for child in children} == {hear}
                if again:
                    for child in children:
                        child.process.send_signal(number)
            ends += [child.end() for child in children]
        for label in labels:
            assert next_process(label)
            assert not account(label).needs_login
    return ends


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("text", [LIBRARY, LOOP], ids=["in a thread", "in an event loop"])
def test_ctrl_c_loses_nothing(emulator: Emulator, text: str) -> None:
    """The call ends at once, the program when the answer is stored."""
    ends = interrupt_all(emulator, HEEDFUL + text, signal.SIGINT, "interrupted")
    assert ends == [(0, "", "")] * TRIES


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 2)], ids=str)
def test_a_signal_to_the_command_line_loses_nothing(emulator: Emulator, number: signal.Signals, code: int) -> None:
    """`qwen-portal` leaves with the code that shells expect, and an impatient second signal does no harm."""
    ends = interrupt_all(emulator, HEEDFUL + COMMAND, number, f"leaving with {code}", again=True)
    assert {end[0] for end in ends} == {code}
    assert {end[1] for end in ends} == {""}
    assert not [end for end in ends if "Exception" in end[2]]


def test_a_signal_that_is_ignored_stays_ignored(signed_in: Emulator) -> None:
    """Under nohup the end of the terminal is not the end of the program."""
    text = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{COMMAND}"
    end_token()
    with Program(text, "default") as child:
        with answers_held(signed_in):
            await_refreshes(signed_in, 1)
            child.process.send_signal(signal.SIGHUP)
        code, out, _ = child.end()
    assert code == 0
    assert out.splitlines()[0] == stored().access_token.reveal()


def test_the_library_leaves_signals_alone() -> None:
    """How a program takes its signals is its own affair."""
    text = """
import asyncio, signal
before = {number: signal.getsignal(number) for number in signal.valid_signals()}
import qwen_portal, qwen_portal.tokens.manager, qwen_portal.api, qwen_portal.client
print({number: signal.getsignal(number) for number in signal.valid_signals()} == before)
"""
    with Program(text) as child:
        assert child.end() == (0, "True\n", "")


Spent = Callable[[], None]
Interrupt = Callable[[Coroutine[Any, Any, str], Spent], Coroutine[Any, Any, None]]


async def time_out(asking: Coroutine[Any, Any, str], spent: Spent) -> None:
    """Give up by `wait_for`, whose time is over when the token is spent."""
    task = asyncio.ensure_future(asking)
    await asyncio.to_thread(spent)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(task, 0)


async def cancel(asking: Coroutine[Any, Any, str], spent: Spent) -> None:
    """Cancel the task."""
    task = asyncio.create_task(asking)
    await asyncio.to_thread(spent)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def end_of_loop(asking: Coroutine[Any, Any, str], spent: Spent) -> None:
    """Leave the task behind; the loop ends and takes it along."""
    left_behind = asyncio.create_task(asking)
    await asyncio.to_thread(spent)
    assert not left_behind.done()


@pytest.mark.parametrize("interrupt", [time_out, cancel, end_of_loop], ids=lambda each: each.__name__)
def test_asyncio_interrupts_lose_nothing(
    signed_in: Emulator, interrupt: Interrupt, caplog: pytest.LogCaptureFixture
) -> None:
    """The refresh goes on behind the task that was given up, and the next call has its token."""
    for _ in range(TRIES):
        end_token()
        before = refreshes(signed_in)
        with answers_held(signed_in):
            asking = qwen_portal.aget_access_token()
            asyncio.run(interrupt(asking, partial(await_refreshes, signed_in, before + 1)))
        assert qwen_portal.get_access_token() == stored().access_token.reveal()
        assert refreshes(signed_in) == before + 1
    assert next_process()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_loop_that_is_closed_over_a_waiting_task_loses_nothing(
    signed_in: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that closes its loop by hand, without cancelling anything, has its token at the next call."""
    for _ in range(TRIES):
        end_token()
        before = refreshes(signed_in)
        with answers_held(signed_in):
            loop = asyncio.new_event_loop()
            task = loop.create_task(qwen_portal.aget_access_token())
            loop.run_until_complete(asyncio.to_thread(await_refreshes, signed_in, before + 1))
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
            # or its being destroyed while pending is a line in the log of asyncio
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            task.get_coro().close()
        assert qwen_portal.get_access_token() == stored().access_token.reveal()
        assert refreshes(signed_in) == before + 1
    assert next_process()


def test_close_in_the_middle_of_a_refresh_loses_nothing(signed_in: Emulator) -> None:
    """A program that tidies up while a thread of it refreshes: the answer is stored all the same."""
    for _ in range(TRIES):
        end_token()
        before, errors = refreshes(signed_in), list[BaseException]()

        def ask(errors: list[BaseException] = errors) -> None:
            try:
                qwen_portal.get_access_token()
            except BaseException as exc:  # noqa: BLE001 - told by the assertion below
                errors.append(exc)

        asking = threading.Thread(target=ask)
        with answers_held(signed_in):
            asking.start()
            await_refreshes(signed_in, before + 1)
            qwen_portal.close()
        asking.join()
        assert errors == []
    assert next_process()
    assert not Session().accounts.choose().needs_login
    assert run("status").exit_code == 0
