"""What a call of the core costs once it was made before; and that no setting is remembered longer than it holds."""

import json
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import qwen_portal
from qwen_portal import AsyncPortalClient, PortalClient, environment
from qwen_portal.answers.chunks import ChunkReader
from qwen_portal.emulator import Emulator
from qwen_portal.environment import Environment, Kept
from qwen_portal.errors import QwenError
from qwen_portal.session import Session
from qwen_portal.settings import own_settings
from tests.canaries import KEY, assert_none_in
from tests.costs import WARM, counting
from tests.sign_ins import keep_sign_in
from tests.ways import HELLO, Way, chat, stream


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("way", [chat, stream])
def test_a_further_call_reads_neither_settings_nor_files(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a program that makes a client for each call, too."""
    for _ in range(WARM):
        way()
    counted = counting(monkeypatch)
    way()
    assert counted == {"clients": 1}


@pytest.mark.usefixtures("signed_in")
async def test_on_an_event_loop_a_further_call_reads_as_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole and streamed."""

    async def ask() -> None:
        await AsyncPortalClient().chat(HELLO)
        assert [chunk async for chunk in AsyncPortalClient().stream(HELLO)]

    for _ in range(WARM):
        await ask()
    counted = counting(monkeypatch)
    await ask()
    assert counted == {"clients": 2}
    await qwen_portal.aclose()


@pytest.mark.usefixtures("signed_in")
def test_a_further_token_reads_neither_settings_nor_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a client made for it."""
    qwen_portal.get_access_token()
    counted = counting(monkeypatch)
    for _ in range(100):
        qwen_portal.get_access_token()
    assert counted == {}


def test_the_settings_are_read_once_while_the_environment_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many clients ask for them; a client with settings of its own reads them."""
    own_settings()
    counted = counting(monkeypatch)
    for _ in range(10):
        PortalClient(account="work", max_retries=1)
        AsyncPortalClient()
    assert counted["settings"] == 0
    PortalClient(timeout=5)
    assert counted["settings"] == 1


def _in_place(name: str, value: str) -> None:
    os.environ[name] = value


@pytest.mark.parametrize("change", [_in_place, lambda name, value: os.environ.update({name: value})])
def test_a_changed_variable_counts_at_the_next_call(change: Callable[[str, str], None]) -> None:
    """However it is changed, and however often; also back again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QWEN_PORTAL_TIMEOUT", "5")
        for seconds in ("5", "6", "5"):
            change("QWEN_PORTAL_TIMEOUT", seconds)
            assert own_settings().timeout == float(seconds)
            assert Session().settings.timeout == float(seconds)
        del os.environ["QWEN_PORTAL_TIMEOUT"]
        assert own_settings().timeout == 600.0
        change("QWEN_PORTAL_TIMEOUT", "never")
        for _ in range(2):
            with pytest.raises(QwenError, match="QWEN_PORTAL_TIMEOUT"):
                own_settings()
        change("QWEN_PORTAL_TIMEOUT", "7")
        assert own_settings().timeout == 7.0


@pytest.mark.usefixtures("signed_in")
def test_another_account_in_the_environment_answers_the_next_call(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the active one again once the variable is gone."""
    keep_sign_in(emulator, "second")
    qwen_portal.use("default")
    chat()
    monkeypatch.setenv("QWEN_PORTAL_ACCOUNT", "second")
    chat()
    monkeypatch.delenv("QWEN_PORTAL_ACCOUNT")
    chat()
    assert [entry.account for entry in emulator.chats()] == [1, 2, 1]


@pytest.mark.parametrize("name", ["HOME", "XDG_STATE_HOME"])
def test_another_home_counts_at_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no variable of ours, and says where the accounts are all the same."""
    monkeypatch.delenv("QWEN_PORTAL_HOME")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    for folder in ("one", "two"):
        monkeypatch.setenv(name, str(tmp_path / folder))
        assert own_settings().home.is_relative_to(tmp_path / folder)


def test_a_relative_home_follows_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of that is a change of the settings."""
    monkeypatch.setenv("QWEN_PORTAL_HOME", "state")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert own_settings().home == tmp_path / name / "state"


def test_a_working_folder_that_was_removed_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a relative path would need it."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert own_settings().home == tmp_path / "state"


def test_a_change_by_one_thread_counts_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is the process's."""
    own_settings()
    setting = threading.Thread(target=monkeypatch.setenv, args=("QWEN_PORTAL_TIMEOUT", "5"))
    setting.start()
    setting.join()
    assert own_settings().timeout == 5.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are POSIX")
def test_a_forked_process_has_settings_of_its_own() -> None:
    """What the child changes counts there, and not in its parent."""
    before = own_settings()
    child = os.fork()
    if child == 0:
        os.environ["QWEN_PORTAL_TIMEOUT"] = "5"
        os._exit(0 if own_settings().timeout == 5.0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert own_settings() is before


def test_settings_of_two_environments_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change while they were read: what was made may be half of each, and is made again."""
    made: list[None] = []

    def make() -> int:
        if not made:
            monkeypatch.setenv("QWEN_PORTAL_TIMEOUT", "5")
        made.append(None)
        return len(made)

    kept = Kept(make)
    assert kept() == 1
    monkeypatch.delenv("QWEN_PORTAL_TIMEOUT")
    assert (kept(), kept()) == (2, 2)


@pytest.mark.usefixtures("signed_in")
def test_close_lets_go_of_what_was_kept() -> None:
    """The next call has settings and accounts of its own."""
    before = Session()
    qwen_portal.close()
    after = Session()
    assert after.settings is not before.settings
    assert after.accounts is not before.accounts
    assert chat()


def test_the_interpreter_has_the_variables_where_they_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A private name of os.environ: without it the comparison is slow, and as right."""
    assert environment._variables() is vars(os.environ)["_data"]
    monkeypatch.setattr(os, "environ", dict(os.environ))
    first = Environment()
    assert first.is_unchanged()
    monkeypatch.setitem(os.environ, "QWEN_PORTAL_TIMEOUT", "5")
    assert not first.is_unchanged()


def test_a_remembered_environment_shows_nobody_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither printed nor pickled."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    seen = environment.environment()
    assert_none_in(f"{seen!r} {seen}")
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(seen)


def test_the_json_of_a_chunk_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is a refusal is seen in the same reading."""
    read: list[str] = []
    real = json.loads

    def noted(text: str, **options: Any) -> Any:
        read.append(text)
        return real(text, **options)

    monkeypatch.setattr(json, "loads", noted)
    reader = ChunkReader("portal.qwen.ai")
    event = b'data: {"choices": [{"index": 0, "delta": {"content": "4"}}]}\n\n'
    assert len(list(reader.feed(event * 3))) == 3
    assert len(read) == 3
