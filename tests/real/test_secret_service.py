"""The keyring store on a real Secret Service: a sign-in's life, and the ways a keyring fails."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenStoreError, QwenTokenNotAvailableError
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import sign_in
from qwen_portal.storage import index
from tests.real.secret_service import SecretService, plain_environment

pytestmark = pytest.mark.real

# What the contract promises for every failing keyring.
LONGEST = 5.0
# An end for a test whose program never exits.
TIMEOUT = 60.0
LOCKED, UNAVAILABLE = "QwenStoreLockedError", "QwenStoreUnavailableError"

PROGRAM = """
import json, sys, time
import qwen_portal
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import sign_in

operations = {
    "login": lambda: sign_in(Session(), None, show=lambda event: None, sleep=lambda seconds: None).label,
    "token": qwen_portal.get_access_token,
    "refresh": lambda: qwen_portal.get_access_token(force_refresh=True),
    "logout": lambda: qwen_portal.logout().label,
}
started = time.monotonic()
value = hint = None
try:
    value, result = operations[sys.argv[1]](), "ok"
except qwen_portal.QwenError as exc:
    result, hint = type(exc).__name__, exc.hint
print(json.dumps({"result": result, "value": value, "hint": hint, "seconds": time.monotonic() - started}))
"""


def in_another_process(operation: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run one operation in a process of its own; the process must end by itself."""
    command = [sys.executable, "-c", PROGRAM, operation]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def command_line(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run qwen-portal."""
    command = [sys.executable, "-m", "qwen_portal", *arguments]
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def assert_fails_in_time(outcome: dict[str, Any], expected: str) -> None:
    """Fail unless the operation ended in that error, in time, and named another place for the sign-in."""
    assert outcome["result"] == expected
    assert outcome["seconds"] <= LONGEST
    assert "QWEN_PORTAL_STORE=file" in outcome["hint"]


def assert_nothing_in_files(folder: Path, emulator: Emulator) -> None:
    """Fail if a file below the folder is of the file store, or holds a token in the clear."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in files if path.parent.name == "credentials"]
    for path in files:
        content = path.read_bytes()
        assert not [path for token in emulator.issued_tokens() if token.encode() in content]


def slot() -> str:
    """Return the slot that the index points to."""
    return Session().accounts.index.read().slots["default"]


def item(of_slot: str) -> dict[str, Any] | None:
    """Read a slot with another program than ours."""
    command = ["secret-tool", "lookup", "service", f"qwen-portal:{of_slot}", "username", "default"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    return json.loads(found.stdout) if found.stdout else None


def items() -> set[str]:
    """Return the services of all our items, as another program sees them."""
    command = ["secret-tool", "search", "--all", "application", "Python keyring library"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    return set(re.findall(r"attribute\.service = (qwen-portal:\S+)", found.stdout + found.stderr))


@pytest.fixture(params=["keyring", "auto"], autouse=True)
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for the keyring by name, or leave the choice to the package."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", request.param)


@pytest.fixture
def on_keyring(emulator: Emulator, tmp_path: Path) -> Iterator[Emulator]:
    """Sign in with the running Secret Service, and afterwards see that no file ever held the sign-in."""
    before = items()
    account = sign_in(Session(), None, show=lambda event: None, sleep=lambda seconds: None)
    assert account.store == "keyring"
    yield emulator
    assert_nothing_in_files(tmp_path, emulator)
    assert_nothing_in_files(Path(os.environ["HOME"]), emulator)
    if qwen_portal.accounts():
        qwen_portal.logout()
    assert items() == before


def test_a_sign_in_alternates_between_two_slots(on_keyring: Emulator) -> None:
    """Each refresh writes the slot that was not in use and leaves the other as it was; then the pointer moves."""
    first = slot()
    signed_in = item(first)
    assert signed_in is not None
    assert signed_in["access_token"] == qwen_portal.get_access_token()
    assert f"qwen-portal:{first}" in items()

    second_token = qwen_portal.get_access_token(force_refresh=True)
    second = slot()
    refreshed = item(second)
    assert refreshed is not None
    assert second != first
    assert refreshed["access_token"] == second_token
    assert item(first) == signed_in
    assert {f"qwen-portal:{first}", f"qwen-portal:{second}"} <= items()

    third_token = qwen_portal.get_access_token(force_refresh=True)
    assert slot() == first
    assert item(second) == refreshed
    reread = item(first)
    assert reread is not None
    assert reread["access_token"] == third_token
    assert len({signed_in["access_token"], second_token, third_token}) == 3


def test_another_process_sees_the_refreshed_token(on_keyring: Emulator) -> None:
    """A refresh in either process is what the other one gets, without a refresh of its own."""
    ours = qwen_portal.get_access_token(force_refresh=True)
    assert in_another_process("token")["value"] == ours
    theirs = in_another_process("refresh")["value"]
    assert theirs != ours
    assert qwen_portal.get_access_token() == theirs
    assert len(on_keyring.log("refresh")) == 2


def test_a_write_without_the_pointer_changes_nothing(on_keyring: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends between the two steps leaves the old sign-in for everybody."""
    token, before = qwen_portal.get_access_token(), slot()
    session = Session()
    account = session.choose()

    def full(path: Path, text: str) -> NoReturn:
        raise QwenStoreError("No space left on device.")

    with monkeypatch.context() as patch:
        patch.setattr(index, "write_private", full)
        with pytest.raises(QwenStoreError, match="No space"):
            session.accounts.store("keyring").save("default", session.accounts.load(account))
    assert slot() == before
    assert in_another_process("token")["value"] == token


def test_logout_empties_both_slots(on_keyring: Emulator) -> None:
    """After a logout no program finds anything of the sign-in."""
    used = [slot()]
    qwen_portal.get_access_token(force_refresh=True)
    used.append(slot())
    qwen_portal.logout()
    assert [item(each) for each in used] == [None, None]
    assert in_another_process("token")["result"] == QwenTokenNotAvailableError.__name__


# Keyrings that cannot take a sign-in.


@contextmanager
def locked(home: Path) -> Iterator[dict[str, str]]:
    """There is a keyring, and nobody gave its password: a login over SSH."""
    with SecretService(home) as service:
        service.restart(unlocked=False)
        yield service.environment


@contextmanager
def without_collection(home: Path) -> Iterator[dict[str, str]]:
    """There never was a keyring, and nobody can be asked for a password for one: a bare container with D-Bus."""
    with SecretService(home, unlocked=False) as service:
        yield service.environment


@contextmanager
def hanging(home: Path) -> Iterator[dict[str, str]]:
    """The daemon takes requests and never answers, as behind a dialog that nobody sees."""
    with SecretService(home) as service:
        service.hang()
        yield service.environment


@contextmanager
def without_bus(home: Path) -> Iterator[dict[str, str]]:
    """There is no D-Bus session at all."""
    yield plain_environment(home)


@contextmanager
def null_backend(home: Path) -> Iterator[dict[str, str]]:
    """The user named the backend that takes everything and keeps nothing."""
    with SecretService(home) as service:
        yield service.environment | {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


@contextmanager
def mistyped_backend(home: Path) -> Iterator[dict[str, str]]:
    """The user named a backend that does not exist."""
    with SecretService(home) as service:
        yield service.environment | {"PYTHON_KEYRING_BACKEND": "keyring.backends.SecretServise.Keyring"}


Situation = Callable[[Path], AbstractContextManager[dict[str, str]]]


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (locked, LOCKED),
        (without_collection, LOCKED),
        (hanging, UNAVAILABLE),
        (without_bus, UNAVAILABLE),
        (null_backend, UNAVAILABLE),
        (mistyped_backend, UNAVAILABLE),
    ],
)
def test_a_sign_in_that_could_not_be_kept_fails_at_once(
    emulator: Emulator, tmp_path: Path, situation: Situation, expected: str
) -> None:
    """The error comes in time, before anybody is sent to the browser, and nothing goes to a file instead."""
    with situation(tmp_path / "home") as environment:
        assert_fails_in_time(in_another_process("login", environment), expected)
        told = command_line(environment, "login", "--no-browser")
        assert told.returncode == 3
        assert told.stdout == ""
        assert "QWEN_PORTAL_STORE=file" in told.stderr
        assert command_line(environment, "status").returncode == 4
    assert emulator.log() == []
    assert_nothing_in_files(tmp_path, emulator)


# Keyrings that fail later.


@contextmanager
def locks(service: SecretService) -> Iterator[dict[str, str]]:
    """Lock the keyring for a while."""
    service.restart(unlocked=False)
    yield service.environment
    service.restart(unlocked=True)


@contextmanager
def hangs(service: SecretService) -> Iterator[dict[str, str]]:
    """Let the daemon hang for a while."""
    service.hang()
    yield service.environment
    service.resume()


@contextmanager
def leaves(service: SecretService) -> Iterator[dict[str, str]]:
    """Use a shell that is not in the session."""
    yield {name: value for name, value in service.environment.items() if name != "DBUS_SESSION_BUS_ADDRESS"}


@pytest.mark.parametrize(("accident", "expected"), [(locks, LOCKED), (hangs, UNAVAILABLE), (leaves, UNAVAILABLE)])
def test_a_keyring_that_fails_later_costs_nothing(
    emulator: Emulator,
    tmp_path: Path,
    accident: Callable[[SecretService], AbstractContextManager[dict[str, str]]],
    expected: str,
) -> None:
    """Every operation fails in time and spends no refresh token; with the keyring back, all is as it was."""
    with SecretService(tmp_path / "home") as service:
        assert in_another_process("login", service.environment)["result"] == "ok"
        token = in_another_process("token", service.environment)["value"]
        emulator.clear_log()
        with accident(service) as environment:
            for operation in ("token", "refresh", "logout", "login"):
                assert_fails_in_time(in_another_process(operation, environment), expected)
            assert command_line(environment, "token").returncode == 3
            assert command_line(environment, "status").returncode == 0
        assert emulator.log() == []
        assert in_another_process("token", service.environment)["value"] == token
        assert in_another_process("refresh", service.environment)["result"] == "ok"
    assert_nothing_in_files(tmp_path, emulator)
