"""Credentials for this process alone."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from qwen_portal.storage.credential import Credential


class MemoryStore:
    """Forget everything when the process ends; for CI and tests."""

    name = "memory"
    is_shared = False

    def __init__(self) -> None:
        self._credentials: dict[str, Credential] = {}

    def probe(self, label: str) -> None:
        """Do nothing: memory always works."""

    def check_writable(self, label: str, credential: Credential) -> None:
        """Do nothing: memory always works."""

    def load(self, label: str) -> Credential | None:
        """Return the account's credential, or ``None``."""
        return self._credentials.get(label)

    def save(self, label: str, credential: Credential) -> None:
        """Keep a credential."""
        self._credentials[label] = credential

    def interrupted_save(self, label: str) -> Credential | None:
        """Return ``None``: memory outlives no crash."""

    def delete(self, label: str) -> bool:
        """Remove the account's credential; tell whether there was one."""
        return self._credentials.pop(label, None) is not None

    def damage(self, label: str) -> str | None:
        """Return ``None``: nothing happens to memory."""

    def forked(self) -> None:
        """Keep the access tokens alone: a refresh token that parent and child both have, one of them spends."""
        self._credentials = {
            label: replace(credential, refresh_token=None) for label, credential in self._credentials.items()
        }

    def exclusive(self) -> AbstractContextManager[object]:
        """Return nothing to hold: no other program shares this store."""
        return nullcontext()
