"""No token and no key shows in what a model prints, writes down, traces or raises."""

import json
import logging
import pickle
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd, dumps

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import QwenError
from qwen_portal.emulator import Emulator
from tests.canaries import KEY, assert_none_in, assert_none_in_error
from tests.langchain.ways import ALL, Way


class Listener(BaseCallbackHandler):
    """Keeps all that callbacks are told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        """Keep it."""
        self.told.append((args, kwargs))

    def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        """Keep it."""
        self.told.append((args, kwargs))

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        """Keep it."""
        self.told.append((args, kwargs))

    def on_llm_error(self, *args: Any, **kwargs: Any) -> None:
        """Keep it."""
        self.told.append((args, kwargs))


def _with_key(emulator: Emulator) -> ChatQwenPortal:
    return ChatQwenPortal(model="qwen3-coder-plus", api_key=KEY, base_url=emulator.base_url, max_retries=0)


def test_a_key_works_and_is_written_nowhere(emulator: Emulator) -> None:
    """The key goes to the service; repr, str, dumps, model_dump and the LLM string have nothing of it."""
    model = _with_key(emulator)
    assert model.invoke("What is 2+2?").text == "2+2 = 4"
    assert emulator.chats()[0].headers["authorization"] == f"Bearer {KEY}"
    for text in (repr(model), str(model), dumps(model), json.dumps(dumpd(model)), str(model.model_dump())):
        assert_none_in(text)
    assert_none_in(model._get_llm_string())
    assert_none_in(model._identifying_params)


@pytest.mark.parametrize(
    "mistake",
    [
        {"account": "work"},
        {"plan": "no-such-plan"},
        {"base_url": "http://example.com"},
        {"timeout": 0},
        {"organization": "acme"},
        {"api_key": [KEY]},
    ],
    ids=lambda mistake: next(iter(mistake)),
)
def test_a_mistake_in_the_constructor_shows_no_key(mistake: dict[str, Any]) -> None:
    """An error about one option, or about the key's own type, does not print the key."""
    with pytest.raises((QwenError, ValueError)) as caught:
        ChatQwenPortal(**{"api_key": KEY, **mistake}).invoke("Hi")
    assert_none_in(str(caught.value))
    assert_none_in(repr(caught.value))


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("scenario", [None, "error-500", "quota"])
def test_callbacks_logs_and_errors_hold_no_key(
    ask: Way, scenario: str | None, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether a call succeeds or fails, nothing that is told about it holds the key."""
    caplog.set_level(logging.DEBUG)
    if scenario:
        emulator.scenario(scenario)
    listener = Listener()
    try:
        ask(_with_key(emulator), "Hi", config={"callbacks": [listener]})
    except QwenError as error:
        assert scenario
        assert_none_in_error(error)
    assert listener.told
    assert_none_in(listener.told)
    assert_none_in(caplog.text)


@pytest.mark.parametrize("ask", ALL)
def test_a_sign_in_shows_nowhere(ask: Way, signed_in: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """No token that the service ever issued is in the model, the answer, a callback, the logs or an error."""
    caplog.set_level(logging.DEBUG)
    listener, model = Listener(), ChatQwenPortal(max_retries=0)
    message = ask(model, "Hi", config={"callbacks": [listener]})
    signed_in.revoke(refresh_too=True)
    with pytest.raises(QwenError) as caught:
        ask(model, "Hi", config={"callbacks": [listener]})
    issued = signed_in.issued_tokens()
    assert issued
    for text in (repr(model), dumps(model), pickle.dumps(model), message, listener.told, caplog.text):
        assert_none_in(text, issued)
    assert_none_in_error(caught.value, issued)
