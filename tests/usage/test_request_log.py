"""The request log: one file per request, of its owner alone, without secrets, the newest 1,000."""

import base64
import json
import stat
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

import qwen_portal
from qwen_portal import PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenError
from qwen_portal.recording.request_log import LoggedRequest, RequestLog
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.canaries import ACCESS, ALL, KEY, REFRESH, assert_none_in
from tests.login_never_lost.accounts import sign_in_as
from tests.login_never_lost.programs import programs
from tests.scripted import answering
from tests.usage.counted import ledger
from tests.ways import ALL as WAYS
from tests.ways import HELLO, STREAMED, Way


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a folder for the log."""
    folder = tmp_path / "requests" / "here"
    monkeypatch.setenv("QWEN_PORTAL_REQUEST_LOG", str(folder))
    return folder


def records(folder: Path) -> list[dict[str, Any]]:
    """Return what was logged, in order."""
    qwen_portal.close()
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.iterdir())]


def logged(**known: Any) -> LoggedRequest:
    """Make an entry."""
    standard: dict[str, Any] = {
        "time": time.time(),
        "url": "https://portal.qwen.ai/v1/chat/completions",
        "sent_headers": {},
        "content": b'{"model": "coder-model"}',
        "status": 200,
        "headers": {},
        "facts": {},
        "secrets": (),
    }
    return LoggedRequest(**(standard | known))


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("ask", WAYS)
def test_a_record_holds_the_request_and_what_came_of_it(ask: Way, folder: Path) -> None:
    """The body as it was sent, status, headers, usage and milliseconds; with the ledger off, too."""
    ask()

    (record,) = records(folder)
    assert record["request"]["body"]["messages"] == HELLO
    assert record["request"]["body"]["stream"] == (ask in STREAMED)
    assert record["request"]["url"].endswith("/chat/completions")
    assert record["request"]["headers"]["Content-Type"] == "application/json"
    assert (record["status"], record["outcome"], record["tries"]) == (200, "ok", 1)
    assert record["headers"]["x-request-id"]
    assert record["usage"]["prompt_tokens"] == 10
    assert record["milliseconds"] > 0
    assert (record["account"], record["plan"], record["on_quota"], record["error"]) == ("default", "oauth", None, None)
    assert not ledger().path.exists()


def test_neither_sign_ins_nor_answers_are_logged(emulator: Emulator, folder: Path) -> None:
    """What a record has is written out: no field is an answer's."""
    sign_in_as("default")
    qwen_portal.get_access_token(force_refresh=True)
    answer = PortalClient().chat([{"role": "user", "content": "Say hello to the librarian."}])
    said = answer["choices"][0]["message"]["content"]
    assert "librarian" in said

    (record,) = records(folder)
    assert set(record) == {
        *("time", "request", "status", "headers", "usage", "milliseconds", "first_milliseconds", "tries"),
        *("account", "plan", "on_quota", "outcome", "error"),
    }
    assert "librarian" not in json.dumps({**record, "request": ""})
    assert (len(emulator.log("refresh")), len(emulator.chats())) == (1, 1)


@pytest.mark.parametrize("ask", WAYS)
def test_a_refusal_is_logged_with_what_the_service_said(ask: Way, signed_in: Emulator, folder: Path) -> None:
    """This is what the log is for."""
    signed_in.scenario("moderation")
    with pytest.raises(QwenError) as caught:
        ask()

    (record,) = records(folder)
    assert (record["status"], record["outcome"], record["usage"]) == (400, "QwenContentFilterError", None)
    assert record["error"] == caught.value.message


@pytest.mark.usefixtures("signed_in")
def test_one_means_a_folder_in_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """And 0 means none."""
    folder = Session().settings.home / "logs"
    for value in ("0", "1"):
        assert not folder.exists()
        monkeypatch.setenv("QWEN_PORTAL_REQUEST_LOG", value)
        PortalClient().chat(HELLO)
        qwen_portal.close()

    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def echo(request: httpx.Request) -> httpx.Response:
    """Refuse, and say everything again."""
    bearer = request.headers["authorization"]
    headers = {"set-cookie": f"session={bearer}", "x-echo": bearer, "www-authenticate": bearer}
    return httpx.Response(400, json={"error": {"message": f"no {bearer} {REFRESH}"}}, headers=headers)


