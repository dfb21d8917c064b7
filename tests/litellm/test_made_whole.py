"""Answers with holes and streams in odd pieces, as LiteLLM hands them on."""

import json
from typing import Any

import pytest
from litellm import exceptions

from qwen_portal import errors
from qwen_portal.answers.call_arguments import is_object
from tests.litellm.ways import CALLS, WAYS
from tests.reported import REFUSED, Refused, keep_key
from tests.reported_answers import STREAMED, WHOLE, Meant
from tests.scripted import answering

# What the core's class is to LiteLLM; a 403 that is no key's fault is another.
THEIRS: dict[type[errors.QwenError], tuple[type[Exception], ...]] = {
    errors.QwenQuotaExceededError: (exceptions.RateLimitError,),
    errors.QwenRateLimitError: (exceptions.RateLimitError,),
    errors.QwenContentFilterError: (exceptions.ContentPolicyViolationError,),
    errors.QwenContextLengthError: (exceptions.ContextWindowExceededError,),
    errors.QwenBadRequestError: (exceptions.BadRequestError,),
    errors.QwenModelNotFoundError: (exceptions.NotFoundError,),
    errors.QwenServerError: (exceptions.InternalServerError, exceptions.ServiceUnavailableError),
    errors.QwenAuthenticationError: (exceptions.AuthenticationError,),
    errors.QwenPlanNotForProgramsError: (exceptions.AuthenticationError, exceptions.PermissionDeniedError),
}


def cases(table: dict[str, Any]) -> Any:
    """Make parameters of a table, each marked with its source."""
    return [pytest.param(each, id=name, marks=pytest.mark.reported(each.source)) for name, each in table.items()]


def assert_meant(meant: Meant, answer: Any) -> None:
    """Compare an answer with what was meant."""
    assert answer.text == meant.text
    made = answer.tool_calls
    good = [
        (each["name"], json.loads(each["arguments"])) for each in made if each["name"] and is_object(each["arguments"])
    ]
    assert good == list(meant.calls)
    assert len(made) == len(meant.calls) + len(meant.invalid)
    assert all(each["id"] for each in made)
    if meant.usage is not None:
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == meant.usage


@pytest.mark.parametrize("way", ["completion", "acompletion"])
@pytest.mark.parametrize("meant", cases(WHOLE))
def test_a_whole_answer_has_no_holes(meant: Meant, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """litellm#20480, llama.cpp#20198, hermes-agent#90301, aider#3693: see tests/reported_answers.py."""
    keep_key()
    with answering(meant.answer, monkeypatch):
        assert_meant(meant, WAYS[way](max_retries=0))


@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize("meant", cases(STREAMED))
def test_a_stream_adds_up(meant: Meant, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """openclaw#127603, hermes-agent#5254, #8259, langchainjs#11054, aider#3693: see tests/reported_answers.py."""
    keep_key()
    with answering(meant.answer, monkeypatch):
        answer = WAYS[way](max_retries=0)
    assert_meant(meant, answer)
    assert answer.finish_reason == meant.reason


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize("case", cases(REFUSED))
def test_a_refusal_is_litellms(case: Refused, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """hermes-agent#58017, OpenKB#242, guidellm#743, lemonade#2826, langchain#37532, goose#8005; tests/reported.py."""
    keep_key()
    monkeypatch.setenv("QWEN_PORTAL_ON_QUOTA", "error")
    with answering(case.answer, monkeypatch), pytest.raises(THEIRS[case.error]) as caught:
        CALLS[way](max_retries=0)
    assert type(caught.value.__cause__) is case.error
    assert case.words in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_what_litellm_cannot_read_is_typed(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that only LiteLLM looks at, of a type that it does not expect."""
    keep_key()

    def unreadable(*_: Any, **__: Any) -> None:
        raise TypeError("unhashable type")

    monkeypatch.setattr("litellm_qwen_portal.chunks.convert_to_model_response_object", unreadable)
    monkeypatch.setattr("litellm_qwen_portal.chunks.ModelResponseStream", unreadable)
    meant = WHOLE["no role"] if "completion" in way else STREAMED["finish twice"]
    with (
        answering(meant.answer, monkeypatch),
        # LiteLLM's own error for a stream that was begun wraps the one that it got
        pytest.raises(
            (exceptions.InternalServerError, exceptions.MidStreamFallbackError),
            match="LiteLLM cannot read the answer: TypeError",
        ),
    ):
        WAYS[way](max_retries=0)
