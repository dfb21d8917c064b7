"""Two releases share a HOME: neither drops what the other wrote, and a format that is too new is left alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenError, QwenStoreError
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.index import FileIndex
from qwen_portal.storage.private_files import write_private
from qwen_portal.storage.refresh_journal import Journal
from qwen_portal.storage.stores.file import FileStore
from qwen_portal.storage.stores.keyring import KeyringStore
from tests.canaries import ACCESS, REFRESH, assert_none_in, assert_none_in_error
from tests.cli.program import run
from tests.login_never_lost.accounts import sign_in_as
from tests.storage.fake_keyring import FakeKeyring

LATER: dict[str, Any] = {"later": {"deep": [1, None, "x"]}, "also": False}


def index_path(tmp_path: Path) -> Path:
    """Return the index's file."""
    return tmp_path / "state" / "accounts.json"


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file as another program does."""
    record = json.loads(path.read_text("utf-8"))
    change(record)
    write_private(path, json.dumps(record))


def record_of(path: Path) -> dict[str, Any]:
    """Read a JSON file."""
    record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return record


def test_an_edit_of_the_index_keeps_fields_that_this_release_does_not_know(tmp_path: Path, emulator: Emulator) -> None:
    """At the top and in each account, through a refresh, a new sign-in, another account and a switch."""
    sign_in_as("home", "work")
    path = index_path(tmp_path)
    changed(path, lambda record: (record.update(LATER), record["accounts"]["home"].update(LATER)))

    qwen_portal.get_access_token("home", force_refresh=True)
    sign_in_as("home", "third")
    qwen_portal.use("work")
    qwen_portal.logout("third")

    record = record_of(path)
    assert {name: record[name] for name in LATER} == LATER
    assert {name: record["accounts"]["home"][name] for name in LATER} == LATER
    assert not LATER.keys() & record["accounts"]["work"].keys()


def test_a_field_goes_with_its_account(tmp_path: Path, emulator: Emulator) -> None:
    """What was known of an account that signed out says nothing of the next one of that name."""
    sign_in_as("home")
    changed(index_path(tmp_path), lambda record: record["accounts"]["home"].update(LATER))
    qwen_portal.logout("home")
    sign_in_as("home")
    assert not LATER.keys() & record_of(index_path(tmp_path))["accounts"]["home"].keys()


def test_a_refresh_keeps_a_credentials_unknown_fields(tmp_path: Path, emulator: Emulator) -> None:
    """They may be secrets, so nothing shows them; a new sign-in has none of them."""
    sign_in_as("home")
    path = FileStore(tmp_path / "state").path("home")
    changed(path, lambda record: record.update(LATER, second_token=ACCESS))

    qwen_portal.get_access_token("home", force_refresh=True)

    record = record_of(path)
    assert {name: record[name] for name in LATER} == LATER
    assert record["second_token"] == ACCESS
    assert record["label"] == "home"
    assert_none_in(repr(Session().accounts.load(Session().choose("home"))))
    sign_in_as("home")
    assert not LATER.keys() & record_of(path).keys()


def test_a_keyrings_record_keeps_them_too(tmp_path: Path) -> None:
    """From slot to slot."""
    store = KeyringStore(FileIndex(tmp_path / "accounts.json"), FakeKeyring())
    made = Credential("oauth", "oauth", Secret(ACCESS), Secret(REFRESH), expires_at=4e9)
    store.save("work", replace(made, unknown=Secret(json.dumps(LATER))))
    kept = store.load("work")
    assert kept is not None
    assert json.loads(kept.unknown.reveal()) == LATER


@pytest.mark.parametrize("rewrite", ["end", "put back"])
def test_a_note_that_is_rewritten_keeps_them_too(rewrite: str, tmp_path: Path) -> None:
    """The journal tells another release what it told before."""
    journal = Journal(tmp_path / "journal" / "account")
    journal.begin(Credential("oauth", "oauth", Secret(ACCESS), Secret(REFRESH)))
    path = tmp_path / "journal" / "account.json"
    changed(path, lambda record: record.update(LATER))
    if rewrite == "end":
        journal.end("no-answer")
    else:
        journal.put_back(journal.read())
    assert {name: record_of(path)[name] for name in LATER} == LATER


@pytest.mark.parametrize(("version", "told"), [(2, "2,"), (1.5, "1.5,"), (10**30, "10000")])
def test_a_newer_index_is_refused_and_never_touched(
    version: float, told: str, tmp_path: Path, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is tried: the error names its version and the way out, and the file is the same to the byte."""
    sign_in_as("home")
    path = index_path(tmp_path)
    # all that this release would call corrupt, besides
    write_private(path, json.dumps({"version": version, "accounts": [{"label": "home"}]}))
    before = path.read_bytes()
    qwen_portal.close()
    calls: list[Callable[[], object]] = [
        qwen_portal.accounts,
        qwen_portal.get_access_token,
        lambda: qwen_portal.use("home"),
        lambda: qwen_portal.logout("home"),
        lambda: sign_in_as("home"),
        lambda: qwen_portal.login("key", plan="coding", api_key="sk-sp-CANARY", show=lambda event: None),
        lambda: Session().accounts.allow_mixed(allowed=True),
    ]
    emulator.clear_log()
    for call in calls:
        with pytest.raises(QwenStoreError, match=f"newer qwen-portal: its version is {told}") as caught:
            call()
        assert "Update qwen-portal" in caught.value.hint
    assert emulator.log() == []
    assert path.read_bytes() == before
    assert "could not be read" not in caplog.text
    assert list(path.parent.glob("*.corrupt")) == []
    assert len(list((path.parent / "credentials").iterdir())) == 1


