"""The demo shows the whole way, and fails if the emulator did not see it."""

import os
from typing import Any

import pytest
from click.testing import CliRunner

from qwen_portal.cli import demo
from qwen_portal.cli.root import cli
from qwen_portal.emulator import LogEntry, Place
from qwen_portal.errors import QwenError


@pytest.mark.long
# LiteLLM looks at every attribute of a stream's last chunk, two that pydantic wants read from the class among them.
@pytest.mark.filterwarnings(
    r"ignore:Accessing the 'model_\w*fields' attribute on the instance:pydantic.warnings.PydanticDeprecatedSince211"
)
def test_the_demo_runs_and_leaves_the_users_settings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is seen, nothing of the user's environment is used or changed."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", "https://elsewhere.example/v1")
    before = dict(os.environ)
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 0, result.output
    assert "NO " not in result.output
    assert result.output.count("  yes  ") == 8
    assert dict(os.environ) == before


def entry(path: str = "/v1/chat/completions", *, stream: bool = False, role: str = "user", text: str = "") -> LogEntry:
    """Make a log entry of the emulator."""
    body: Any = {"stream": stream, "messages": [{"role": role, "content": text}]}
    made = LogEntry(1, 0.0, "POST", path, "127.0.0.1", {}, body, Place.CHAT)
    made.status, made.finished = 200, True
    return made


def log() -> dict[str, list[LogEntry]]:
    """Make the log of a demo that went well."""
    return {
        "sign in": [entry("/api/v1/oauth2/device/code"), entry("/api/v1/oauth2/token")],
        "tool": [entry(), entry(role="tool")],
        "LangChain stream": [entry(stream=True)],
        "image": [entry(text="image_url")],
        "LiteLLM": [entry()],
        "LiteLLM stream": [entry(stream=True)],
    }


def test_a_log_that_shows_everything_passes() -> None:
    """The stand-in log below is a good one, so that each gap made in it is what fails."""
    demo._judge(log())


@pytest.mark.parametrize(
    ("step", "left", "named"),
    [
        ("sign in", [entry("/api/v1/oauth2/token")], "a device code"),
        ("sign in", [entry("/api/v1/oauth2/device/code")], "a token"),
        ("tool", [entry()], "a tool round trip"),
        ("LangChain stream", [entry()], "a streamed chat from LangChain"),
        ("image", [entry()], "an image part"),
        ("LiteLLM", [], "a chat from LiteLLM"),
        ("LiteLLM stream", [], "a streamed chat from LiteLLM"),
    ],
)
def test_a_gap_in_the_log_fails_the_demo(step: str, left: list[LogEntry], named: str) -> None:
    """The error, exit code 1, names what the emulator did not see."""
    with pytest.raises(QwenError, match=named) as caught:
        demo._judge(log() | {step: left})
    assert caught.value.exit_code == 1
