"""``qwen-portal check``: every account, every known model, and an exit code for the two that matter."""

import json
import time
from typing import Any

import httpx
import pytest

from qwen_portal.account.cool_downs import CoolDown
from qwen_portal.account.record import Account
from qwen_portal.cli import check as check_module
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenContentFilterError, QwenServerError
from qwen_portal.http import transport
from qwen_portal.http.exchange import Exchange
from qwen_portal.session import Session
from tests.canaries import KEY, assert_none_in
from tests.cli.program import run, run_program
from tests.login_never_lost.accounts import sign_in_as
from tests.scripted import answering

KNOWN = [
    "coder-model",
    "vision-model",
    "qwen3-coder-plus",
    "qwen3-coder-flash",
]


def checks(*args: str) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code and what `check --json` says."""
    result = run("check", "--json", *args)
    found: list[dict[str, Any]] = json.loads(result.stdout)["checks"]
    return result.exit_code, found


def test_each_account_is_asked_for_each_known_model(emulator: Emulator) -> None:
    """One small request for each; what the portal does not offer is no failure."""
    sign_in_as("a", "b")
    code, found = checks()
    assert code == 0
    assert [(check["account"], check["model"]) for check in found] == [(a, m) for a in ("a", "b") for m in KNOWN]
    results = [check["result"] for check in found]
    assert results == ["ok"] * 8
    assert all(set(check) == {"account", "model", "result", "seconds", "message"} for check in found)
    assert [entry.account for entry in emulator.chats()] == [1] * 4 + [2] * 4
    assert all(entry.body["max_tokens"] == 16 for entry in emulator.chats())


def test_what_the_plan_lists_and_the_catalogue_knows_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's list has pictures, voices and embeddings too; with -m there is no need of a list."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-1")
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "studio-intl")
    asked: list[str] = []

    def service(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        if request.method == "GET":
            return httpx.Response(200, json={"data": [{"id": "qwen3.8-max"}, {"id": "wan3.0-video"}]})
        message = {"role": "assistant", "content": "ok"}
        return httpx.Response(200, json={"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    with answering(service, monkeypatch):
        _, found = checks()
        assert [check["model"] for check in found] == ["coder-model", "vision-model", "qwen3.8-max"]
        assert asked == ["GET", "POST", "POST", "POST"]
        checks("-m", "coder-model")
    assert asked[4:] == ["POST"]


def test_a_service_without_a_list_is_asked_for_the_two_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """What kept the list away is said, and is no failure by itself."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-1")
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "studio-intl")
    message = {"role": "assistant", "content": "ok"}
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    def service(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if request.method == "GET" else httpx.Response(200, json=answer)

    with answering(service, monkeypatch):
        result = run("check", "--json")
    assert result.exit_code == 0
    assert [check["model"] for check in json.loads(result.stdout)["checks"]] == ["coder-model", "vision-model"]
    assert "no list of models" in result.stderr


def test_named_models_alone_are_asked_for(signed_in: Emulator) -> None:
    """-m may be given repeatedly, with or without the prefix."""
    code, found = checks("-m", "qwen-portal/coder-model", "-m", "qwen3-coder-plus")
    assert (code, [check["result"] for check in found]) == (0, ["ok", "ok"])


def test_a_named_model_that_there_is_not_fails_and_says_which_there_are(emulator: Emulator) -> None:
    """Whoever asks for a model by its name wants to know whether it answers; the list is each account's own."""
    sign_in_as("a", "b")
    result = run("check", "--json", "-m", "coder-model", "-m", "nosuch")
    assert result.exit_code == 1
    assert [check["result"] for check in json.loads(result.stdout)["checks"]] == ["ok", "not offered"] * 2
    for label in "ab":
        assert f"{label}: its service lists {', '.join(KNOWN)}." in result.stderr
    emulator.scenario("no-model-list")
    assert "a: the catalogue has coder-model, vision-model, qwen4-max" in run("check", "-m", "nosuch").stderr


@pytest.mark.parametrize(
    ("scenario", "result"), [("quota", "quota"), ("error-500", "error"), ("ended", "error"), ("moderation", "error")]
)
def test_a_catalogue_model_that_fails_is_exit_code_1(
    scenario: str, result: str, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is beside the result."""
    monkeypatch.setattr("qwen_portal.http.retry._FIRST", 0.0)
    signed_in.scenario(scenario)
    code, found = checks("-m", "vision-model")
    assert (code, found[0]["result"]) == (1, result)
    assert found[0]["message"]


def test_another_model_that_fails_counts_where_it_was_named_alone(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plans differ in what else they offer."""
    ask = check_module._ask

    def fail(session: Session, account: Account, model: str) -> None:
        if model == "qwen3-coder-plus":
            raise QwenServerError("why")
        ask(session, account, model)

    monkeypatch.setattr(check_module, "_ask", fail)
    code, found = checks()
    assert (code, [check["result"] for check in found]) == (0, ["ok", "ok", "error", "ok"])
    code, found = checks("-m", "qwen3-coder-plus")
    assert (code, found[0]["result"]) == (1, "error")


def test_a_spent_account_is_checked_without_another_s_help(emulator: Emulator) -> None:
    """No switching and no short answer: the result is that account's own, for each model; nobody is left alone."""
    sign_in_as("a", "b")
    emulator.set_quota(0, account=1)
    code, found = checks("-m", "coder-model", "-m", "vision-model")
    assert code == 1
    assert [check["result"] for check in found] == ["quota", "quota", "ok", "ok"]
    assert [(entry.account, entry.status) for entry in emulator.chats()] == [(1, 429), (1, 429), (2, 200), (2, 200)]
    assert all(account.cool_downs == () for account in Session().list())


def test_a_cool_down_is_no_answer(emulator: Emulator) -> None:
    """What the service says now is what is asked for; the cool-down stays as it was."""
    sign_in_as("a")
    Session().exhaust(Session().choose("a"), CoolDown(time.time() + 1800))
    before = Session().choose("a").cool_downs
    code, found = checks("-m", "coder-model")
    assert (code, found[0]["result"]) == (0, "ok")
    assert Session().choose("a").cool_downs == before


def test_an_error_s_row_says_what_to_do(signed_in: Emulator) -> None:
    """The hint is part of it."""
    signed_in.scenario("moderation")
    _, found = checks("-m", "coder-model")
    assert found[0]["message"].endswith(QwenContentFilterError.default_hint)


def test_an_account_that_cannot_be_used_is_a_row_like_any_other(emulator: Emulator) -> None:
    """The others are checked all the same."""
    sign_in_as("a", "b")
    with Session().accounts.editing("b") as entry:
        entry.plan = "premium"
    _, found = checks("-m", "coder-model")
    assert [check["result"] for check in found] == ["ok", "error"]
    assert "unknown plan 'premium'" in found[1]["message"]


def test_what_an_account_suffers_from_is_told_once(signed_in: Emulator) -> None:
    """Not once more for each model, nor by a list that is not to be had, nor by the log."""
    for scenario in ("ended", "no-model-list"):
        signed_in.scenario(scenario)
    done = run_program("check")
    assert done.returncode == 1
    assert [line.split()[2] for line in done.stdout.splitlines()[1:]] == ["error", "not"]
    assert done.stdout.count("2026-04-16") == 1
    assert "failed after refresh" not in done.stderr
    assert len(signed_in.chats()) == 2


def test_an_account_that_cannot_ask_is_asked_once_and_the_next_all_the_same(emulator: Emulator) -> None:
    """One error per account, whatever the number of models."""
    sign_in_as("a", "b")
    with Session().accounts.editing("a") as entry:
        entry.plan = "premium"
    code, found = checks("-m", "coder-model", "-m", "vision-model")
    assert code == 1
    assert [check["result"] for check in found] == ["error", "not asked", "ok", "ok"]
    assert [bool(check["message"]) for check in found] == [True, False, False, False]


def test_a_host_that_is_not_there_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next model would not be answered either."""
    monkeypatch.setattr("qwen_portal.http.retry._FIRST", 0.0)
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding")
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", "http://127.0.0.1:1/v1")
    result = run("check", "--json")
    found = json.loads(result.stdout)["checks"]
    assert [check["result"] for check in found] == ["error", "not asked"]
    assert "no list of models" not in result.stderr


def test_a_model_named_twice_is_asked_once(signed_in: Emulator) -> None:
    """With the prefix and without."""
    _, found = checks("-m", "coder-model", "-m", "gpt-4", "-m", "qwen-portal/coder-model")
    assert [check["model"] for check in found] == ["coder-model", "gpt-4"]


@pytest.mark.parametrize("name", ["", " ", "qwen-portal/"])
def test_a_model_without_a_name_is_wrong_usage(name: str, signed_in: Emulator) -> None:
    """Nothing is asked."""
    result = run("check", "-m", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "a model needs a name" in result.stderr
    assert signed_in.chats() == []


def test_no_answer_is_waited_for_longer_than_a_minute(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever QWEN_PORTAL_TIMEOUT allows a long answer."""
    limits: list[float] = []
    send = transport.send

    def note(exchange: Exchange) -> dict[str, Any]:
        limits.append(exchange.timeout)
        return send(exchange)

    monkeypatch.setattr(check_module, "send", note)
    checks("-m", "coder-model")
    assert limits == [60.0]


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_prints_what_was_found_until_then(
    as_json: bool, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stdout, as always; the exit code is that of a cancelled command."""
    sign_in_as("a", "b")
    send = transport.send

    def interrupted(exchange: Exchange) -> dict[str, Any]:
        if emulator.chats():
            raise KeyboardInterrupt
        return send(exchange)

    monkeypatch.setattr(check_module, "send", interrupted)
    result = run("check", "-m", "coder-model", *(["--json"] if as_json else []))
    assert result.exit_code == 2
    if as_json:
        assert [check["account"] for check in json.loads(result.stdout)["checks"]] == ["a"]
    else:
        assert [line.split()[:3] for line in result.stdout.splitlines()[1:]] == [["a", "coder-model", "ok"]]


def test_a_person_gets_a_bar_and_a_table(signed_in: Emulator) -> None:
    """The bar is talk, the table is data."""
    done = run_program("check", "-m", "coder-model")
    assert done.returncode == 0
    assert "Checking" in done.stderr
    assert done.stdout.splitlines()[0].split() == ["ACCOUNT", "MODEL", "RESULT", "TIME", "WHY"]
    assert done.stdout.splitlines()[1].split()[:3] == ["default", "coder-model", "ok"]


def test_nobody_signed_in_is_exit_code_4() -> None:
    """There is nothing to check."""
    result = run("check")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "qwen-portal login" in result.stderr


def test_a_key_from_the_environment_is_checked_too(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under its name, without showing it."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding")
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    code, found = checks("-m", "coder-model")
    assert (code, found[0]["account"], found[0]["result"]) == (0, "env", "ok")
    assert_none_in(run("check").output)
