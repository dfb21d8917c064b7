"""``qwen-portal login``: what is shown, what is kept, and how each way out of it leaves."""

import json
import os
import select
import signal
import subprocess

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from tests.canaries import KEY, assert_none_in
from tests.cli.program import PROGRAM, at_terminal, read_until, run, run_program

CODING = ("login", "--plan", "coding-intl", "--api-key-stdin")


@pytest.fixture
def key_service(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Let the emulator stand for the service that is asked whether it takes a key."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    return emulator


def test_a_person_sees_the_page_the_code_and_where_the_sign_in_is_kept(emulator: Emulator) -> None:
    """All talk is on stderr: the warnings, the address, the code, and what to do next."""
    result = run("login", "work")
    assert result.exit_code == 0
    assert result.stdout == ""
    code = next(iter(emulator.state.ledger.device_codes.values())).user_code
    assert f"  {emulator.url}/authorize?user_code={code}&client=qwen-code\n" in result.stderr
    assert f"  {code}\n" in result.stderr
    assert "only if you started this sign-in yourself" in result.stderr
    assert result.stderr.count("2026-04-16") == 1
    assert "Account 'work' is ready, kept in a file." in result.stderr
    assert [account.label for account in qwen_portal.accounts()] == ["work"]


def test_a_plain_file_is_warned_about_each_time(emulator: Emulator) -> None:
    """A sign-in that is not encrypted says so in two lines, at the second time as at the first."""
    for _ in range(2):
        assert run("login").stderr.count("it is not encrypted.") == 1


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("denied", "refused in the browser"),
        ("expired", "expired before the sign-in was confirmed"),
        ("poll-401", "expired before the sign-in was confirmed"),
        ("firewall", "answered with a web page"),
        ("empty", "an empty answer"),
    ],
)
def test_a_sign_in_that_fails_says_why_and_keeps_nothing(emulator: Emulator, scenario: str, said: str) -> None:
    """The exit code is 1, there is a hint, and nobody is signed in."""
    emulator.scenario(scenario)
    result = run("login")
    assert result.exit_code == 1
    assert said in result.stderr
    assert "\nHint: " in result.stderr
    assert "Traceback" not in result.stderr
    assert qwen_portal.accounts() == []


def test_a_failed_sign_in_leaves_the_old_one_alone(signed_in: Emulator) -> None:
    """Whoever is signed in stays so when a second sign-in is denied."""
    signed_in.scenario("denied")
    assert run("login").exit_code == 1
    assert run("token").exit_code == 0


