"""Two accounts, each with a host of its own, and what becomes of them when a quota is used up."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from qwen_portal.emulator import Emulator
from qwen_portal.index import Entry
from qwen_portal.session import Session
from qwen_portal.sign_in import sign_in

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"word": {"type": "string"}}}},
}


@dataclass
class Two:
    """The accounts ``a``, which is active, and ``b``, signed in at two services."""

    a: Emulator
    b: Emulator

    def statuses(self) -> tuple[list[int | None], list[int | None]]:
        """Return what each service answered to chats, in order."""
        return [entry.status for entry in self.a.chats()], [entry.status for entry in self.b.chats()]

    def clear(self) -> None:
        """Forget the requests so far."""
        self.a.clear_log()
        self.b.clear_log()


@contextmanager
def two_accounts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Run two services and sign an account in at each."""
    with Emulator() as first, Emulator() as second:
        hosts = ",".join(urlsplit(each.url).netloc for each in (first, second))
        monkeypatch.setenv("QWEN_PORTAL_ALLOWED_HOSTS", hosts)
        for label, service in (("b", second), ("a", first)):
            monkeypatch.setenv("QWEN_PORTAL_OAUTH_URL", service.url)
            sign_in(Session(), label, show=lambda event: None, sleep=lambda seconds: None)
        yield Two(first, second)


def exhausted_until(label: str) -> float | None:
    """Return what the index says of an account."""
    return Session().accounts.choose(label).exhausted_until


def end_cool_down(label: str) -> None:
    """Let an account's cool-down be over, without waiting for it."""

    def change(entry: Entry) -> None:
        entry.exhausted_until = time.time() - 1

    Session().accounts.mark(label, change)
