"""``qwen-portal models``: the catalogue of the account's plan."""

import json
from typing import Any

import httpx
import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.service.models import CATALOGUE, known_ids
from qwen_portal.service.plans import PLANS, find_plan
from tests.canaries import KEY
from tests.cli.program import run
from tests.scripted import answering


def test_json_is_the_catalogue() -> None:
    """What PortalClient.models() returns, under one name, beside the plan and what embeds there."""
    with qwen_portal.PortalClient() as client:
        expected = {"plan": "oauth", "models": client.models(), "embeddings": []}
    assert json.loads(run("models", "--json").stdout) == expected


@pytest.mark.parametrize("plan", [*PLANS, "studio:llm-1@cn-beijing"])
def test_the_table_of_any_plan_fits_a_narrow_terminal(plan: str) -> None:
    """80 columns, whatever stands behind the two ids; who has no account yet may look too."""
    result = run("models", "--plan", plan)
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert f"Plan {plan}: " in result.stderr
    assert ("text-embedding-v4" in result.stderr) is find_plan(plan).embeddings
    assert ("Embeddings: none." in result.stderr) is not find_plan(plan).embeddings


def test_a_person_sees_how_each_thinks_and_who_keeps_to_a_schema() -> None:
    """A switch, efforts, always or not at all; the Token Plan's qwen3.8-max always does."""
    lines = run("models", "--all", "--plan", "token").stdout.splitlines()
    assert lines[0].split()[-2:] == ["THINKS", "SCHEMA"]
    seen = {line.split()[0]: line.split()[-2:] for line in lines[1:]}
    assert set(seen) == set(known_ids())
    assert seen["coder-model"] == ["switch", "yes"]
    assert seen["vision-model"] == ["switch", "no"]
    assert seen["qwen3.8-max"] == ["always", "yes"]
    assert seen["qwen3.8-flash"] == ["efforts", "yes"]
    assert seen["qwen3-coder-plus"] == ["no", "no"]
    rows = {row["id"]: row for row in json.loads(run("models", "--all", "--plan", "studio", "--json").stdout)["models"]}
    assert rows["qwen3.8-max"]["efforts"] == ["low", "medium", "xhigh"]
    assert (rows["qwen3.8-max"]["thinks"], rows["qwen3-max"]["thinks"]) == ("by default", "on request")


def test_a_plan_that_is_not_known_is_told_the_known_ones() -> None:
    """And the service of a plan that is not one's own is not asked."""
    result = run("models", "--plan", "nowhere")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "studio-intl" in result.stderr
    assert run("models", "--remote", "--plan", "studio").exit_code == 2
    assert run("models", "--remote", "--all").exit_code == 2


def test_a_person_reads_what_is_sent_on_their_plan() -> None:
    """The names behind the two ids are those of the plan in use."""
    assert "coder-model   coder-model " in run("models").stdout
    run("login", "--plan", "coding", "--api-key-stdin", "--no-check", stdin=KEY)
    assert "coder-model   qwen3-coder-plus " in run("models").stdout
    assert "text image video" in run("models").stdout


LISTED = ["qwen3.7-plus", "qwen3.8-max", "wan3.0-video"]


def remote(monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    """Run `models --remote` with a key of Model Studio; its service lists three models."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-1")
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "studio-intl")
    body = {"object": "list", "data": [{"id": name} for name in LISTED]}
    with answering(lambda request: httpx.Response(200, json=body), monkeypatch):
        result = run("models", "--remote", *options)
    assert result.exit_code == 0
    return result.stdout


def test_the_services_list_stands_beside_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two ids first, whether what they stand for is offered, then the list with what is known of it."""
    models: list[dict[str, Any]] = json.loads(remote(monkeypatch, "--json"))["models"]
    assert [(model["id"], model["name"], model["offered"]) for model in models] == [
        ("coder-model", "qwen3.7-plus", True),
        ("vision-model", "qwen3.6-plus", False),
        *((name, name, True) for name in LISTED),
    ]
    assert [model["max_output"] for model in models] == [65_536, 8_192, 65_536, 131_072, None]
    assert models[-1] | {"id": "", "name": ""} == {
        "id": "",
        "name": "",
        "context": None,
        "max_output": None,
        "inputs": [],
        "thinking": None,
        "thinks": None,
        "efforts": [],
        "json_schema": None,
        "offered": True,
    }


def test_a_person_sees_what_is_not_offered_and_what_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """One table."""
    lines = [line.split() for line in remote(monkeypatch).splitlines()]
    assert lines[0][-1] == "OFFERED"
    assert lines[2][-1] == "no"
    assert lines[-1] == ["wan3.0-video", "wan3.0-video", *"?????", "yes"]


def test_without_remote_nothing_is_asked(signed_in: Emulator) -> None:
    """The catalogue is on this machine."""
    assert run("models").exit_code == 0
    assert signed_in.log() == []


def test_nobody_signed_in_has_no_service_to_ask() -> None:
    """Exit code 4, as for every command that needs a sign-in."""
    result = run("models", "--remote")
    assert (result.exit_code, result.stdout) == (4, "")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_service_without_a_list_is_named_and_the_catalogue_shown(
    options: tuple[str, ...], signed_in: Emulator
) -> None:
    """It is no failure, and whether a model is offered is not known."""
    signed_in.scenario("no-model-list")
    result = run("models", "--remote", *options)
    assert result.exit_code == 0
    assert f"{signed_in.url.removeprefix('http://')} publishes no list of models" in result.stderr
    assert "`qwen-portal check -m MODEL`" in result.stderr
    if options:
        models = json.loads(result.stdout)["models"]
        shown = [(model["id"], model["offered"]) for model in models]
    else:
        lines = [line.split() for line in result.stdout.splitlines()[1:]]
        shown = [(line[0], {"?": None}[line[-1]]) for line in lines]
    assert shown == [(name, None) for name in dict.fromkeys((*CATALOGUE, *known_ids()))]


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, {"error": {"message": "down"}}, 6),
        (401, {"error": {"code": "invalid_api_key", "message": "Incorrect API key"}}, 4),
        (403, {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}, 5),
        (405, {"error": {"message": "Coding Plan is currently only available for Coding Agents"}}, 4),
    ],
)
def test_a_list_that_could_not_be_had_is_an_error(
    status: int, body: dict[str, Any], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of these says that there is no list."""
    monkeypatch.setattr("qwen_portal.http.retry._FIRST", 0.0)
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-1")
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "studio-intl")
    with answering(lambda request: httpx.Response(status, json=body), monkeypatch):
        result = run("models", "--remote")
    assert (result.exit_code, result.stdout) == (code, "")
    assert "publishes no list" not in result.stderr
