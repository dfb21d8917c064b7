"""``qwen-portal login`` with a key: where it comes from, what its service says of it, how each way leaves."""

import json
from collections.abc import Iterator

import httpx
import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.http import retry
from tests.canaries import KEY, assert_none_in
from tests.cli.program import run
from tests.key_services import key_services
from tests.scripted import answering

NAME = "SOME_PLACE_FOR_A_KEY"
PROGRAMS = ("studio-intl", "qwencloud")
INTERACTIVE = ("token-intl", "coding-intl")


@pytest.fixture(autouse=True)
def asked(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Request]]:
    """Let the emulator answer for the hosts of all plans; give what is asked."""
    monkeypatch.setattr(retry, "_FIRST", 0.0)
    with key_services(emulator, monkeypatch) as requests:
        yield requests


# A key of each beginning at each plan that it is not of, and what else may be wrong: exit code, words, plans named.
OTHER = "This key is not of the plan"
REFUSED = "refused the API key"
WRONG = [
    ("studio", "sk-sp-1", 1, OTHER, INTERACTIVE),
    ("studio-intl", "sk-sp-1", 1, OTHER, INTERACTIVE),
    ("studio-us", "sk-sp-1", 1, OTHER, INTERACTIVE),
    ("studio-hk", "sk-sp-1", 1, OTHER, INTERACTIVE),
    ("studio:ws-1@cn-beijing", "sk-sp-1", 1, OTHER, INTERACTIVE),
    ("qwencloud", "sk-sp-1", 1, OTHER, INTERACTIVE),
    ("token", "sk-ws-1", 1, OTHER, PROGRAMS),
    ("token-intl", "sk-ws-1", 1, OTHER, PROGRAMS),
    ("qwencloud-token", "sk-ws-1", 1, OTHER, PROGRAMS),
    ("coding", "sk-ws-1", 1, OTHER, PROGRAMS),
    ("coding-intl", "sk-ws-1", 1, OTHER, PROGRAMS),
    ("coding", "sk-1", 1, OTHER, PROGRAMS),
    ("coding-intl", "sk-1", 1, OTHER, PROGRAMS),
    ("studio-intl", "sk-bad", 4, REFUSED, ()),
    ("token-intl", "sk-sp-bad", 4, REFUSED, ()),
    ("coding-intl", "sk-sp-bad", 4, REFUSED, ()),
    ("gold", "sk-1", 1, "There is no plan named 'gold'", (*PROGRAMS, *INTERACTIVE)),
    ("studio:ws-1@the-moon", "sk-1", 1, "names no region", ("ap-southeast-1",)),
    ("http://example.com/v1", "sk-1", 1, "only https is accepted", ()),
    ("studio-intl", "sk-1 2", 1, "characters that no key has", ()),
]


@pytest.mark.parametrize(("plan", "key", "code", "words", "named"), WRONG)
def test_a_key_that_cannot_serve_is_not_kept(
    plan: str, key: str, code: int, words: str, named: tuple[str, ...]
) -> None:
    """The error says why and names the plans that it may be of; the key is not repeated."""
    result = run("login", "--plan", plan, "--api-key-stdin", stdin=f"{key}\n")
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr
    assert all(name in result.stderr for name in named)
    assert_none_in(result.output, [key])
    assert ("Terms of token, token-intl" in result.stderr) == (named == INTERACTIVE)
    assert qwen_portal.accounts() == []


def test_a_plan_without_programs_leaves_with_4_and_names_others(emulator: Emulator) -> None:
    """405: the key is good, and of no use here."""
    emulator.scenario("coding-agents-only")
    result = run("login", "--plan", "coding-intl", "--api-key-stdin", stdin=KEY)
    assert result.exit_code == 4
    assert "only available for Coding Agents" in result.stderr
    assert "It is not kept." in result.stderr
    assert "--plan studio-intl" in result.stderr
    assert qwen_portal.accounts() == []


