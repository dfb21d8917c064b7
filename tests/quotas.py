"""Two accounts, each with a host of its own, and what becomes of them when a quota is used up."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from qwen_portal.account.cool_downs import forget
from qwen_portal.emulator import Emulator
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.scripted import Handler
from tests.sign_ins import keep_sign_in

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"word": {"type": "string"}}}},
}


SPENT = {
    "error": {"message": "Free allocated quota exceeded.", "type": "insufficient_quota", "code": "insufficient_quota"}
}
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}]}
KEYS = {"first": "sk-first", "second": "sk-second", "third": "sk-third"}


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
            keep_sign_in(service, label)
        yield Two(first, second)


def keep_keys(*labels: str, plan: str = "studio") -> None:
    """Keep keys as accounts; the first is active."""
    for label in labels:
        Session().accounts.add(label, Credential.from_key(Secret(KEYS[label]), plan=plan))


def spent_but(*labels: str) -> Handler:
    """Answer these accounts' keys, and tell all others that their quota is used up."""

    def answer(request: httpx.Request) -> httpx.Response:
        served = keys_of([request])[0] in labels
        return httpx.Response(200, json=ANSWER) if served else httpx.Response(429, json=SPENT)

    return answer


def keys_of(asked: list[httpx.Request]) -> list[str]:
    """Return whose requests these are."""
    names = {key: label for label, key in KEYS.items()}
    return [names[request.headers["authorization"].removeprefix("Bearer ")] for request in asked]


def exhausted_until(label: str) -> float | None:
    """Return what the index says of an account."""
    return Session().accounts.choose(label).exhausted_until


def end_cool_down(label: str) -> None:
    """Let an account's cool-down be over, without waiting for it."""
    with Session().accounts.editing(label) as entry:
        forget(entry)
