"""Danger: one of two proxies that share a sign-in on one machine dies while it streams."""

import asyncio
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from qwen_portal.emulator import Emulator
from tests.real.litellm_proxy import KEY, PORTAL, Proxy, environment, replicas, sign_in

pytestmark = pytest.mark.real

STREAMS = 200
# Long enough that each of the dying proxy's streams is cut.
QUESTION: Any = [{"role": "user", "content": "Count to 40."}]
ANSWER = " ".join(str(number) for number in range(1, 41))


@dataclass
class Crowd:
    """Clients that stream, half of them from each proxy; one whose proxy dies asks the other one again."""

    proxies: list[Proxy]
    begun: int = 0
    cut: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def stream(self, number: int) -> str:
        """Read one answer."""
        proxy = self.proxies[number % 2]
        try:
            return await self._read(proxy)
        except (openai.APIConnectionError, httpx.TransportError):
            assert proxy is self.proxies[1], "the proxy that lives broke off"
            self.cut += 1
            return await self._read(self.proxies[0])

    async def _read(self, proxy: Proxy) -> str:
        text = ""
        client = openai.AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0, timeout=300)
        async with client:
            chunks = await client.chat.completions.create(model="coder-model", messages=QUESTION, stream=True)
            async for chunk in chunks:
                for choice in chunk.choices:
                    if not text and choice.delta.content:
                        self._begin(proxy)
                    text += choice.delta.content or ""
        return text

    def _begin(self, proxy: Proxy) -> None:
        self.begun += proxy is self.proxies[1]
        if self.begun == STREAMS // 10:
            self.enough.set()

    async def kill(self) -> None:
        """Kill the second proxy as soon as it streams to some of its clients."""
        await self.enough.wait()
        self.proxies[1].process.kill()


def test_a_killed_replica_costs_no_sign_in(tmp_path: Path) -> None:
    """All 200 streams are answered, those that were cut by the other proxy; one refresh, and the sign-in lives."""
    with Emulator() as emulator:
        variables = environment(emulator, tmp_path / "state")
        sign_in(variables)
        # both find the token dead at the same moment
        emulator.revoke()
        emulator.configure(frame_delay=0.02)
        with replicas(2, tmp_path, variables) as proxies:
            crowd = Crowd(proxies)

            async def all_at_once() -> list[str]:
                killing = asyncio.create_task(crowd.kill())
                texts = await asyncio.gather(*(crowd.stream(number) for number in range(STREAMS)))
                await killing
                return texts

            texts = asyncio.run(all_at_once())
        assert [text == ANSWER for text in texts] == [True] * STREAMS
        assert crowd.cut > 0
        assert len(emulator.log("refresh")) == 1
        command = [*PORTAL, "token", "--refresh"]
        renewed = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=True)
        assert renewed.stdout.strip() in emulator.issued_tokens()
