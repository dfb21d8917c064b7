"""Whoever is not signed in is told the command for what this machine has; nothing of it is taken."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import litellm
import pytest

import litellm_qwen_portal
import qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.errors import QwenTokenNotAvailableError
from qwen_portal.service.plans import PLANS
from tests.canaries import assert_none_in
from tests.cli.program import run
from tests.scripted import answering

COMMAND = "`qwen-portal login --plan studio-intl --api-key-env DASHSCOPE_API_KEY`"
QUESTION = [{"role": "user", "content": "Hello"}]

pytestmark = pytest.mark.usefixtures("qwen")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Request]]:
    """Let every request be seen, and none be answered."""

    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody", request=request)

    with answering(nobody, monkeypatch) as requests:
        yield requests


def hint() -> str:
    """Return the hint of a call that nobody's sign-in could serve."""
    with pytest.raises(QwenTokenNotAvailableError) as caught:
        qwen_portal.get_access_token()
    return caught.value.hint


def settings(folder: Path, record: object) -> Path:
    """Write the CLI's settings."""
    path = folder / "settings.json"
    path.write_text(json.dumps(record))
    return path


def test_without_anything_it_is_the_sign_in() -> None:
    """As ever."""
    assert hint() == "Run `qwen-portal login`."


def test_a_key_in_the_variable_of_model_studio_is_named(
    monkeypatch: pytest.MonkeyPatch, asked: list[httpx.Request]
) -> None:
    """In the error, in `status` and in `doctor`; it is not used, nor shown."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-theirs")
    assert COMMAND in hint()
    for command in ("status", "doctor", "token"):
        result = run(command)
        assert COMMAND in result.output, command
        assert_none_in(result.output, ["sk-theirs"])
    assert run("status").exit_code == 4
    with pytest.raises(QwenTokenNotAvailableError, match="api-key-env DASHSCOPE_API_KEY"):
        qwen_portal.PortalClient().chat(QUESTION)
    assert not [request for request in asked if "authorization" in request.headers]


def test_both_doors_name_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hint is the same at each of them."""
    litellm_qwen_portal.register()
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-theirs")
    with pytest.raises(QwenTokenNotAvailableError, match="api-key-env DASHSCOPE_API_KEY"):
        ChatQwenPortal().invoke("Hello")
    with pytest.raises(litellm.exceptions.AuthenticationError, match="api-key-env DASHSCOPE_API_KEY"):
        litellm.completion(model="qwen-portal/coder-model", messages=QUESTION)


def test_a_command_that_is_named_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands; then nothing is said any more."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-theirs")
    command = hint().split("`")[1].split()[1:]
    assert run(*command).exit_code == 0
    assert qwen_portal.get_access_token() == "sk-theirs"
    assert "DASHSCOPE" not in run("status").output


def test_a_key_of_another_plan_is_named_with_its_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command would be refused otherwise."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-sp-theirs")
    said = hint()
    assert "login --plan token-intl --api-key-env DASHSCOPE_API_KEY" in said
    assert "its plan may be another: token, qwencloud-token, coding, coding-intl" in said
    for plan in ("token-intl", "coding-intl"):
        terms = PLANS[plan].terms
        assert f"{plan}{', qwencloud-token' * (plan == 'token-intl')}: {terms[0].lower()}{terms[1:]}" in said


def test_of_plans_that_serve_programs_no_terms_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to heed."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-theirs")
    assert hint().endswith(").")


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable_is_none(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some set it so."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", value)
    assert "DASHSCOPE" not in hint()


def test_keys_in_the_settings_of_the_cli_are_named(qwen: Path) -> None:
    """They are not taken."""
    path = settings(qwen, {"env": {"BAILIAN_CODING_PLAN_API_KEY": "sk-sp-theirs"}})
    for command in ("status", "doctor", "token"):
        result = run(command)
        assert "`qwen-portal import` to copy the API keys in " in result.output, command
        assert_none_in(result.output, ["sk-sp-theirs"])
    assert str(path) in hint()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"env": {"OTHER": "x"}}', "[" * 100_000])
def test_settings_that_hold_none_are_not_mentioned(text: str, qwen: Path) -> None:
    """Nor do broken ones keep anybody from the error that they are to see."""
    (qwen / "settings.json").write_text(text)
    assert hint() == "Run `qwen-portal login`."


def test_all_ways_are_named(qwen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys first: the sign-in's service has ended."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-theirs")
    settings(qwen, {"env": {"BAILIAN_CODING_PLAN_API_KEY": "sk-sp-theirs"}})
    (qwen / "oauth_creds.json").write_text("{}")
    said = hint()
    assert said.index("DASHSCOPE_API_KEY") < said.index("settings.json") < said.index("oauth_creds.json")
    assert "`qwen-portal login`," not in said


def test_whoever_is_signed_in_is_told_nothing_unless_they_ask(qwen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others have is theirs; doctor looks for it, and finds no fault in it."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-theirs")
    settings(qwen, {"env": {"BAILIAN_CODING_PLAN_API_KEY": "sk-sp-theirs"}})
    run("login", "--plan", "studio-intl", "--api-key-stdin", "--no-check", stdin="sk-mine")
    assert "import" not in run("status").output
    assert "DASHSCOPE" not in run("status").output
    found = run("doctor").output
    told = [line for line in found.splitlines() if "DASHSCOPE_API_KEY" in line or "qwen-portal import" in line]
    assert told
    assert all(line.startswith("ok ") for line in told)
    assert "theirs" not in found
    assert qwen_portal.get_access_token() == "sk-mine"