@pytest.mark.parametrize("ask", WAYS)
def test_no_secret_is_logged(ask: Way, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the bearer, echoed or in the question, nor a key anywhere in the body, the headers or the address."""
    Session().accounts.signed_in(
        "default", Credential("oauth", "oauth", Secret(ACCESS), Secret(REFRESH), time.time(), time.time() + 3600)
    )
    question = [{"role": "user", "content": f"My key is {KEY}, and Bearer {REFRESH}, and {ACCESS}."}]
    extra = {"metadata": {"api_key": REFRESH, "nested": [{"refresh_token": REFRESH}], "max_tokens": 5}}
    with answering(echo, monkeypatch), pytest.raises(QwenError):
        ask(question, extra_headers={"X-Api-Key": REFRESH, "X-Auth-Token": REFRESH}, **extra)

    (record,) = records(folder)
    # the service's message is a text like any other; what it echoes of ours is masked by value
    record["error"] = record["error"].replace(REFRESH, "")
    assert_none_in(json.dumps(record), ALL)
    assert record["request"]["body"]["metadata"]["max_tokens"] == 5
    assert record["request"]["headers"]["X-Api-Key"] == "****"
    assert record["headers"]["set-cookie"] == "****"


def test_a_key_of_the_environment_is_masked_everywhere(
    emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it was never sent, because nobody listens."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "CANARY-own-key")
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(QwenError):
        PortalClient(max_retries=0).chat([{"role": "user", "content": "CANARY-own-key"}])

    (record,) = records(folder)
    assert (record["status"], record["headers"], record["outcome"]) == (None, {}, "QwenConnectionError")
    assert_none_in(json.dumps(record), ["CANARY-own-key"])


def test_a_picture_is_shortened(folder: Path) -> None:
    """In an address or bare; what is said around it is kept, and a schema's properties are no secrets."""
    picture = "data:image/png;base64," + base64.b64encode(bytes(300)).decode()
    sound = base64.b64encode(bytes(3000)).decode()
    body = {
        "messages": [{"content": [{"image_url": {"url": picture}}, {"text": f"![cat]({picture}) " + "word " * 500}]}],
        "input_audio": {"data": sound},
        "tools": [{"parameters": {"properties": {"password": {"type": "string"}, "author": {"type": "string"}}}}],
    }
    RequestLog(folder).write([logged(content=json.dumps(body).encode())])

    (record,) = records(folder)
    url, text = record["request"]["body"]["messages"][0]["content"]
    assert url["image_url"]["url"].startswith("data:image/png;base64,AAAA")
    assert url["image_url"]["url"].endswith(f"… ({len(picture)} characters)")
    assert text["text"].endswith("characters)) " + "word " * 500)
    assert len(record["request"]["body"]["input_audio"]["data"]) < 100
    assert record["request"]["body"]["tools"] == body["tools"]


_WRITE = """
import sys, time
from pathlib import Path
from qwen_portal.recording.request_log import LoggedRequest, RequestLog
print("ready", flush=True)
sys.stdin.readline()
for _ in range(10):
    batch = [LoggedRequest(time.time(), "https://x", {}, b"{}", 200, {}, {}, ()) for _ in range(30)]
    RequestLog(Path(sys.argv[1])).write(batch)
"""


@pytest.mark.usefixtures("unmeasured")
def test_the_newest_thousand_are_kept_under_eight_writers(folder: Path) -> None:
    """2,400 requests; nothing else is in the folder afterwards, and every file is whole and its owner's alone."""
    with programs(_WRITE, [(str(folder),)] * 8) as writers:
        assert {writer.hear() for writer in writers} == {"ready"}
        for writer in writers:
            writer.say("go")
        assert {writer.end() for writer in writers} == {(0, "", "")}

    paths = list(folder.iterdir())
    assert len(paths) == 1_000
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert all(json.loads(path.read_text("utf-8"))["status"] == 200 for path in paths)


def test_the_oldest_go_first(folder: Path) -> None:
    """By the time of the request."""
    RequestLog(folder).write([logged(time=2_000_000_000.0 + number) for number in range(1_000)])
    RequestLog(folder).write([logged(time=1_900_000_000.0), logged(time=2_100_000_000.0)])

    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 1_000
    assert names[0].startswith("request-20330518T033321")
    assert names[-1].startswith("request-20360718")


def test_files_of_others_are_left_alone(folder: Path) -> None:
    """A folder that somebody names may hold anything, and no name but ours is ever removed."""
    folder.mkdir(parents=True)
    others = ["notes.txt", "request-1.json", "request-20261127T193548123456Z-1-1.json.bak", "zzz"]
    for name in others:
        (folder / name).write_text("mine")
    RequestLog(folder).write([logged() for _ in range(1_005)])

    assert len(list(folder.iterdir())) == 1_000 + len(others)
    assert [(folder / name).read_text() for name in others] == ["mine"] * len(others)


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("ask", WAYS)
def test_a_log_that_cannot_be_written_fails_no_request(
    ask: Way, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning, which names the folder."""
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")
    for _ in range(2):
        assert "4" in ask()
        qwen_portal.close()

    (said,) = (record.getMessage() for record in caplog.records)
    assert said.startswith("requests are not logged: ")
    assert str(folder) in said
    assert said.endswith("name another one in QWEN_PORTAL_REQUEST_LOG. (said once)")