def test_status_and_doctor_say_that_the_index_is_newer(tmp_path: Path, emulator: Emulator) -> None:
    """With the codes of a store that cannot be used and of a machine that is not well."""
    sign_in_as("home")
    changed(index_path(tmp_path), lambda record: record.update(version=2))
    status, doctor = run("status"), run("doctor", "--json")
    assert status.exit_code == 3
    assert "its version is 2, this one knows up to 1" in status.stderr
    assert "Hint: Update qwen-portal" in status.stderr
    assert doctor.exit_code == 1
    found = {each["name"]: each for each in json.loads(doctor.stdout)["findings"]}["store"]
    assert found["state"] == "fail"
    assert "newer qwen-portal" in found["text"]
    assert "Update qwen-portal" in found["remedy"]


@pytest.mark.parametrize("version", [None, "2", True, 0, -1, [], float("nan")])
def test_a_version_that_is_no_later_number_costs_nobody_a_sign_in(
    version: object, tmp_path: Path, emulator: Emulator
) -> None:
    """A hand that slipped there is no newer release."""
    sign_in_as("home")
    changed(index_path(tmp_path), lambda record: record.update(version=version))
    assert [account.label for account in qwen_portal.accounts()] == ["home"]


def test_a_newer_credential_is_refused_and_never_set_aside(tmp_path: Path, emulator: Emulator) -> None:
    """Its token is not spent: the answer could not be kept in the newer form."""
    sign_in_as("home")
    path = FileStore(tmp_path / "state").path("home")
    changed(path, lambda record: record.update(v=2, refresh_token=REFRESH, kind="passkey"))
    before = path.read_bytes()
    emulator.clear_log()
    qwen_portal.close()
    with pytest.raises(QwenStoreError, match="newer qwen-portal: its version is 2") as caught:
        qwen_portal.get_access_token("home", force_refresh=True)
    assert_none_in_error(caught.value)
    assert (emulator.log(), path.read_bytes()) == ([], before)
    assert "newer qwen-portal" in run("status").stdout
    assert "Update qwen-portal" in run("status").stdout
    assert list(path.parent.iterdir()) == [path]


def test_a_newer_rescue_is_not_passed_over(tmp_path: Path, emulator: Emulator) -> None:
    """The token in it is the good one, and the stored one is spent: to send that would end the sign-in."""
    sign_in_as("home")
    session = Session()
    account = session.choose("home")
    journal = session.accounts.journal("home")
    assert journal is not None
    journal.rescue(session.accounts.load(account))
    changed(journal.rescue_path, lambda record: record.update(v=2))
    emulator.clear_log()
    with pytest.raises(QwenError, match="newer qwen-portal"):
        qwen_portal.get_access_token("home", force_refresh=True)
    assert emulator.log() == []
