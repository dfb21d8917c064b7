"""Errors: at home in both worlds, with the core's facts and hint, in all four ways."""

import pickle
from typing import Any

import pytest
from langchain_core import exceptions as langchain
from langchain_core.language_models import FakeListChatModel

from langchain_qwen_portal import ChatQwenPortal
from langchain_qwen_portal.errors import translated
from qwen_portal import errors as qwen
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ALL, STREAMED, Way, invoke

SCENARIOS = {
    "quota": (qwen.QwenQuotaExceededError, langchain.ModelRateLimitError, False),
    "burst": (qwen.QwenRateLimitError, langchain.ModelRateLimitError, True),
    "ended": (qwen.QwenServiceEndedError, langchain.ModelAuthenticationError, False),
    "input-range": (qwen.QwenContextLengthError, langchain.ContextOverflowError, False),
    "moderation": (qwen.QwenContentFilterError, langchain.ModelInvalidRequestError, False),
    "error-500": (qwen.QwenServerError, langchain.ModelAPIError, True),
}


def _failure(ask: Way, *args: Any, **kwargs: Any) -> Any:
    with pytest.raises(qwen.QwenError) as caught:
        ask(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_refusal_is_an_error_of_both_worlds(ask: Way, scenario: str, signed_in: Emulator) -> None:
    """Either class catches it, LangChain knows if a retry helps, and the text says what to do."""
    ours, theirs, retryable = SCENARIOS[scenario]
    signed_in.scenario(scenario)
    error = _failure(ask, ChatQwenPortal(max_retries=0), "Hi")
    assert isinstance(error, ours)
    assert isinstance(error, theirs)
    assert error.is_retryable is retryable
    assert error.hint
    assert error.hint in str(error)
    assert type(error.__cause__) is ours
    assert (error.status, error.code) == (error.__cause__.status, error.__cause__.code)


@pytest.mark.parametrize("ask", ALL)
def test_nobody_signed_in_names_the_command(ask: Way, emulator: Emulator) -> None:
    """Without an account a call fails at once with the command that helps; constructing does not."""
    error = _failure(ask, ChatQwenPortal(), "Hi")
    assert isinstance(error, qwen.QwenTokenNotAvailableError)
    assert isinstance(error, langchain.ModelAuthenticationError)
    assert "qwen-portal login" in str(error)
    assert not emulator.log()


@pytest.mark.parametrize("ask", ALL)
def test_an_unknown_model_is_not_found(ask: Way, signed_in: Emulator) -> None:
    """A model that the service does not offer."""
    error = _failure(ask, ChatQwenPortal(model="no-such-model"), "Hi")
    assert isinstance(error, qwen.QwenModelNotFoundError)
    assert isinstance(error, langchain.ModelNotFoundError)


@pytest.mark.parametrize("ask", ALL)
def test_no_messages_are_refused_here(ask: Way, signed_in: Emulator) -> None:
    """An empty list costs no request."""
    error = _failure(ask, ChatQwenPortal(), [])
    assert isinstance(error, qwen.QwenBadRequestError)
    assert isinstance(error, langchain.ModelInvalidRequestError)
    assert not signed_in.chats()


@pytest.mark.parametrize("ask", ALL)
def test_nobody_there_is_a_connection_error(ask: Way, signed_in: Emulator) -> None:
    """A port where nothing listens."""
    error = _failure(ask, ChatQwenPortal(base_url="http://127.0.0.1:9/v1", api_key="sk-x", max_retries=0), "Hi")
    assert isinstance(error, qwen.QwenConnectionError)
    assert isinstance(error, langchain.ModelConnectionError)


@pytest.mark.parametrize("ask", STREAMED)
@pytest.mark.parametrize(
    ("scenario", "ours", "theirs"),
    [
        ("cut", qwen.QwenStreamError, langchain.ModelAPIError),
        ("reset", qwen.QwenStreamError, langchain.ModelAPIError),
        ("error-frame", qwen.QwenAPIError, langchain.ModelAPIError),
        ("error-finish", qwen.QwenRateLimitError, langchain.ModelRateLimitError),
        ("silence", qwen.QwenTimeoutError, langchain.ModelTimeoutError),
    ],
)
@pytest.mark.usefixtures("over_when_silent")
def test_a_broken_stream_keeps_what_came(
    ask: Way, scenario: str, ours: type[Exception], theirs: type[Exception], signed_in: Emulator
) -> None:
    """Trouble in the middle of an answer is typed, and the text received so far is in the error."""
    signed_in.scenario(scenario)
    error = _failure(ask, ChatQwenPortal(), "Count to 30")
    assert {ours, theirs} <= set(type(error).__mro__)
    assert error.partial_text.startswith("1")
    assert error.partial_text == error.__cause__.partial_text


def test_a_broken_stream_gave_its_chunks_first(signed_in: Emulator) -> None:
    """What arrived before the break was handed on."""
    signed_in.scenario("cut")
    received: list[str] = []
    with pytest.raises(qwen.QwenStreamError) as caught:
        received.extend(chunk.text for chunk in ChatQwenPortal().stream("Count to 30"))
    assert "".join(received) == caught.value.partial_text


def _tree(root: type[qwen.QwenError]) -> list[type[qwen.QwenError]]:
    below = [cls for child in root.__subclasses__() if child.__module__ == root.__module__ for cls in _tree(child)]
    return [root, *below]


@pytest.mark.parametrize("cls", _tree(qwen.QwenError), ids=lambda cls: str(cls.__name__))
def test_every_error_of_the_core_has_its_twin(cls: type[qwen.QwenError]) -> None:
    """No class of the core's tree escapes untranslated, and each survives pickling as both."""
    cause = cls("It broke.", hint="Mend it.", kind="firewall")
    with pytest.raises(cls) as caught, translated():
        raise cause
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):  # noqa: S301 - our own bytes
        assert str(error) == "It broke. Mend it."
        assert (error.hint, error.kind, error.exit_code) == ("Mend it.", "firewall", cls.exit_code)
        assert issubclass(type(error), langchain.ModelError)
        assert type(error) is type(caught.value)
    assert caught.value.__cause__ is cause


