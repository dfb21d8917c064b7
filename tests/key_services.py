"""The hosts of the key plans, without a network: the emulator answers for each of them, by the host's name."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from qwen_portal.emulator import Emulator
from tests.scripted import answering


@contextmanager
def key_services(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Request]]:
    """Lead every request of this process to the emulator; yield what was asked, with the addresses as they were."""
    # no certificates are needed on loopback, and loading them costs more than a test
    with httpx.Client(base_url=emulator.url, trust_env=False, verify=False) as bridge:  # noqa: S501

        def forward(request: httpx.Request) -> httpx.Response:
            answer = bridge.request(
                request.method, request.url.path, content=request.content, headers=dict(request.headers)
            )
            kept = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
            return httpx.Response(answer.status_code, headers=kept, content=answer.content)

        with answering(forward, monkeypatch) as asked:
            yield asked
