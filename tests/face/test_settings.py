"""Settings: every variable read, checked, and told by name when it is wrong."""

import logging
from pathlib import Path
from typing import Any

import pytest

import qwen_portal
from qwen_portal.errors import QwenError, QwenHostNotAllowedError
from qwen_portal.service.plans import find_plan
from qwen_portal.settings import default_home, load_settings


def test_without_variables_the_documented_defaults_hold() -> None:
    """The table of the README is what the code does."""
    settings = load_settings(environ={})
    assert settings.store == "auto"
    assert settings.oauth_url == "https://chat.qwen.ai"
    assert settings.timeout == 600.0
    assert settings.home == default_home()
    assert (settings.base_url, settings.api_key, settings.account) == (None, None, None)


def test_an_argument_beats_its_variable_and_empty_is_unset() -> None:
    """A variable set to nothing does not hide the default."""
    environ = {"QWEN_PORTAL_TIMEOUT": "5", "QWEN_PORTAL_STORE": "", "QWEN_PORTAL_BASE_URL": "a.example"}
    settings = load_settings(environ=environ, timeout=9, base_url="https://b.example/v1/")
    assert (settings.timeout, settings.store, settings.base_url) == (9.0, "auto", "https://b.example/v1")
    assert load_settings(environ=environ).base_url == "https://a.example"


def test_the_aliases_of_older_tools_work() -> None:
    """QWEN_OAUTH_CLIENT_ID and QWEN_TOKEN_PATH."""
    settings = load_settings(environ={"QWEN_OAUTH_CLIENT_ID": "mine", "QWEN_TOKEN_PATH": "/x/y"})
    assert (settings.client_id, settings.store) == ("mine", "file:/x/y")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QWEN_PORTAL_TIMEOUT", "soon"),
        ("QWEN_PORTAL_TIMEOUT", "-1"),
        ("QWEN_PORTAL_TIMEOUT", "0"),
        ("QWEN_PORTAL_TIMEOUT", "nan"),
        ("QWEN_PORTAL_TIMEOUT", "inf"),
        ("QWEN_PORTAL_TIMEOUT", "1e10"),
        ("QWEN_PORTAL_LOG", "loud"),
        ("QWEN_PORTAL_ALLOWED_HOSTS", "https://x.example/path"),
        ("QWEN_PORTAL_ALLOWED_HOSTS", "http://x.example"),
        ("QWEN_PORTAL_OAUTH_URL", "http://x.example"),
        ("QWEN_PORTAL_BASE_URL", "https://x.example/?a=b"),
        *(("QWEN_PORTAL_REQUEST_LOG", value) for value in ("true", "TRUE", "yes", "on", "no", "Off", "2", "00")),
    ],
)
def test_a_wrong_value_is_told_by_the_variables_name(name: str, value: str) -> None:
    """The message says which variable, the hint what it takes."""
    with pytest.raises(QwenError, match=name) as caught:
        load_settings(environ={name: value})
    assert caught.value.hint


@pytest.mark.parametrize("value", [b"x", ["x"], {"x": 1}], ids=repr)
@pytest.mark.parametrize("name", ["store", "base_url", "client_id", "plan", "on_quota", "timeout", "max_retries"])
def test_an_argument_of_another_type_is_told_by_its_name(name: str, value: Any) -> None:
    """As a wrong value of the right type is, at the client's construction."""
    given: dict[str, Any] = {name: value, "api_key": "sk-1" if name == "plan" else None}
    with pytest.raises(QwenError, match=name.upper() if name == "timeout" else name):
        qwen_portal.PortalClient(**given)


@pytest.mark.parametrize("value", [5, b"x", ["x"]], ids=repr)
def test_a_plan_of_another_type_is_none(value: Any) -> None:
    """At login, too."""
    with pytest.raises(QwenError, match="A plan is a text"):
        qwen_portal.login(plan=value, api_key="sk-1", show=lambda event: None)


def test_a_folder_for_requests_may_have_any_name_that_says_folder() -> None:
    """The error about a word that other programs' switches take says how."""
    with pytest.raises(QwenError) as caught:
        load_settings(environ={"QWEN_PORTAL_REQUEST_LOG": "true", "QWEN_PORTAL_HOME": "/x"})
    assert "1 for /x/logs" in caught.value.hint
    assert "A folder of that name is ./true" in caught.value.hint
    for value in ("./true", "truth", "/tmp/1"):  # noqa: S108 - nothing is written there
        assert load_settings(environ={"QWEN_PORTAL_REQUEST_LOG": value}).request_log == Path(value).absolute()


@pytest.mark.parametrize("name", ["QWEN_PORTAL_OAUTH_URL", "QWEN_PORTAL_BASE_URL"])
def test_plain_http_is_for_this_machine_alone(name: str) -> None:
    """An address typed with http by mistake gets no bearer."""
    with pytest.raises(QwenHostNotAllowedError):
        load_settings(environ={name: "http://portal.qwen.ai"})
    assert load_settings(environ={name: "http://127.0.0.1:9/"})


def test_home_may_start_with_a_tilde() -> None:
    """A path in a .env file is not expanded by a shell."""
    assert load_settings(environ={"QWEN_PORTAL_HOME": "~/q"}).home == Path.home() / "q"


def test_the_log_variable_speaks_for_our_logger_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Transports and frameworks stay as they were."""
    root = logging.getLogger().level
    for _ in range(2):
        load_settings(environ={"QWEN_PORTAL_LOG": "INFO"})
    logging.getLogger("qwen_portal").info("hello")
    assert capsys.readouterr().err.count("hello") == 1
    assert logging.getLogger().level == root


def test_a_plan_of_ones_own_is_an_https_url() -> None:
    """Any OpenAI-compatible Qwen service."""
    assert find_plan("https://llm.example/v1/").base_url == "https://llm.example/v1"
    with pytest.raises(QwenError, match="no plan named"):
        find_plan("gold")


@pytest.mark.parametrize("place", ["moon", "FILE", "files", "keyring:x", "redis://localhost"])
def test_a_place_that_there_is_not_is_an_error_for_every_command(place: str) -> None:
    """A typo must not look at another place; the error lists what there is."""
    with pytest.raises(QwenError, match="no store named") as caught:
        load_settings(environ={"QWEN_PORTAL_STORE": place})
    assert "keyring" in caught.value.hint