def test_an_unreachable_host_is_a_network_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at the sign-in host's address: exit code 6."""
    monkeypatch.setenv("QWEN_PORTAL_OAUTH_URL", "http://127.0.0.1:1")
    result = run("login")
    assert result.exit_code == 6
    assert "could not be reached" in result.stderr


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.skipif(os.name != "posix", reason="SIGINT is how a POSIX terminal says Ctrl-C")
def test_ctrl_c_cancels_and_keeps_nothing(emulator: Emulator) -> None:
    """Interrupted while waiting for the person, the program leaves with 2 and a word, not a traceback."""
    emulator.scenario("pending")
    with subprocess.Popen([*PROGRAM, "login"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        shown = read_until(program.stderr, "&client=qwen-code\n")
        program.send_signal(signal.SIGINT)
        stdout, rest = program.communicate()
    assert program.returncode == 2
    assert stdout == ""
    assert rest.strip() == "Cancelled."
    assert_none_in(shown + rest, emulator.issued_tokens())
    assert qwen_portal.accounts() == []


def events(text: str) -> list[dict[str, object]]:
    """Read one JSON object a line."""
    return [json.loads(line) for line in text.splitlines()]


def test_json_prints_one_event_a_line(emulator: Emulator) -> None:
    """A program sees the code, the waiting and the success on stdout, and no secret."""
    result = run("login", "--json")
    assert result.exit_code == 0
    assert [event["kind"] for event in events(result.stdout)] == ["device_code", "pending", "success"]
    first, *_, last = events(result.stdout)
    assert str(first["verification_uri"]).startswith(emulator.url)
    assert first["expires_in"] == 900
    assert last == {"kind": "success", "account": "default", "store": "file"}
    assert result.stderr == ""
    assert_none_in(result.output, emulator.issued_tokens())


def test_json_ends_with_an_error_event(emulator: Emulator) -> None:
    """A denied sign-in is an event on stdout as well as a message on stderr."""
    emulator.scenario("denied")
    result = run("login", "--json")
    assert result.exit_code == 1
    assert [event["kind"] for event in events(result.stdout)] == ["device_code", "error"]
    assert "Error: The sign-in was refused" in result.stderr


def test_json_tells_a_failure_before_the_first_event() -> None:
    """A key that cannot be kept is an error event too."""
    result = run(*CODING, "--json", stdin="sk-wrong\n")
    assert [event["kind"] for event in events(result.stdout)] == ["error"]


def test_a_key_is_read_from_stdin_and_kept(key_service: Emulator) -> None:
    """The key becomes an account of its plan, and is shown nowhere."""
    result = run(*CODING, "team", stdin=f"{KEY}\n")
    assert result.exit_code == 0
    assert_none_in(result.output)
    (account,) = qwen_portal.accounts()
    assert (account.label, account.kind, account.plan.name) == ("team", "key", "coding-intl")
    assert qwen_portal.get_access_token() == KEY


@pytest.mark.parametrize("key", ["", "\n", "sk-or-not-of-this-plan\n", f"{KEY} two\n"])
def test_a_key_that_is_none_of_the_plan_is_refused(key: str) -> None:
    """An empty key, a wrong prefix and a key with a blank are told apart from a good one before they are kept."""
    result = run(*CODING, stdin=key)
    assert result.exit_code == 1
    assert "Error: " in result.stderr
    assert not key.strip() or key.strip() not in result.output
    assert qwen_portal.accounts() == []


def test_an_unknown_plan_is_answered_with_the_plans() -> None:
    """The error lists what there is."""
    result = run("login", "--plan", "gold", "--api-key-stdin", stdin=KEY)
    assert result.exit_code == 1
    assert "coding-intl" in result.stderr


def test_without_a_terminal_nothing_is_asked() -> None:
    """A plan without its key, and a key without its plan, are usage errors; neither waits for anybody."""
    no_key, no_plan = run("login", "--plan", "coding", stdin=KEY), run("login", "--api-key-stdin", stdin=KEY)
    assert (no_key.exit_code, no_plan.exit_code) == (2, 2)
    assert "--api-key-stdin" in no_key.stderr
    assert "--plan" in no_plan.stderr


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is a POSIX thing")
def test_at_a_terminal_the_key_is_asked_for_and_not_echoed(key_service: Emulator) -> None:
    """The prompt is on stderr, and what the person types does not come back."""
    with at_terminal("login", "--plan", "coding-intl") as (program, person):
        read_until(program.stderr, "coding-intl: ")
        os.write(person, f"{KEY}\n".encode())
        stdout, stderr = program.communicate()
        echoed, _, _ = select.select([person], [], [], 0)
    assert program.returncode == 0
    assert not echoed
    assert_none_in(stdout + stderr)
    assert qwen_portal.get_access_token() == KEY


def test_without_a_keyring_the_way_out_is_named(emulator: Emulator) -> None:
    """The default store is a keyring; where there is none, exit code 3 and what to set, before any code is asked."""
    keyless = {"QWEN_PORTAL_STORE": "auto", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    result = run_program("login", **keyless)
    assert result.returncode == 3
    assert "no usable keyring" in result.stderr
    assert "QWEN_PORTAL_STORE=file" in result.stderr
    assert emulator.log() == []


def test_insecure_storage_is_a_choice_that_later_commands_know(emulator: Emulator) -> None:
    """Kept in a file by the flag, the sign-in is found without it."""
    keyless = {"QWEN_PORTAL_STORE": "auto", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    result = run_program("login", "--insecure-storage", **keyless)
    assert result.returncode == 0
    assert "not encrypted" in result.stderr
    token = run_program("token", **keyless)
    assert token.stdout.strip() in emulator.issued_tokens()


def test_insecure_storage_keeps_to_the_file_that_is_named(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flag does not move a sign-in away from where QWEN_PORTAL_STORE will look for it."""
    path = tmp_path_factory.mktemp("named") / "token.json"
    monkeypatch.setenv("QWEN_PORTAL_STORE", f"file:{path}")
    assert run("login", "--insecure-storage").exit_code == 0
    assert run("token").stdout.strip() in path.read_text("utf-8")


def test_a_key_in_the_environment_is_mentioned(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever signs in beside QWEN_PORTAL_API_KEY learns that the key still comes first."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding-intl")
    result = run("login")
    assert "QWEN_PORTAL_API_KEY is set" in result.stderr
    assert_none_in(result.output)
