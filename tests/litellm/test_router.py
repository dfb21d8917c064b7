"""A Router with this provider: accounts per deployment, retries, the next deployment, the larger window."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from litellm import exceptions
from litellm.router import Router

from qwen_portal.emulator import Emulator
from qwen_portal.http import retry
from tests.litellm.ways import CALLS, HELLO, MODEL, call, join, run
from tests.litellm.ways import WAYS as ANSWERS
from tests.sign_ins import keep_sign_in

Deployment = dict[str, Any]


def deployment(name: str = "qwen", model: str = MODEL, **params: Any) -> Deployment:
    """Describe a deployment."""
    return {"model_name": name, "litellm_params": {"model": model} | params}


def ask(router: Router, name: str = "qwen") -> str:
    """Ask for a whole answer."""
    response: Any = router.completion(name, messages=HELLO)
    return str(response.choices[0].message.content)


def ask_stream(router: Router, name: str = "qwen") -> str:
    """Ask for a stream and read it."""
    stream: Any = router.completion(name, messages=HELLO, stream=True)
    return join(stream).text


def aask(router: Router, name: str = "qwen") -> str:
    """Ask for a whole answer on an event loop."""
    response: Any = run(lambda: router.acompletion(name, messages=HELLO))
    return str(response.choices[0].message.content)


def aask_stream(router: Router, name: str = "qwen") -> str:
    """Ask for a stream on an event loop and read it."""

    async def read() -> str:
        stream: Any = await router.acompletion(name, messages=HELLO, stream=True)
        return join([chunk async for chunk in stream]).text

    return run(read)


WAYS: dict[str, Callable[..., str]] = {
    "completion": ask,
    "acompletion": aask,
    "stream": ask_stream,
    "astream": aask_stream,
}


_LITELLMS = 0.4


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the waiting, not the decisions, out of LiteLLM's and our own retries."""
    # By length: nothing public of LiteLLM's says how long it waits, and the emulator's own sleeps are shorter.
    sleep, asleep = time.sleep, asyncio.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(0 if seconds >= _LITELLMS else seconds))
    monkeypatch.setattr(asyncio, "sleep", lambda delay, *more: asleep(0 if delay >= _LITELLMS else delay, *more))
    monkeypatch.setattr(retry, "_FIRST", 0.0)


@pytest.fixture
def two_accounts(signed_in: Emulator) -> Emulator:
    """Sign a second account, ``work``, in; it becomes the active one."""
    keep_sign_in(signed_in, "work")
    return signed_in


@pytest.mark.parametrize("way", WAYS)
def test_each_deployment_uses_its_account(two_accounts: Emulator, way: str) -> None:
    """qwen_account in litellm_params pins the deployment, and is not sent."""
    router = Router(model_list=[deployment("mine", qwen_account="default"), deployment("theirs", qwen_account="work")])
    WAYS[way](router, "mine")
    WAYS[way](router, "theirs")
    assert [entry.account for entry in two_accounts.chats()] == [1, 2]
    assert not any("qwen_account" in entry.body for entry in two_accounts.chats())


@pytest.mark.parametrize("way", WAYS)
def test_a_router_retries_and_the_core_does_not_multiply_it(signed_in: Emulator, way: str) -> None:
    """Two failures are outlived by two retries, six times of six, and each try is one request."""
    router = Router(model_list=[deployment()], num_retries=2, disable_cooldowns=True)
    for _ in range(6):
        signed_in.clear_log()
        signed_in.scenario("error-500", times=2)
        assert "4" in WAYS[way](router)
        assert [entry.status for entry in signed_in.chats()] == [500, 500, 200]


@pytest.mark.parametrize("way", WAYS)
def test_in_a_router_nobody_else_repeats(signed_in: Emulator, way: str) -> None:
    """A service that stays down is asked once and for each of the Router's retries."""
    router = Router(model_list=[deployment()], num_retries=2, disable_cooldowns=True)
    signed_in.scenario("error-500")
    with pytest.raises(exceptions.InternalServerError):
        WAYS[way](router)
    assert len(signed_in.chats()) == 1 + 2


@pytest.mark.parametrize("way", WAYS)
def test_a_deployment_that_cannot_sign_in_is_passed_over(signed_in: Emulator, way: str) -> None:
    """Six calls of six are answered by the deployment that works."""
    router = Router(model_list=[deployment(qwen_account="default"), deployment(qwen_account="nobody")])
    assert all("4" in WAYS[way](router) for _ in range(6))


@pytest.mark.parametrize("way", WAYS)
def test_a_prompt_that_is_too_long_goes_to_the_larger_window(signed_in: Emulator, way: str) -> None:
    """context_window_fallbacks works, also for an async stream."""
    router = Router(
        model_list=[deployment("small", model="qwen-portal/vision-model"), deployment("large")],
        context_window_fallbacks=[{"small": ["large"]}],
        num_retries=0,
    )
    signed_in.scenario("input-range", times=1)
    assert "4" in WAYS[way](router, "small")
    assert [entry.body["model"] for entry in signed_in.chats()] == ["vision-model", "coder-model"]


@pytest.mark.parametrize("way", WAYS)
def test_an_exhausted_account_makes_way_for_another_deployment(two_accounts: Emulator, way: str) -> None:
    """A quota error puts the deployment into LiteLLM's cool-down and the other one answers."""
    two_accounts.set_quota(0, account=1)
    router = Router(
        model_list=[deployment(qwen_account="default"), deployment(qwen_account="work")], num_retries=3, allowed_fails=0
    )
    assert all("4" in WAYS[way](router) for _ in range(6))
    assert {entry.account for entry in two_accounts.chats() if entry.status == 200} == {2}


@pytest.mark.parametrize("way", CALLS)
def test_without_a_router_num_retries_adds_and_does_not_multiply(signed_in: Emulator, way: str) -> None:
    """At most the first try, the core's repeats and LiteLLM's: 1 + n + n, as with built-in providers."""
    signed_in.scenario("error-500")
    with pytest.raises(exceptions.InternalServerError):
        CALLS[way](num_retries=3)
    assert len(signed_in.chats()) == 1 + 3 + 3


@pytest.mark.parametrize("way", ANSWERS)
def test_without_a_router_num_retries_outlives_failures(signed_in: Emulator, way: str) -> None:
    """More of them than the core repeats by itself; also where the answer is streamed on an event loop."""
    signed_in.scenario("error-500", times=5)
    assert "4" in ANSWERS[way](num_retries=3).text
    assert [entry.status for entry in signed_in.chats()] == [500] * 5 + [200]


@pytest.mark.parametrize(("asked", "requests"), [({}, 3), ({"max_retries": 0}, 1), ({"max_retries": 1}, 2)])
def test_the_core_retries_as_often_as_it_is_told(signed_in: Emulator, asked: dict[str, Any], requests: int) -> None:
    """Twice by default, as OpenAI's SDK does; max_retries says otherwise."""
    signed_in.scenario("error-500")
    with pytest.raises(exceptions.InternalServerError):
        call(**asked)
    assert len(signed_in.chats()) == requests


def test_many_calls_at_once_refresh_once(signed_in: Emulator) -> None:
    """Twenty tasks that meet a revoked token share one refresh."""
    signed_in.revoke()
    router = Router(model_list=[deployment()])

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(router.acompletion("qwen", messages=HELLO) for _ in range(20)))

    assert len(run(all_at_once)) == 20
    assert len(signed_in.log("refresh")) == 1
