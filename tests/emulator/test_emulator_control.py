"""The control surface, the log, the server's life, and the emulator's independence of the client."""

import ast
import errno
import gc
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

import qwen_portal.emulator
from qwen_portal.emulator import SCENARIOS, Emulator, Settings, UnknownScenarioError

if TYPE_CHECKING:
    from .conftest import Person


def test_the_log_holds_every_request_but_control_calls(person: "Person") -> None:
    """Number, place, headers in lower case, the parsed body, the status and the time."""
    person.device()
    person.chat("Hi", key="sk-mine")
    log = person.http.get("/_emulator/log").json()
    assert [(entry["n"], entry["place"], entry["status"]) for entry in log] == [(1, "device", 200), (2, "chat", 200)]
    assert log[0]["body"]["code_challenge_method"] == "S256"
    assert log[1]["body"]["messages"] == [{"role": "user", "content": "Hi"}]
    assert log[1]["headers"]["authorization"] == "Bearer sk-mine"
    assert log[1]["host"] == person.emulator.url.removeprefix("http://")
    assert [entry.as_dict() for entry in person.emulator.log()] == log


def test_the_log_can_be_asked_for_one_place(person: "Person") -> None:
    """Refreshes, polls and chats are told apart."""
    tokens = person.sign_in()
    person.refresh(tokens["refresh_token"])
    person.chat()
    counts = {place: len(person.emulator.log(place)) for place in ("device", "poll", "refresh", "chat")}
    assert counts == {"device": 1, "poll": 1, "refresh": 1, "chat": 1}
    assert len(person.emulator.chats()) == 1


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_a_page_of_another_site_turns_nothing(person: "Person", origin: str) -> None:
    """Its form or script may post here without being asked; the browser says so. The emulator's own page may."""
    turn = {"name": "quota"}
    for path, body in (("/_emulator/scenario", turn), ("/_emulator/reset", {}), ("/v1/chat/completions", {})):
        assert person.http.post(path, json=body, headers={"Origin": origin}).status_code == 403
    assert person.chat(key="sk-mine").status_code == 200
    own = {"Origin": person.emulator.url}
    assert person.http.post("/_emulator/scenario", json=turn, headers=own).status_code == 200


def test_bodies_that_are_no_json_are_logged_as_text(person: "Person") -> None:
    """A garbled chat body is a 400 and stands in the log as it came."""
    answer = person.http.post("/v1/chat/completions", content="{broken", headers={"authorization": "Bearer sk-x"})
    assert answer.status_code == 400
    assert person.emulator.log()[-1].body == "{broken"


def test_another_process_controls_everything_over_http(person: "Person") -> None:
    """Each control call does what the Emulator's method of that name does."""
    control = "/_emulator"
    code = person.device().json()
    person.http.post(f"{control}/approve", json={"user_code": code["user_code"]})
    person.bearer = person.poll(code["device_code"]).json()["access_token"]
    person.http.post(f"{control}/scenario", json={"name": "error-500", "times": 1})
    assert [person.chat().status_code for _ in range(2)] == [500, 200]
    person.http.post(f"{control}/scenario", json={"name": "quota"})
    person.http.post(f"{control}/scenario", json={"name": "quota", "on": False})
    person.http.post(f"{control}/quota", json={"limit": 1, "account": 1})
    assert [person.chat().status_code for _ in range(2)] == [200, 429]
    person.http.post(f"{control}/quota", json={"limit": None, "account": 1})
    person.http.post(f"{control}/revoke")
    assert person.chat().status_code == 401
    assert person.bearer in person.http.get(f"{control}/issued").json()["issued"]
    person.http.post(f"{control}/settings", json={"device_expires_in": 60})
    assert person.device().json()["expires_in"] == 60
    person.http.post(f"{control}/deny")
    before = person.http.post(f"{control}/clock", json={"advance": 0}).json()["now"]
    assert person.http.post(f"{control}/clock", json={"advance": 1_000}).json()["now"] >= before + 1_000
    person.http.post(f"{control}/reset")
    assert person.http.get(f"{control}/log").json() == []
    assert person.device().json()["expires_in"] == 900


@pytest.mark.parametrize(
    ("call", "order", "words"),
    [
        ("scenario", {"name": "nonsense"}, "slow-down-429"),
        ("scenario", {"name": "drop", "where": "nowhere"}, "refresh"),
        ("scenario", {"name": "drop", "times": 0}, "at least 1"),
        ("scenario", {}, "missing 'name'"),
        ("scenario", [], "JSON object"),
        ("settings", {"colour": "red"}, "auto_approve"),
        ("clock", {"advance": "soon"}, "soon"),
        ("quota", {"limit": 1, "account": 7}, "no account 7"),
        ("approve", {"user_code": "NOBODY__"}, "NOBODY__"),
    ],
)
def test_a_bad_control_call_says_what_is_possible(person: "Person", call: str, order: object, words: str) -> None:
    """Unknown names are a 400 that lists the known ones."""
    answer = person.http.post(f"/_emulator/{call}", json=order)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_an_unknown_control_call_lists_the_calls(person: "Person") -> None:
    """A wrong control path is a 404 with the list."""
    answer = person.http.get("/_emulator/nothing")
    assert (answer.status_code, "/_emulator/scenario" in answer.json()["error"]) == (404, True)


