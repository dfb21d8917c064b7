"""``qwen-portal proxy``: what it configures, and whom it lets in. The proxy itself is tested in tests/real."""

import os
import re
import socket
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml  # type: ignore[import-untyped]
from litellm.proxy import proxy_cli

from qwen_portal.cli import proxy
from qwen_portal.cli.proxy_guard import ThisMachineOnly
from qwen_portal.emulator import Emulator
from tests.cli.program import run

KEY = "sk-0123456789abcdef"
PERMISSION = "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"
# before the tests replace it
CHECK_FREE = proxy._check_free


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without a master key, and forget what a start leaves in the environment."""
    monkeypatch.delenv("LITELLM_MASTER_KEY", raising=False)
    for name in ("LITELLM_CORS_ORIGINS", "LITELLM_MODE", PERMISSION):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every port be free: the machine's own are none of these tests' business."""
    monkeypatch.setattr(proxy, "_check_free", lambda host, port: None)


class Application:
    """Stands in for LiteLLM's; what is put around it is noted."""

    def __init__(self) -> None:
        self.around: list[tuple[Any, dict[str, Any]]] = []

    def add_middleware(self, middleware: Any, **options: Any) -> None:
        """Note a middleware."""
        self.around.append((middleware, options))


@pytest.fixture
def application() -> Application:
    """Return what the server would serve."""
    return Application()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, application: Application) -> list[dict[str, Any]]:
    """Stand in for LiteLLM's server; its options are noted."""
    calls: list[dict[str, Any]] = []

    @click.command()
    @click.option("--config")
    @click.option("--host")
    @click.option("--port", type=int)
    @click.option("--num_workers", type=int)
    def run_server(**options: Any) -> None:
        calls.append(options)

    server = type(sys)("proxy_server")
    monkeypatch.setattr(server, "app", application, raising=False)
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", server)
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
    assert "LITELLM_MASTER_KEY" in result.stderr
    assert not started


