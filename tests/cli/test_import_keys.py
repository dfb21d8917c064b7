"""``qwen-portal import`` of API keys: copied, not moved, tried on the way, and never put over another."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.http import retry
from tests.canaries import assert_none_in
from tests.cli.program import at_terminal, read_until, run
from tests.key_services import key_services
from tests.scripted import answering

DASHSCOPE, TOKEN, CODING = "DASHSCOPE_API_KEY", "BAILIAN_TOKEN_PLAN_API_KEY", "BAILIAN_CODING_PLAN_API_KEY"
CODING_CHINA = "https://coding.dashscope.aliyuncs.com/v1"

pytestmark = pytest.mark.usefixtures("qwen")


@pytest.fixture(autouse=True)
def asked(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Request]]:
    """Let the emulator answer for the hosts of all plans; give what is asked."""
    monkeypatch.setattr(retry, "_FIRST", 0.0)
    with key_services(emulator, monkeypatch) as requests:
        yield requests


def settings(folder: Path, *, name: str = "settings.json", **env: str) -> Path:
    """Write the CLI's settings, with keys and with models at the Coding Plan of China."""
    models = [{"id": "qwen3.7-plus", "envKey": CODING, "baseUrl": CODING_CHINA}]
    path = folder / name
    path.write_text(json.dumps({"env": env, "modelProviders": {"openai": models}}, indent=2))
    return path


def kept() -> dict[str, tuple[str, str]]:
    """Return each account's plan and key."""
    return {each.label: (each.plan.name, qwen_portal.get_access_token(each.label)) for each in qwen_portal.accounts()}


def test_keys_are_copied_under_the_names_of_their_plans(qwen: Path, asked: list[httpx.Request]) -> None:
    """The file stays as it is; the account whose plan serves programs is the active one."""
    path = settings(qwen, BAILIAN_CODING_PLAN_API_KEY="sk-sp-1", DASHSCOPE_API_KEY="sk-1")
    before = path.read_bytes()
    result = run("import", "--yes")
    assert result.exit_code == 0
    assert kept() == {"studio-intl": ("studio-intl", "sk-1"), "coding": ("coding", "sk-sp-1")}
    assert [each.label for each in qwen_portal.accounts() if each.active] == ["studio-intl"]
    assert path.read_bytes() == before
    assert_none_in(result.output, ["sk-1", "sk-sp-1"])
    assert f"Copied {CODING} as account 'coding', plan coding. Its service takes the key." in result.stderr
    assert {request.url.host for request in asked} == {"dashscope-intl.aliyuncs.com", "coding.dashscope.aliyuncs.com"}


def test_a_named_file_may_be_one_of_settings(tmp_path: Path) -> None:
    """Whatever it is called."""
    path = settings(tmp_path, name="work.json", DASHSCOPE_API_KEY="sk-1")
    assert run("import", str(path), "--yes").exit_code == 0
    assert kept() == {"studio-intl": ("studio-intl", "sk-1")}


def test_qwen_home_says_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does for the CLI."""
    monkeypatch.setenv("QWEN_HOME", str(tmp_path))
    settings(tmp_path, DASHSCOPE_API_KEY="sk-1")
    assert run("import", "--yes").exit_code == 0
    assert kept() == {"studio-intl": ("studio-intl", "sk-1")}


def test_the_region_that_takes_the_key_is_its_region(qwen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are asked before it, one after the other."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "dashscope-us.aliyuncs.com":
            return httpx.Response(200, json={"data": []})
        return httpx.Response(401, json={"error": {"code": "invalid_api_key", "message": "Incorrect API key"}})

    settings(qwen, DASHSCOPE_API_KEY="sk-1")
    with answering(answer, monkeypatch) as asked:
        assert run("import", "--yes").exit_code == 0
    assert kept() == {"studio-us": ("studio-us", "sk-1")}
    assert [request.url.host.split(".")[0] for request in asked] == ["dashscope-intl", "dashscope", "dashscope-us"]


def test_a_key_that_no_service_takes_is_not_copied(qwen: Path) -> None:
    """Others are; the exit code is that of a refused key."""
    settings(
        qwen, DASHSCOPE_API_KEY="sk-bad", BAILIAN_TOKEN_PLAN_API_KEY="sk-sp-1", BAILIAN_CODING_PLAN_API_KEY="sk-sp-bad"
    )
    result = run("import", "--yes")
    assert result.exit_code == 4
    assert kept() == {"token-intl": ("token-intl", "sk-sp-1")}
    assert f"{DASHSCOPE} was not copied." in result.stderr
    assert f"{CODING} was not copied." in result.stderr
    assert result.stderr.count("refused the API key") == 2


def test_a_plan_that_serves_no_programs_is_not_copied(qwen: Path, emulator: Emulator) -> None:
    """The error is the one of a login."""
    emulator.scenario("coding-agents-only")
    settings(qwen, BAILIAN_CODING_PLAN_API_KEY="sk-sp-1")
    result = run("import", "--yes")
    assert result.exit_code == 4
    assert "--plan studio-intl" in result.stderr
    assert kept() == {}


def test_offline_a_key_whose_plan_is_known_is_copied(qwen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that may be of several is not, and the error names what helps."""

    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    settings(qwen, BAILIAN_CODING_PLAN_API_KEY="sk-sp-1", DASHSCOPE_API_KEY="sk-1")
    with answering(nobody, monkeypatch):
        result = run("import", "--yes")
    assert result.exit_code == 1
    assert kept() == {"coding": ("coding", "sk-sp-1")}
    assert "could not be tried: coding.dashscope.aliyuncs.com could not be reached" in result.stderr
    assert "studio-intl or studio or studio-us or studio-hk or qwencloud could not be found out" in result.stderr
    assert "qwen-portal login --plan PLAN" in result.stderr


