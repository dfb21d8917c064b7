"""One model on many event loops and many threads: connections stay on their loop, requests are sent once."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

import qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.emulator import Emulator

pytestmark = pytest.mark.usefixtures("signed_in")


def test_one_model_on_four_loops_in_turn(emulator: Emulator) -> None:
    """Four loops, each asked twice, and none closed before the last has answered: eight answers, eight requests."""
    model = ChatQwenPortal()

    async def ask() -> str:
        return (await model.ainvoke("What is 2+2?")).text

    with ExitStack() as stack:
        loops = [stack.enter_context(asyncio.Runner()) for _ in range(4)]
        assert [loop.run(ask()) for loop in loops * 2] == ["2+2 = 4"] * 8
        for loop in loops:
            loop.run(qwen_portal.aclose())
    assert len(emulator.chats()) == 8


@pytest.mark.usefixtures("unmeasured")
def test_a_program_that_tidies_nothing_up_is_served_too(emulator: Emulator) -> None:
    """The same in a program of its own that closes nothing: four requests, and a silent stderr."""
    program = (
        "import asyncio; from langchain_qwen_portal import ChatQwenPortal; model = ChatQwenPortal()\n"
        "for _ in range(4): print(asyncio.run(model.ainvoke('What is 2+2?')).text)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines() == ["2+2 = 4"] * 4
    assert done.stderr == ""
    assert len(emulator.chats()) == 4


def test_many_questions_at_once_on_each_loop(emulator: Emulator) -> None:
    """gather(8) on two loops that live side by side: sixteen requests."""
    model = ChatQwenPortal()

    async def ask() -> list[str]:
        return [answer.text for answer in await asyncio.gather(*(model.ainvoke("What is 2+2?") for _ in range(8)))]

    with asyncio.Runner() as one, asyncio.Runner() as other:
        assert [loop.run(ask()) for loop in (one, other)] == [["2+2 = 4"] * 8] * 2
        for loop in (one, other):
            loop.run(qwen_portal.aclose())
    assert len(emulator.chats()) == 16


def test_threads_with_loops_of_their_own(emulator: Emulator) -> None:
    """Eight threads, a loop each, five calls each, one model: forty answers, forty requests."""
    model = ChatQwenPortal()

    async def ask() -> list[str]:
        try:
            return [(await model.ainvoke("What is 2+2?")).text for _ in range(5)]
        finally:
            await qwen_portal.aclose()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: asyncio.run(ask()), range(8)))
    assert answers == [["2+2 = 4"] * 5] * 8
    assert len(emulator.chats()) == 40


def test_threads_sharing_the_sync_side(emulator: Emulator) -> None:
    """Eight threads call invoke on one model at the same time."""
    model = ChatQwenPortal()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: model.invoke("What is 2+2?").text, range(16)))
    assert answers == ["2+2 = 4"] * 16
    assert len(emulator.chats()) == 16
