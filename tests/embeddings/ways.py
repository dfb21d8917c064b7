"""The two ways to embed, and an account whose plan has embeddings."""

import asyncio
from collections.abc import Callable
from typing import Any

import qwen_portal
from qwen_portal import AsyncPortalClient, PortalClient
from qwen_portal.emulator import Emulator, LogEntry
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential

Vectors = list[list[float]]
Way = Callable[..., Vectors]
KEY = "sk-" + "0" * 32


def embed(texts: Any, *, client: dict[str, Any] | None = None, **params: Any) -> Vectors:
    """Embed texts."""
    return PortalClient(**(client or {})).embed(texts, **params)


def aembed(texts: Any, *, client: dict[str, Any] | None = None, **params: Any) -> Vectors:
    """Embed texts on an event loop of its own."""

    async def ask() -> Vectors:
        try:
            return await AsyncPortalClient(**(client or {})).embed(texts, **params)
        finally:
            await qwen_portal.aclose()

    return asyncio.run(ask())


WAYS: list[Way] = [embed, aembed]


def keep_key(emulator: Emulator, label: str = "studio", key: str = KEY) -> None:
    """Keep a key of the emulated service, where Model Studio's would go."""
    Session().accounts.add(label, Credential.from_key(Secret(key), plan=f"{emulator.url}/compatible-mode/v1"))


def asked(emulator: Emulator) -> list[LogEntry]:
    """Return the requests for embeddings, in order."""
    return emulator.log("embeddings")
