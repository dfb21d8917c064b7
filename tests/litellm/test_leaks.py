"""No token in anything that LiteLLM shows to callbacks, logs, or errors."""

import json
import logging
from typing import Any

import litellm
import pytest
from litellm import exceptions
from litellm.integrations.custom_logger import CustomLogger

from qwen_portal.emulator import Emulator
from tests.canaries import KEY, assert_none_in
from tests.litellm.conftest import finish_logging
from tests.litellm.ways import CALLS, TOOL, WAYS


class Dump(CustomLogger):
    """Writes down all that each hook is given."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks: set[str] = set()
        self.text = ""

    def _note(self, hook: str, *given: Any) -> None:
        self.hooks.add(hook)
        self.text += json.dumps(
            given, default=lambda value: [repr(value), getattr(value, "__dict__", "")], skipkeys=True
        )

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        """Before a request."""
        self._note("pre_call", model, messages, kwargs)

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """After an answer."""
        self._note("success", kwargs, response_obj)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """After an error."""
        self._note("failure", kwargs, response_obj)

    def log_stream_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """At a chunk."""
        self._note("stream", kwargs, response_obj)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """After an answer."""
        self._note("async success", kwargs, response_obj)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """After an error."""
        self._note("async failure", kwargs, response_obj)

    async def async_log_stream_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """At a chunk."""
        self._note("async stream", kwargs, response_obj)


@pytest.fixture
def dump(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Dump:
    """Listen to every hook, with LiteLLM as talkative as it gets."""
    caplog.set_level(logging.DEBUG)
    for name in ("LiteLLM", "LiteLLM Router", "qwen_portal"):
        caplog.set_level(logging.DEBUG, name)
    made = Dump()
    monkeypatch.setattr(litellm, "log_raw_request_response", True)
    monkeypatch.setattr(litellm, "callbacks", [made])
    return made


def test_no_hook_and_no_log_line_holds_a_token(
    signed_in: Emulator, dump: Dump, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Success and failure, whole and streamed, sync and async; a refresh on the way."""
    signed_in.revoke()
    for ask in WAYS.values():
        ask(tools=[TOOL])
    signed_in.scenario("error-500")
    for begin in CALLS.values():
        with pytest.raises(exceptions.InternalServerError):
            begin(max_retries=0)
    signed_in.scenario("error-500", on=False)
    signed_in.scenario("cut")
    for way in ("stream", "astream"):
        with pytest.raises(exceptions.MidStreamFallbackError):
            WAYS[way]()
    finish_logging()
    assert dump.hooks >= {"pre_call", "success", "failure", "async success", "async failure"}
    assert "standard_logging_object" in dump.text
    tokens = signed_in.issued_tokens()
    assert len(tokens) >= 5
    for shown in (dump.text, caplog.text, *capfd.readouterr()):
        assert_none_in(shown, tokens)


def test_a_key_from_the_environment_is_nowhere_either(
    emulator: Emulator, dump: Dump, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes into the one header of the request and nowhere else."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    for way in WAYS.values():
        way()
    finish_logging()
    assert_none_in(dump.text)
    assert_none_in(caplog.text)
    assert all(entry.headers["authorization"] == f"Bearer {KEY}" for entry in emulator.chats())