def test_a_key_that_could_not_be_tried_is_kept_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, or while the service is down: exit code 0."""

    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    with answering(nobody, monkeypatch):
        result = run("login", "--plan", "studio-intl", "--api-key-stdin", stdin="sk-mine")
    assert result.exit_code == 0
    assert (
        "The key could not be tried, and is kept all the same: dashscope-intl.aliyuncs.com could not" in result.stderr
    )
    assert qwen_portal.get_access_token() == "sk-mine"


@pytest.mark.parametrize(
    ("options", "code", "said", "kept"),
    [
        ((), 4, "refused the API key", False),
        (("--force",), 0, "refused the key, which is kept all the same", True),
        (("--no-check",), 0, "was not tried", True),
        (("--no-check", "--force"), 0, "was not tried", True),
    ],
)
def test_who_insists_keeps_the_key(options: tuple[str, ...], code: int, said: str, kept: bool) -> None:
    """--force after asking, --no-check without."""
    result = run("login", "--plan", "studio-intl", "--api-key-stdin", *options, stdin="sk-bad")
    assert (result.exit_code, bool(qwen_portal.accounts())) == (code, kept)
    assert said in result.stderr


def test_what_the_service_said_is_in_the_events(emulator: Emulator) -> None:
    """One word for programs, and why in words."""

    def last(key: str, *options: str) -> dict[str, str]:
        result = run("login", "--json", "--plan", "studio-intl", "--api-key-stdin", *options, stdin=key)
        (event,) = map(json.loads, result.stdout.splitlines())
        assert isinstance(event, dict)
        return event

    assert last("sk-mine") == {"kind": "success", "account": "default", "store": "file", "trial": "works"}
    assert last("sk-mine", "--no-check")["trial"] == "unchecked"
    refused = last("sk-bad")
    assert (refused["kind"], refused["trial"]) == ("error", "refused")
    assert "refused the API key" in refused["message"]
    forced = last("sk-bad", "--force")
    assert (forced["kind"], forced["trial"]) == ("success", "refused")
    emulator.scenario("error-500", where="models")
    unknown = last("sk-mine")
    assert (unknown["kind"], unknown["trial"]) == ("success", "unknown")
    assert "HTTP 500" in unknown["message"]


def test_a_key_is_taken_from_the_variable_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name may be any; the variable stays as it is."""
    monkeypatch.setenv(NAME, "  sk-mine ")
    assert run("login", "team", "--plan", "studio-intl", "--api-key-env", NAME).exit_code == 0
    assert qwen_portal.get_access_token("team") == "sk-mine"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_variable_that_is_not_set_is_named(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset, empty or blank: wrong usage."""
    if value is not None:
        monkeypatch.setenv(NAME, value)
    result = run("login", "--plan", "studio-intl", "--api-key-env", NAME)
    assert result.exit_code == 2
    assert f"The variable {NAME}, which --api-key-env names, is not set, or empty." in result.stderr


@pytest.mark.parametrize("key", [KEY, "sk-1", "0123456789abcdef", "abcdefghijkl", ""])
def test_a_key_in_the_place_of_a_name_is_not_repeated(key: str, asked: list[httpx.Request]) -> None:
    """The message says what belongs there."""
    result = run("login", "--plan", "coding-intl", "--api-key-env", key)
    assert result.exit_code == 2
    assert "takes the name of a variable" in result.stderr
    assert not key or key not in result.output
    assert asked == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--api-key-env", NAME), "--api-key-env needs --plan"),
        (("--plan", "studio-intl", "--api-key-env", NAME, "--api-key-stdin"), "not both"),
        (("--plan", "studio-intl"), "--api-key-env"),
        (("--no-check",), "--no-check has no effect for the device sign-in"),
        (("--plan", "oauth", "--force"), "--force has no effect for the device sign-in"),
        (("--plan", "studio-intl", "--api-key-env", NAME, "--no-browser"), "--no-browser has no effect with"),
        (("--plan", "studio-intl", "--api-key-env", NAME, "--no-qr"), "--no-qr has no effect with an API key"),
    ],
)
def test_wrong_usage_says_what_goes_together(
    options: tuple[str, ...],
    said: str,
    asked: list[httpx.Request],
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 2, and nothing is asked of anybody, nor kept."""
    monkeypatch.setenv(NAME, KEY)
    result = run("login", *options)
    assert result.exit_code == 2
    assert (asked, emulator.log(), qwen_portal.accounts()) == ([], [], [])
    assert said in result.stderr
    assert_none_in(result.output)
