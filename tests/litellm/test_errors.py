"""What goes wrong, as LiteLLM's exceptions: raised by the call itself, with the hint, and with ours behind them."""

from typing import Any

import pytest
from litellm import exceptions
from openai import OpenAIError

import qwen_portal
from qwen_portal import errors
from qwen_portal.emulator import Emulator
from tests.canaries import assert_none_in_error
from tests.litellm.ways import CALLS

# Scenario, where it strikes, the exception of LiteLLM, ours behind it.
Row = tuple[str, str | None, type[Exception], type[errors.QwenError]]
REFUSALS: list[Row] = [
    ("quota", None, exceptions.RateLimitError, errors.QwenQuotaExceededError),
    ("quota-403", None, exceptions.RateLimitError, errors.QwenQuotaExceededError),
    ("burst", None, exceptions.RateLimitError, errors.QwenRateLimitError),
    ("strict", None, exceptions.BadRequestError, errors.QwenBadRequestError),
    ("input-range", None, exceptions.ContextWindowExceededError, errors.QwenContextLengthError),
    ("moderation", None, exceptions.ContentPolicyViolationError, errors.QwenContentFilterError),
    ("gateway-504", None, exceptions.ServiceUnavailableError, errors.QwenServerError),
    ("html-502", None, exceptions.ServiceUnavailableError, errors.QwenServerError),
    ("error-500", None, exceptions.InternalServerError, errors.QwenServerError),
    ("drop", None, exceptions.APIConnectionError, errors.QwenConnectionError),
    ("firewall", "chat", exceptions.APIConnectionError, errors.QwenConnectionError),
    ("empty", "chat", exceptions.InternalServerError, errors.QwenServerError),
    ("ended", None, exceptions.AuthenticationError, errors.QwenServiceEndedError),
]


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize("row", REFUSALS, ids=[row[0] for row in REFUSALS])
def test_each_refusal_is_raised_by_the_call(signed_in: Emulator, way: str, row: Row) -> None:
    """Whole or streamed, sync or async: LiteLLM's type, the hint in its text, our error as its cause, no token."""
    scenario, where, theirs, ours = row
    signed_in.scenario(scenario, where=where)
    with pytest.raises(theirs) as caught:
        CALLS[way](max_retries=0)
    assert type(caught.value) is theirs
    cause = caught.value.__cause__
    assert isinstance(cause, ours)
    assert str(cause) in str(caught.value)
    assert cause.hint in str(caught.value)
    assert getattr(caught.value, "llm_provider", "") == "qwen-portal"
    assert_none_in_error(caught.value, signed_in.issued_tokens())


@pytest.mark.parametrize("way", CALLS)
def test_a_revoked_token_is_renewed_without_anybody_noticing(signed_in: Emulator, way: str) -> None:
    """One refresh, then the answer."""
    signed_in.revoke()
    CALLS[way]()
    assert len(signed_in.log("refresh")) == 1


@pytest.mark.parametrize("way", CALLS)
def test_a_dead_sign_in_is_an_authentication_error(signed_in: Emulator, way: str) -> None:
    """It names the command that signs in again."""
    signed_in.revoke(refresh_too=True)
    with pytest.raises(exceptions.AuthenticationError, match="qwen-portal login default") as caught:
        CALLS[way]()
    assert isinstance(caught.value.__cause__, errors.QwenRefreshTokenInvalidError)


@pytest.mark.parametrize("way", CALLS)
def test_a_failing_refresh_can_be_tried_again(signed_in: Emulator, way: str) -> None:
    """The sign-in is kept, so it is no authentication error, which a Router would not repeat."""
    signed_in.revoke()
    signed_in.scenario("error-500", where="refresh")
    with pytest.raises(exceptions.ServiceUnavailableError) as caught:
        CALLS[way](max_retries=0)
    assert isinstance(caught.value.__cause__, errors.QwenTokenExpiredError)


@pytest.mark.parametrize("way", CALLS)
def test_nobody_signed_in_names_the_command(emulator: Emulator, way: str) -> None:
    """No request starts a sign-in by itself."""
    with pytest.raises(exceptions.AuthenticationError, match="qwen-portal login") as caught:
        CALLS[way]()
    assert isinstance(caught.value.__cause__, errors.QwenTokenNotAvailableError)
    assert not emulator.log()


@pytest.mark.parametrize("way", CALLS)
def test_an_unknown_model_is_not_found(signed_in: Emulator, way: str) -> None:
    """The hint names the command that lists the models."""
    with pytest.raises(exceptions.NotFoundError, match="qwen-portal models"):
        CALLS[way](model="qwen-portal/no-such-model")


@pytest.mark.parametrize("way", CALLS)
def test_an_empty_message_list_is_a_bad_request(signed_in: Emulator, way: str) -> None:
    """It is refused here and says what is missing."""
    with pytest.raises(exceptions.BadRequestError, match="messages"):
        CALLS[way]([])


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_json_instead_of_a_stream_is_a_server_error(signed_in: Emulator, way: str) -> None:
    """An answer that is no stream is told from a broken one."""
    signed_in.scenario("not-sse")
    with pytest.raises(exceptions.InternalServerError):
        CALLS[way](max_retries=0)


@pytest.mark.parametrize("way", ["completion", "acompletion"])
def test_silence_is_a_timeout(signed_in: Emulator, way: str, over_when_silent: list[float]) -> None:
    """The call ends after its seconds."""
    signed_in.scenario("silence")
    with pytest.raises(exceptions.Timeout, match="QWEN_PORTAL_TIMEOUT") as caught:
        CALLS[way](timeout=30)
    (limit,) = over_when_silent
    assert 10 < limit <= 30
    assert isinstance(caught.value.__cause__, errors.QwenTimeoutError)


def test_a_router_can_read_how_long_to_wait(signed_in: Emulator) -> None:
    """Retry-After is passed on in the response that the exception carries."""
    signed_in.configure(retry_after=7)
    signed_in.scenario("burst")
    with pytest.raises(exceptions.RateLimitError) as caught:
        CALLS["completion"](max_retries=0)
    assert caught.value.response.headers["retry-after"] == "7"


def test_a_forbidden_request_is_told_from_a_bad_token() -> None:
    """403 is LiteLLM's PermissionDeniedError, 401 its AuthenticationError."""
    from litellm_qwen_portal.errors import to_litellm

    made = {status: to_litellm(errors.QwenAuthenticationError("No.", status=status), "m") for status in (401, 403)}
    assert {status: type(error) for status, error in made.items()} == {
        401: exceptions.AuthenticationError,
        403: exceptions.PermissionDeniedError,
    }


def test_every_error_of_the_core_has_its_exception() -> None:
    """No error of the tree falls through, and each text ends with the hint."""
    from litellm_qwen_portal.errors import to_litellm

    names = [name for name in qwen_portal.__all__ if name.endswith("Error")]
    for name in names:
        ours: Any = getattr(errors, name)
        theirs = to_litellm(ours("It failed.", hint="Do this."), "coder-model")
        assert isinstance(theirs, OpenAIError), name
        assert "It failed. Do this." in str(theirs), name
