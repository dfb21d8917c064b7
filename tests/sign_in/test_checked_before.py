"""Whatever would keep a sign-in from being kept is found before a person is sent to the browser."""

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenError, QwenStoreError, QwenStoreUnavailableError
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.index import FileIndex
from qwen_portal.storage.index_location import lock_path
from qwen_portal.storage.stores.keyring import KeyringStore
from tests.canaries import KEY, assert_none_in
from tests.cli.program import LIMIT, at_terminal, run
from tests.login_never_lost.accounts import next_process, sign_in_as
from tests.storage.fake_keyring import FakeKeyring

STORES = ["file", "keyring", "qwen-cli", "file:PATH"]


@pytest.fixture(params=[0o000, 0o022, 0o777])
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the umask, back to the old one afterwards."""
    old = os.umask(request.param)
    yield
    os.umask(old)


def keep_in(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Choose a store whose folders are not there yet, and return the topmost of them that matters to it."""
    monkeypatch.setenv("QWEN_PORTAL_HOME", str(tmp_path / "a" / "home"))
    monkeypatch.setenv("QWEN_HOME", str(tmp_path / "b" / "qwen"))
    monkeypatch.setenv("QWEN_PORTAL_STORE", store.replace("PATH", str(tmp_path / "c" / "one" / "token.json")))
    if store == "keyring":
        accounts = Session().accounts
        accounts._stores["keyring"] = KeyringStore(accounts.index, FakeKeyring())
    return tmp_path / "c" / "one" if store == "file:PATH" else tmp_path / "a" / "home"


@pytest.mark.parametrize("store", STORES)
def test_every_folder_is_made_for_its_owner_alone(
    store: str, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, any_umask: None
) -> None:
    """Whatever the umask: those above it too, those of a refresh and of a rescue as well."""
    keep_in(store, tmp_path, monkeypatch)
    sign_in_as("default")
    journal = Session().accounts.journal("default")
    assert journal is not None
    journal.rescue(Session().accounts.load(Session().choose()))
    if store != "keyring":
        assert next_process()
    made = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert len(made) > 3
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in made} == {"0o700"}


@pytest.mark.parametrize("store", STORES)
def test_a_home_that_everybody_can_change_is_refused_before_the_flow(
    store: str, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3 and the command that mends it; the sign-in host is not asked."""
    folder = keep_in(store, tmp_path, monkeypatch)
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    result = run("login", "--no-browser")
    assert result.exit_code == 3
    assert f"chmod o-w {folder}" in result.stderr
    assert emulator.log() == []


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("in_the_way", ["locks", "accounts.json"])
def test_what_stands_in_the_way_of_the_index_is_found_before_the_flow(
    in_the_way: str, store: str, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in a folder's place, and the other way round."""
    keep_in(store, tmp_path, monkeypatch)
    index = Session().accounts.index
    folder = getattr(index, "path", tmp_path).parent
    folder.mkdir(parents=True)
    if in_the_way == "locks":
        (folder / in_the_way).write_text("")
    else:
        (folder / in_the_way).mkdir()
    with pytest.raises(QwenStoreError, match=in_the_way):
        sign_in_as("default")
    assert emulator.log() == []


@pytest.mark.parametrize("place", ["account", "index"])
@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_stands_in_a_locks_place_is_found_before_the_flow(
    place: str, kind: str, emulator: Emulator, tmp_path: Path
) -> None:
    """Who has confirmed by then would have done so for nothing."""
    index = Session().accounts.index
    assert isinstance(index, FileIndex)
    lock = lock_path(index, "default") if place == "account" else index.path.with_suffix(".lock")
    lock.parent.mkdir(0o700, parents=True)
    lock.symlink_to(tmp_path / "elsewhere") if kind == "link" else lock.mkdir()
    with pytest.raises(QwenStoreError, match=re.escape(str(lock))):
        sign_in_as("default")
    assert emulator.log() == []
    assert not (tmp_path / "elsewhere").exists()


def test_a_lock_that_is_held_is_no_reason_against_a_sign_in(emulator: Emulator) -> None:
    """Whoever refreshes at this moment is done before the person has confirmed."""
    accounts = Session().accounts
    with accounts.locked("default"):
        accounts.check_place("default")
    assert emulator.log() == []


def test_a_store_that_nobody_knows_is_found_before_the_flow(signed_in: Emulator) -> None:
    """The index names it: its old sign-in would have to be looked for there."""
    accounts = Session().accounts
    with accounts.editing("default") as entry:
        entry.store = "floppy"
    with pytest.raises(QwenError, match="floppy"):
        sign_in_as("default")
    assert signed_in.log() == []


@pytest.mark.parametrize("store", ["file", "file:PATH"])
def test_a_key_is_kept_whole_or_not_at_all(
    store: str, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No credential lies in its store that the index does not know."""
    folder = keep_in(store, tmp_path, monkeypatch)
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    result = run("login", "--plan", "coding", "--api-key-stdin", stdin=KEY)
    assert result.exit_code == 3
    texts = "".join(path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert_none_in(texts)


@pytest.fixture
def no_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the system's keyring away, and have it chosen."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "auto")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("QWEN_HOME", str(tmp_path / "qwen"))


@pytest.mark.usefixtures("no_keyring", "unmeasured")
@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is a POSIX thing")
@pytest.mark.parametrize(
    "command",
    [
        ("login", "--no-browser"),
        ("login", "--plan", "studio-intl"),
        ("login", "--plan", "studio-intl", "--api-key-stdin"),
        ("import",),
    ],
    ids=" ".join,
)
def test_without_a_keyring_nothing_is_asked_of_a_person(
    command: tuple[str, ...], tmp_path: Path, emulator: Emulator
) -> None:
    """No key, no confirmation and no yes: the error comes first, and names the option that helps."""
    settings = tmp_path / "qwen" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"env": {"DASHSCOPE_API_KEY": KEY}}))
    with at_terminal(*command) as (program, person):
        os.write(person, b"y\n")
        _, said = program.communicate(timeout=LIMIT)
    assert program.returncode == 3
    assert not re.search(r"API key of the plan|Open this page|\[y/N\]", said)
    assert "--insecure-storage" in said
    assert "QWEN_PORTAL_STORE=file" in said
    assert emulator.log() == []


@pytest.mark.parametrize("plan", ["oauth", "studio-intl"])
def test_without_a_keyring_the_functions_send_nothing(
    plan: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the key to its service nor the wish for a code."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "keyring")
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/compatible-mode/v1")
    keyring = FakeKeyring()
    keyring.keep = lambda text: None
    accounts = Session().accounts
    accounts._stores["keyring"] = KeyringStore(accounts.index, keyring)
    with pytest.raises(QwenStoreUnavailableError, match="--insecure-storage"):
        qwen_portal.login(plan=plan, api_key=None if plan == "oauth" else KEY, show=lambda event: None)
    assert emulator.log() == []


@pytest.mark.parametrize("plan", ["gold", "studio:Ws@cn-beijing", "http://example.com/v1"])
def test_a_plan_that_is_none_is_said_before_a_key_is_asked_for(plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor should anybody type one for nothing there."""
    asked = list[str]()

    def ask(plan: str, **ways: object) -> Secret:
        asked.append(plan)
        return Secret(KEY)

    monkeypatch.setattr("qwen_portal.cli.login._api_key", ask)
    assert run("login", "--plan", plan).exit_code == 1
    assert asked == []
    assert run("login", "--plan", "coding", "--no-check").exit_code == 0
    assert asked == ["coding"]
