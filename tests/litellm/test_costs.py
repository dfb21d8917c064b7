"""What a call through LiteLLM costs of the core's once it was made before."""

from collections.abc import Callable
from typing import Any

import litellm
import pytest

from tests.costs import WARM, counting
from tests.litellm.ways import HELLO, MODEL, ask, ask_stream, run


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("way", [ask, ask_stream])
def test_a_further_call_reads_neither_settings_nor_files(
    way: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client is made for each: it holds the settings that are known already, and nothing else."""
    for _ in range(WARM):
        way()
    counted = counting(monkeypatch)
    way()
    assert counted == {"clients": 1}


@pytest.mark.usefixtures("signed_in")
def test_on_an_event_loop_a_further_call_reads_as_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole and streamed."""

    async def several() -> None:
        for _ in range(WARM):
            await call()
        counted = counting(monkeypatch)
        await call()
        assert counted == {"clients": 2}

    async def call() -> None:
        await litellm.acompletion(model=MODEL, messages=HELLO)
        stream = await litellm.acompletion(model=MODEL, messages=HELLO, stream=True)
        assert [chunk async for chunk in stream]

    run(several)
