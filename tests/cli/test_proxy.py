"""``qwen-portal proxy``: what it configures, and whom it lets in. The proxy itself is tested in tests/real."""

import os
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml  # type: ignore[import-untyped]
from litellm.proxy import proxy_cli

from qwen_portal.emulator import Emulator
from tests.cli.program import run

KEY = "sk-0123456789abcdef"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without a master key, and forget what a start leaves in the environment."""
    monkeypatch.delenv("LITELLM_MASTER_KEY", raising=False)
    monkeypatch.setenv("LITELLM_CORS_ORIGINS", "")
    monkeypatch.delenv("LITELLM_CORS_ORIGINS")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Stand in for LiteLLM's server; its options are noted."""
    calls: list[dict[str, Any]] = []

    @click.command()
    @click.option("--config")
    @click.option("--host")
    @click.option("--port", type=int)
    def run_server(**options: Any) -> None:
        calls.append(options)

    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", type(sys)("proxy_server"))
    monkeypatch.setattr(proxy_cli, "run_server", run_server)
    return calls


def test_config_only_prints_a_configuration_and_starts_nothing(started: list[dict[str, Any]]) -> None:
    """Both models, a wildcard with a model that its health check can ask, and our handler."""
    result = run("proxy", "--config-only")
    config = yaml.safe_load(result.stdout)
    models = {row["model_name"]: row for row in config["model_list"]}
    assert {name: row["litellm_params"]["model"] for name, row in models.items()} == {
        "coder-model": "qwen-portal/coder-model",
        "vision-model": "qwen-portal/vision-model",
        "qwen-portal/*": "qwen-portal/*",
    }
    assert models["qwen-portal/*"]["model_info"]["health_check_model"] == "qwen-portal/coder-model"
    assert config["litellm_settings"]["custom_provider_map"] == [
        {"provider": "qwen-portal", "custom_handler": "litellm_qwen_portal.handler"}
    ]
    assert result.stderr == ""
    assert not started


@pytest.mark.parametrize(
    ("host", "key", "expected"),
    [
        ("127.0.0.1", "", "dangerously_permit_weak_or_unset_master_key"),
        ("::1", "", "dangerously_permit_weak_or_unset_master_key"),
        ("127.0.0.1", KEY, "master_key"),
        ("0.0.0.0", "", "master_key"),  # noqa: S104 - that is the case
    ],
)
def test_the_master_key_stays_in_its_variable(
    host: str, key: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration names the variable; without a key it opens the proxy to this machine only."""
    if key:
        monkeypatch.setenv("LITELLM_MASTER_KEY", key)
    output = run("proxy", "--host", host, "--config-only").stdout
    general = yaml.safe_load(output)["general_settings"]
    assert set(general) == {"background_health_checks", expected}
    assert KEY not in output


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "proxy.example"])  # noqa: S104 - the cases
def test_others_need_a_master_key(host: str, started: list[dict[str, Any]]) -> None:
    """Without one it does not start where anybody could reach it, and says what to set."""
    result = run("proxy", "--host", host)
    assert result.exit_code == 1
    assert "LITELLM_MASTER_KEY" in result.stderr
    assert not started


def test_with_a_master_key_it_listens_anywhere(
    signed_in: Emulator, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """LiteLLM's own server gets host, port and the file, which only its owner can read."""
    monkeypatch.setenv("LITELLM_MASTER_KEY", KEY)
    result = run("proxy", "--host", "0.0.0.0", "--port", "4321")  # noqa: S104 - that is the case
    assert result.exit_code == 0
    (options,) = started
    path = tmp_path / "state" / "proxy.yaml"
    assert options == {"config": str(path), "host": "0.0.0.0", "port": 4321}  # noqa: S104 - as above
    assert path.stat().st_mode & 0o077 == 0
    assert "master_key: os.environ/LITELLM_MASTER_KEY" in path.read_text("utf-8")
    assert str(path) in result.stderr


def test_a_web_page_cannot_read_from_a_proxy_without_a_key(
    signed_in: Emulator, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM would let every origin in; a user's own choice stays."""
    run("proxy", "--port", "4321")
    assert os.environ["LITELLM_CORS_ORIGINS"] == "http://127.0.0.1:4321"
    monkeypatch.setenv("LITELLM_CORS_ORIGINS", "https://mine.example")
    run("proxy")
    assert os.environ["LITELLM_CORS_ORIGINS"] == "https://mine.example"


def test_it_says_that_nobody_is_signed_in(started: list[dict[str, Any]]) -> None:
    """It starts all the same: the sign-in may come later."""
    result = run("proxy")
    assert result.exit_code == 0
    assert "qwen-portal login" in result.stderr
    assert len(started) == 1


def test_without_its_extra_the_proxy_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is an extra; the error says which."""
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", None)
    result = run("proxy")
    assert result.exit_code == 1
    assert 'pip install "qwen-portal[proxy]"' in result.stderr
