"""Embeddings are counted request by request."""

import pytest

import qwen_portal
from qwen_portal import AsyncPortalClient, PortalClient
from qwen_portal.emulator import Emulator
from tests.usage.counted import counted, switch_on


@pytest.fixture
def counting(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """A key at the emulator, and the ledger on."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-placeholder")
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    switch_on()
    return emulator


@pytest.mark.usefixtures("counting")
async def test_each_request_of_ten_texts_is_a_row() -> None:
    """Twelve texts are two requests, for threads and for event loops."""
    texts = [f"text {number}" for number in range(12)]
    PortalClient().embed(texts)
    await AsyncPortalClient().embed(texts)
    await qwen_portal.aclose()

    rows = counted("account", "model", "outcome", "completion_tokens")
    assert [row[:3] for row in rows] == [("env", "text-embedding-v4", "ok")] * 4
    assert all(tokens > 0 for tokens in counted("prompt_tokens"))