def test_a_second_import_copies_nothing_twice(qwen: Path, asked: list[httpx.Request]) -> None:
    """What is here is not asked about."""
    settings(qwen, DASHSCOPE_API_KEY="sk-1")
    run("import", "--yes")
    asked.clear()
    result = run("import", "--yes")
    assert result.exit_code == 0
    assert "Already here: DASHSCOPE_API_KEY is account 'studio-intl'" in result.stderr
    assert asked == []
    assert len(kept()) == 1


def test_an_account_of_that_name_is_not_replaced(qwen: Path) -> None:
    """The newcomer gets another label, and the active account stays so."""
    run("login", "studio-intl", "--plan", "studio-intl", "--api-key-stdin", "--no-check", stdin="sk-mine")
    settings(qwen, DASHSCOPE_API_KEY="sk-1")
    assert run("import", "--yes").exit_code == 0
    assert kept() == {"studio-intl": ("studio-intl", "sk-mine"), "studio-intl-2": ("studio-intl", "sk-1")}
    assert [each.label for each in qwen_portal.accounts() if each.active] == ["studio-intl"]


def test_a_sign_in_beside_the_keys_moves_as_ever(qwen: Path) -> None:
    """The keys are what is answered, so one of them is active."""
    settings(qwen, DASHSCOPE_API_KEY="sk-1")
    sign_in = {"access_token": "a", "refresh_token": "r", "expiry_date": int((time.time() + 3600) * 1000)}
    (qwen / "oauth_creds.json").write_text(json.dumps(sign_in))
    assert run("import", "--yes").exit_code == 0
    assert kept() == {"studio-intl": ("studio-intl", "sk-1"), "default": ("oauth", "a")}
    assert [each.label for each in qwen_portal.accounts() if each.active] == ["studio-intl"]
    assert not (qwen / "oauth_creds.json").exists()


def test_without_a_yes_nothing_is_read_aloud_nor_sent(qwen: Path, asked: list[httpx.Request]) -> None:
    """Where nobody can be asked."""
    settings(qwen, DASHSCOPE_API_KEY="sk-1")
    result = run("import")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert asked == []
    assert kept() == {}


@pytest.mark.usefixtures("unmeasured")
def test_a_person_is_asked_first(qwen: Path) -> None:
    """They see which key is of which plan, or of which it may be; a no leaves all as it is."""
    settings(qwen, DASHSCOPE_API_KEY="sk-1", BAILIAN_CODING_PLAN_API_KEY="sk-sp-1")
    with at_terminal("import") as (program, person):
        shown = read_until(program.stderr, "Copy? [y/N]: ")
        __import__("os").write(person, b"n\n")
        program.communicate()
    assert program.returncode == 2
    assert f"{CODING}, a key of coding; to be copied here" in shown
    assert "a key of studio-intl or studio or studio-us or studio-hk or qwencloud, which are asked in turn" in shown
    assert_none_in(shown, ["sk-1", "sk-sp-1"])
    assert kept() == {}


@pytest.mark.parametrize("text", ["", '{"env": {"DASHSCOPE_API_KEY": "sk-1"', "[]"])
def test_settings_that_cannot_be_read_are_said_so(text: str, qwen: Path) -> None:
    """Nothing is lost: the file stays, and what else is there is imported."""
    path = qwen / "settings.json"
    path.write_text(text)
    alone, named = run("import", "--yes"), run("import", str(path), "--yes")
    assert (alone.exit_code, named.exit_code) == (1, 1)
    assert f"Passed over: {path} cannot be read: it is no JSON object." in alone.stderr
    assert f"{path} cannot be read: it is no JSON object." in named.stderr
    sign_in = {"access_token": "a", "refresh_token": "r", "expiry_date": int((time.time() + 3600) * 1000)}
    (qwen / "oauth_creds.json").write_text(json.dumps(sign_in))
    assert run("import", "--yes").exit_code == 0
    assert kept() == {"default": ("oauth", "a")}
    assert path.read_text() == text


def test_settings_without_a_key_are_nothing_to_import(qwen: Path) -> None:
    """As if they were not there."""
    path = settings(qwen)
    alone, named = run("import", "--yes"), run("import", str(path), "--yes")
    assert (alone.exit_code, named.exit_code) == (1, 1)
    assert "has a sign-in or an API key here" in alone.stderr
    names = f"{DASHSCOPE}, {TOKEN}, {CODING}"
    assert f'{path} has none of {names} in its "env".' in alone.stderr
    assert f"{path} holds no sign-in, and none of the API keys that the qwen CLI keeps." in named.stderr
    assert names in named.stderr


def test_settings_without_a_key_are_no_word_beside_a_sign_in(qwen: Path) -> None:
    """Every CLI has such a file."""
    settings(qwen)
    sign_in = {"access_token": "a", "refresh_token": "r", "expiry_date": int((time.time() + 3600) * 1000)}
    (qwen / "oauth_creds.json").write_text(json.dumps(sign_in))
    result = run("import", "--yes")
    assert result.exit_code == 0
    assert "settings.json" not in result.stderr
    assert kept() == {"default": ("oauth", "a")}


def test_a_key_of_qwencloud_finds_its_plan(qwen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CLI keeps it under Model Studio's name, whose regions do not know it."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "maas.qwencloudapi.com":
            return httpx.Response(200, json={"data": []})
        return httpx.Response(401, json={"error": {"code": "invalid_api_key", "message": "Incorrect API key"}})

    settings(qwen, DASHSCOPE_API_KEY="sk-ws-1")
    with answering(answer, monkeypatch):
        assert run("import", "--yes").exit_code == 0
    assert kept() == {"qwencloud": ("qwencloud", "sk-ws-1")}