def test_every_scenario_is_listed_with_one_sentence(person: "Person") -> None:
    """The control call and the table agree, and each entry reads as a sentence."""
    listed = person.http.get("/_emulator/scenario").json()["scenarios"]
    assert listed == {name: scenario.sentence for name, scenario in SCENARIOS.items()}
    assert all(sentence.endswith(".") for sentence in listed.values())


def test_an_unknown_scenario_or_setting_is_refused_at_the_start() -> None:
    """A typing error in a test fails at once, naming what there is."""
    with pytest.raises(UnknownScenarioError, match="slow-down-429"):
        Emulator(["slow-down"])
    with pytest.raises(ValueError, match="access_life"):
        Emulator(token_life=3)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "192.168.0.1"])
def test_other_hosts_are_refused(person: "Person", host: str) -> None:
    """A web page that points its own name at this machine gets nothing, and is not logged."""
    assert person.http.get("/v1/models", headers={"host": host}).status_code == 403
    assert person.emulator.log() == []


def test_control_calls_must_name_a_loopback_host(person: "Person") -> None:
    """The service's names reach the service through a bridge, but never the controls."""
    assert person.http.get("/_emulator/log", headers={"host": "portal.qwen.ai"}).status_code == 403
    assert person.http.get("/v1/models", headers={"host": "portal.qwen.ai"}).status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "::"])  # noqa: S104 - these must be refused
def test_it_binds_to_loopback_only(host: str) -> None:
    """No other address is accepted."""
    with pytest.raises(ValueError, match="loopback"):
        Emulator(host=host)


def test_a_reset_returns_to_the_start_but_remembers_issued_tokens() -> None:
    """Settings, scenarios and log are as at the start; whoever looks for leaks still knows every token."""
    with Emulator(["firewall"], access_life=5) as emulator:
        url = f"{emulator.url}/api/v1/oauth2/device/code"
        emulator.scenario("firewall", on=False)
        emulator.configure(access_life=9)
        grant = emulator.state.ledger.new_grant()
        issued = emulator.state.ledger.new_refresh_token(grant).value
        httpx.post(url)
        emulator.reset()
        assert emulator.log() == []
        assert emulator.state.settings == Settings(access_life=5)
        assert "aliyun_waf" in httpx.post(url).text
        assert emulator.issued_tokens() == [issued]


def test_it_can_be_started_again_and_stopped_twice() -> None:
    """Stopping is idempotent, and without a running server there is no address."""
    emulator = Emulator()
    for _ in range(2):
        with emulator:
            assert httpx.get(f"{emulator.url}/_emulator/log").json() == []
        emulator.stop()
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.url


def test_who_connects_in_the_moment_of_the_end_is_left_too() -> None:
    """A connection that is still being accepted is closed as the others are, and warns nobody later."""
    left = []
    for _ in range(10):
        with Emulator() as emulator:
            address = httpx.URL(emulator.url)
            clients = [socket.create_connection((address.host, address.port or 0), timeout=10) for _ in range(3)]
        for client in clients:
            left.append(_is_left(client))
            client.close()
    gc.collect()
    assert all(left)


def _is_left(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_port_in_use_is_an_error_at_once() -> None:
    """A taken port raises instead of hanging."""
    with Emulator() as emulator:
        port = int(emulator.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"):
            Emulator(port=port).start()


def test_a_server_that_cannot_start_is_an_error_not_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong in the emulator's thread is raised where it was started."""

    async def fail(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("uvicorn.Server.startup", fail)
    with pytest.raises(OSError, match="Too many open files"):
        Emulator().start()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_its_url_first_and_stops_on_a_signal(number: signal.Signals) -> None:
    """The command's first line is JSON with the URL; a signal ends it with status 0."""
    program = "from qwen_portal.emulator import serve; serve(0, ['ended'], auto_approve=False)"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert "ended" in httpx.get(f"{url}/_emulator/scenario").json()["active"]
        process.send_signal(number)
        assert process.wait(30) == 0


def test_it_shares_no_code_with_the_client() -> None:
    """A judge that imported the client's constants would repeat its mistakes."""
    folder = Path(str(qwen_portal.emulator.__file__)).parent
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            ours = [module for module in modules if module.startswith("qwen_portal")]
            assert all(module.startswith("qwen_portal.emulator") for module in ours), file.name