def test_forbidden_is_told_apart_from_unauthorized() -> None:
    """A 403 is LangChain's permission error, a 401 its authentication error."""
    with pytest.raises(langchain.ModelPermissionDeniedError), translated():
        raise qwen.QwenAuthenticationError("No.", status=403)
    with pytest.raises(langchain.ModelAuthenticationError), translated():
        raise qwen.QwenAuthenticationError("No.", status=401)


def test_a_foreign_error_passes_untouched() -> None:
    """What is not the core's is not translated."""
    with pytest.raises(ZeroDivisionError), translated():
        _ = 1 / 0


def test_a_bad_setting_fails_at_construction(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with an impossible value is named before any call."""
    monkeypatch.setenv("QWEN_PORTAL_TIMEOUT", "soon")
    with pytest.raises(langchain.ModelError, match="QWEN_PORTAL_TIMEOUT"):
        ChatQwenPortal()


def test_another_model_can_step_in(signed_in: Emulator) -> None:
    """with_fallbacks catches LangChain's class and goes on."""
    signed_in.scenario("quota")
    model = ChatQwenPortal(max_retries=0).with_fallbacks(
        [FakeListChatModel(responses=["I step in."])], exceptions_to_handle=(langchain.ModelRateLimitError,)
    )
    assert invoke(model, "Hi").text == "I step in."


def test_a_retry_can_be_asked_for_by_langchains_class(signed_in: Emulator) -> None:
    """with_retry repeats what LangChain calls a rate limit."""
    signed_in.scenario("burst", times=1)
    model = ChatQwenPortal(max_retries=0).with_retry(
        retry_if_exception_type=(langchain.ModelRateLimitError,), wait_exponential_jitter=False
    )
    assert invoke(model, "What is 2+2?").text == "2+2 = 4"
