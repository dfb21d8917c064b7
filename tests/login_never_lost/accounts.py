"""Sign-ins for these tests: many at once, ended on purpose, and looked at as the next process would."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import qwen_portal
from qwen_portal.account.record import Account
from qwen_portal.emulator import Emulator
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import sign_in
from qwen_portal.storage.credential import Credential

LABEL = "default"
# An end for a wait that nothing ends; no test gets near it.
PATIENCE = float(os.environ.get("PATIENCE", "120"))


def sign_in_as(*labels: str) -> None:
    """Sign accounts in at the emulator."""
    for label in labels:
        sign_in(Session(), label, show=lambda event: None, sleep=lambda seconds: None)


def account(label: str = LABEL) -> Account:
    """Return what the index says of an account."""
    return Session().accounts.choose(label)


def stored(label: str = LABEL) -> Credential:
    """Return what the store holds."""
    return Session().accounts.load(account(label))


def end_token(label: str = LABEL) -> None:
    """Make a stored token one whose time is over, without waiting for it."""
    accounts = Session().accounts
    with accounts.locked(label):
        current, now = accounts.load(accounts.choose(label)), time.time()
        ended = replace(current, issued_at=now - 3600, expires_at=now - 1, generation=current.generation + 1)
        accounts.keep(label, ended)


def refreshes(emulator: Emulator) -> int:
    """Count the refresh requests that the emulator saw."""
    return len(emulator.log("refresh"))


def next_process(label: str = LABEL) -> str:
    """Renew an account's token as a process would that knows nothing yet: only a live sign-in can."""
    qwen_portal.close()
    return qwen_portal.get_access_token(label, force_refresh=True)


def await_refreshes(emulator: Emulator, count: int) -> None:
    """Wait until the emulator has seen that many refresh requests."""
    deadline = time.monotonic() + PATIENCE
    while refreshes(emulator) < count:
        assert time.monotonic() < deadline, f"only {refreshes(emulator)} refreshes came"
        time.sleep(0.002)


@contextmanager
def answers_held(emulator: Emulator) -> Iterator[None]:
    """Hold the answers to refreshes whose tokens are spent; they go out when the block ends."""
    emulator.scenario("held")
    try:
        yield
    finally:
        emulator.scenario("held", on=False)
