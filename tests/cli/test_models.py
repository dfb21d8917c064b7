"""``qwen-portal models``: the catalogue of the account's plan."""

import json

import qwen_portal
from tests.canaries import KEY
from tests.cli.program import run


def test_json_is_the_catalogue() -> None:
    """What PortalClient.models() returns, under one name."""
    with qwen_portal.PortalClient() as client:
        assert json.loads(run("models", "--json").stdout) == {"models": client.models()}


def test_a_person_reads_what_is_sent_on_their_plan() -> None:
    """The names behind the two ids are those of the plan in use."""
    assert "coder-model   coder-model " in run("models").stdout
    run("login", "--plan", "coding", "--api-key-stdin", stdin=KEY)
    assert "coder-model   qwen3-coder-plus " in run("models").stdout
    assert "text, image" in run("models").stdout