@pytest.mark.parametrize("key", ["", KEY])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])  # noqa: S104 - the cases
def test_the_master_key_stays_in_its_variable(host: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key or without, for whatever address: a configuration always asks for the variable's key."""
    monkeypatch.setenv("LITELLM_MASTER_KEY", key)
    output = run("proxy", "--host", host, "--config-only").stdout
    general = yaml.safe_load(output)["general_settings"]
    assert general == {
        "background_health_checks": False,
        "health_check_skip_disabled_background_models": True,
        "master_key": "os.environ/LITELLM_MASTER_KEY",
    }
    assert "dangerous" not in output
    assert KEY not in output


@pytest.mark.parametrize("mode", [None, "DEV"])
def test_a_dotenv_of_the_folder_names_no_host_unless_the_user_wants_it(
    mode: str | None, signed_in: Emulator, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM loads one where it develops, which is what it does unless it is told otherwise."""
    if mode is not None:
        monkeypatch.setenv("LITELLM_MODE", mode)
    assert run("proxy").exit_code == 0
    assert len(started) == 1
    assert os.environ["LITELLM_MODE"] == (mode or "PRODUCTION")


@pytest.mark.parametrize("key", [None, ""])
def test_a_run_without_a_key_leaves_no_permission_behind(
    key: str | None,
    signed_in: Emulator,
    started: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """That nobody needs a key is said to this one process; the file that it leaves asks for one."""
    if key is not None:
        monkeypatch.setenv("LITELLM_MASTER_KEY", key)
    result = run("proxy")
    assert result.exit_code == 0
    assert len(started) == 1
    assert os.environ[PERMISSION] == "true"
    assert "LITELLM_MASTER_KEY" not in os.environ
    assert "every program on this machine" in result.stderr
    assert (tmp_path / "state" / "proxy.yaml").read_text("utf-8") == run("proxy", "--config-only").stdout


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "proxy.example"])  # noqa: S104 - the cases
def test_others_need_a_master_key(host: str, started: list[dict[str, Any]]) -> None:
    """Without one it does not start where anybody could reach it, and says what to set."""
    result = run("proxy", "--host", host)
    assert result.exit_code == 1
    assert "LITELLM_MASTER_KEY" in result.stderr
    assert not started


@pytest.mark.parametrize("key", ["", KEY])
def test_it_says_when_it_is_ready_with_a_request_to_try(
    key: str, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before it listens; the request fits the usual terminal, and has a key where one is asked for, unprinted."""
    monkeypatch.setenv("LITELLM_MASTER_KEY", key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    said_before: list[bool] = []
    announced: list[str] = []
    monkeypatch.setattr("qwen_portal.cli.proxy_ready.say", announced.append)

    def run_server(*args: object, **options: object) -> None:
        said_before.append(bool(announced))
        with socket.create_server(("127.0.0.1", port)) as server:
            server.accept()[0].close()

    monkeypatch.setattr(proxy, "_prepare", lambda *args, **options: (type("Server", (), {"main": run_server}), []))
    result = run("proxy", "--port", str(port))
    assert (result.exit_code, said_before) == (0, [False])
    (line,) = announced
    assert re.fullmatch(rf"Ready after \d+\.\d s: http://127\.0\.0\.1:{port}\. Try it:", line)
    assert f"curl http://127.0.0.1:{port}/v1/chat/completions" in result.stderr
    assert ("Bearer $LITELLM_MASTER_KEY" in result.stderr) == bool(key)
    assert KEY not in result.stderr
    assert max(map(len, result.stderr.splitlines())) <= 80


def test_the_price_table_is_not_waited_for_unless_the_user_wants_it(
    signed_in: Emulator, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM would fetch it from the network at each start."""
    for wish, is_local in (("", "True"), ("false", "false")):
        monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", wish)
        if not wish:
            monkeypatch.delenv("LITELLM_LOCAL_MODEL_COST_MAP")
        assert run("proxy").exit_code == 0
        assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == is_local
    assert len(started) == 2


def test_with_a_master_key_it_listens_anywhere(
    signed_in: Emulator,
    started: list[dict[str, Any]],
    application: Application,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """LiteLLM's own server gets host, port and the file, which only its owner can read."""
    monkeypatch.setenv("LITELLM_MASTER_KEY", KEY)
    result = run("proxy", "--host", "0.0.0.0", "--port", "4321")  # noqa: S104 - that is the case
    assert result.exit_code == 0
    (options,) = started
    path = tmp_path / "state" / "proxy.yaml"
    expected = {"config": str(path), "host": "0.0.0.0", "port": 4321, "num_workers": None}  # noqa: S104 - as above
    assert options == expected
    assert not application.around
    assert PERMISSION not in os.environ
    assert path.stat().st_mode & 0o077 == 0
    assert "master_key: os.environ/LITELLM_MASTER_KEY" in path.read_text("utf-8")
    assert str(path) in result.stderr


def test_a_web_page_cannot_read_from_a_proxy_without_a_key(
    signed_in: Emulator, started: list[dict[str, Any]], application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM would let every origin in; a user's own choice stays, and there is one process to guard."""
    run("proxy", "--port", "4321")
    assert os.environ["LITELLM_CORS_ORIGINS"] == "http://127.0.0.1:4321"
    monkeypatch.setenv("LITELLM_CORS_ORIGINS", "https://mine.example")
    run("proxy")
    assert os.environ["LITELLM_CORS_ORIGINS"] == "https://mine.example"
    assert application.around == [
        (ThisMachineOnly, {"origins": ["http://127.0.0.1:4321"]}),
        (ThisMachineOnly, {"origins": ["https://mine.example"]}),
    ]
    assert [options["num_workers"] for options in started] == [1, 1]


def test_the_origin_of_an_ipv6_address_has_brackets(signed_in: Emulator, started: list[dict[str, Any]]) -> None:
    """As browsers write it."""
    run("proxy", "--host", "::1", "--port", "4321")
    assert os.environ["LITELLM_CORS_ORIGINS"] == "http://[::1]:4321"


@pytest.mark.parametrize("key", ["", KEY])
def test_a_port_in_use_is_told_before_the_start(
    key: str, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM would take another one, or end with 0."""
    monkeypatch.setattr(proxy, "_check_free", CHECK_FREE)
    monkeypatch.setenv("LITELLM_MASTER_KEY", key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        result = run("proxy", "--port", str(port))
    assert result.exit_code == 1
    assert str(port) in result.stderr
    assert "Choose another --port." in result.stderr
    assert not started


def test_a_port_that_is_free_is_taken(signed_in: Emulator, started: list[dict[str, Any]]) -> None:
    """Looking leaves it free, on either kind of address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    CHECK_FREE("127.0.0.1", port)
    socket.create_server(("127.0.0.1", port)).close()


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
