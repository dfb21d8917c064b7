"""No cassette holds a token: not those in the repository, nor those of a recording made now."""

import base64
import re
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from qwen_portal.emulator import Emulator
from tests.cassettes import record
from tests.cassettes.leaks import TokenLeftError, check
from tests.cassettes.record import record_emulator, record_service
from tests.cassettes.scrubbing import Scrubber
from tests.cassettes.stories import ASKING, SIGNING_IN
from tests.cassettes.tape import CASSETTES

A_TOKEN = secrets.token_urlsafe(48)


@dataclass
class Recording:
    """A recording made now.

    Attributes:
        folder: The cassettes.
        issued: Every token that the emulator issued meanwhile.
    """

    folder: Path
    issued: frozenset[str]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Record every story anew."""
    folder = tmp_path_factory.mktemp("cassettes")
    issued = record_emulator(folder)
    return Recording(folder, issued)


def test_cassettes_in_the_repository_hold_nothing_like_a_token() -> None:
    """No token shape, no value of a field that holds secrets, no header beyond the kept ones, no unreadable body."""
    check(CASSETTES)


def test_new_recording_holds_no_token_that_the_emulator_issued(recorded: Recording) -> None:
    """None of the tokens of a recording stands in its files, in any spelling."""
    assert len(recorded.issued) > len(ASKING) * 3
    check(recorded.folder, recorded.issued)


def test_new_recording_is_what_the_repository_holds(recorded: Recording) -> None:
    """Byte for byte; if the wire or a story changed, ``make record`` brings the cassettes up to date."""
    for name in [*SIGNING_IN, *ASKING]:
        path = f"{name}.yaml"
        assert (recorded.folder / path).read_text("utf-8") == (CASSETTES / path).read_text("utf-8"), name


def test_no_cassette_is_left_over(recorded: Recording) -> None:
    """Every cassette belongs to a story, or to LangChain's own suite."""
    ours = {path.relative_to(recorded.folder).as_posix() for path in recorded.folder.rglob("*.yaml")}
    kept = {path.relative_to(CASSETTES).as_posix() for path in CASSETTES.rglob("*.yaml")}
    assert {name for name in kept - ours if "test_stream_time" not in name} == set()
    assert ours <= kept


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param(lambda token: token, id="plain"),
        pytest.param(lambda token: quote(f"{token}="), id="in a form"),
        pytest.param(lambda token: token.encode().hex(), id="hexadecimal"),
        pytest.param(lambda token: base64.b64encode(token.encode()).decode(), id="base64"),
        pytest.param(lambda token: base64.b64encode(f"a:{token}:b".encode()).decode(), id="base64 of more than it"),
        pytest.param(lambda token: base64.urlsafe_b64encode(f":{token}".encode()).decode(), id="base64url"),
        pytest.param(lambda token: f"{token[:20]}\\\n    {token[20:]}", id="folded by YAML"),
        pytest.param(lambda token: f"{token[:20]}\n    {token[20:]}", id="over two lines"),
    ],
)
def test_planted_token_is_found(recorded: Recording, tmp_path: Path, spelled: Any) -> None:
    """An issued token in a copy of a cassette makes the check fail, however spelled; the error does not say it."""
    token = max(recorded.issued, key=len)
    _plant(tmp_path, spelled(token))
    with pytest.raises(TokenLeftError, match=r"invoke\.yaml: a token that was in use") as caught:
        check(tmp_path, recorded.issued)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(A_TOKEN, id="opaque"),
        pytest.param(f"Bearer {A_TOKEN[:24]}", id="bearer"),
        pytest.param(f"sk-sp-{A_TOKEN[:20]}", id="key"),
        pytest.param("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", id="JWT"),
        pytest.param('{"refresh_token": "short"}', id="field of an answer"),
        pytest.param("grant_type=refresh_token&refresh_token=short", id="field of a form"),
        pytest.param('{\\"device_code\\":\\"short\\"}', id="field of JSON in JSON"),
    ],
)
def test_planted_shape_of_a_token_is_found(tmp_path: Path, shape: str) -> None:
    """Also a token that nobody knows is found: one of the real service, say."""
    _plant(tmp_path, shape)
    with pytest.raises(TokenLeftError, match=r"invoke\.yaml: (a \w+ that is no placeholder|something that has)"):
        check(tmp_path)


@pytest.mark.parametrize("header", ["authorization", "Cookie", "set-cookie", "x-forwarded-for"])
def test_planted_header_is_found(tmp_path: Path, header: str) -> None:
    """A header that nobody decided to keep is not kept, whatever is in it."""
    path = _copy(tmp_path)
    text = path.read_text("utf-8")
    path.write_text(text.replace("    headers:\n", f"    headers:\n      {header}:\n      - a\n", 1), "utf-8")
    with pytest.raises(TokenLeftError, match=f"not kept: {header.lower()}"):
        check(tmp_path)


def test_planted_binary_body_is_found(tmp_path: Path) -> None:
    """A body that nobody can read is not let through."""
    path = _copy(tmp_path)
    text = path.read_text("utf-8")
    path.write_text(re.sub(r"string: \|-\n.*", "string: !!binary aGk=", text), "utf-8")
    with pytest.raises(TokenLeftError, match="no text"):
        check(tmp_path)


def test_recorder_that_does_not_scrub_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the scrubbing off, ``make record`` ends in an error and the cassettes in the repository stay as they are."""
    kept = tmp_path / "cassettes"
    shutil.copytree(CASSETTES, kept)
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    monkeypatch.setattr(record, "CASSETTES", kept)
    monkeypatch.setattr(record, "ASKING", {})
    monkeypatch.setattr(Scrubber, "_mask", lambda _, text: text)
    monkeypatch.setattr(sys, "argv", ["record"])
    with pytest.raises(TokenLeftError, match="a token that was in use while recording"):
        record.main()
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before
    assert "Recorded" not in capsys.readouterr().err


def test_recording_with_a_key_holds_no_key(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``--service`` does with a key: the doors are recorded with the user's settings, and without the key."""
    key = f"sk-sp-{A_TOKEN[:32]}"
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", key)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding-intl")
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    record_service(tmp_path)
    assert {entry.headers["authorization"] for entry in emulator.chats()} == {f"Bearer {key}"}
    assert {path.relative_to(tmp_path).with_suffix("").as_posix() for path in tmp_path.rglob("*.yaml")} == set(ASKING)
    assert '"plan": "coding-intl"' in (tmp_path / "source.json").read_text("utf-8")
    check(tmp_path, [key])


def test_recording_with_a_sign_in_leaves_none_behind(emulator: Emulator, tmp_path: Path) -> None:
    """What ``--service`` does without a key: it signs in for the recording alone, and tokens of that are nowhere."""
    emulator.configure(interval=0.01)
    record_service(tmp_path)
    assert (tmp_path / "sign_in" / "refresh.yaml").exists()
    check(tmp_path, emulator.issued_tokens())


def _copy(folder: Path) -> Path:
    return Path(shutil.copy(CASSETTES / "langchain" / "invoke.yaml", folder))


def _plant(folder: Path, text: str) -> None:
    path = _copy(folder)
    path.write_text(f"{path.read_text('utf-8')}planted: |-\n  {text}\n", "utf-8")
