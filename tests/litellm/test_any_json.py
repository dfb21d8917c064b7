"""Random JSON of the shape of an answer: LiteLLM gives a response or one of its own exceptions."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given

from tests.any_json import TRIED, streamed_answers, whole_answers
from tests.litellm.ways import call
from tests.reported import keep_key
from tests.scripted import answering


@pytest.fixture
def given_answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Response]]:
    """Let the host answer with what stands in the list."""
    keep_key()
    monkeypatch.setenv("QWEN_PORTAL_ON_QUOTA", "error")
    answers: list[httpx.Response] = []
    with answering(lambda request: answers.pop(), monkeypatch):
        yield answers


def whole() -> Any:
    """Ask for a whole answer."""
    return call(max_retries=0)


def streamed() -> Any:
    """Ask for a stream and read it."""
    return list(call(max_retries=0, stream=True))


@pytest.mark.parametrize(("way", "responses"), [(whole, whole_answers()), (streamed, streamed_answers())])
def test_an_answer_is_a_response_or_litellms_error(
    way: Callable[[], Any], responses: Any, given_answer: list[httpx.Response]
) -> None:
    """Whole and streamed; every exception of LiteLLM's is one of OpenAI's."""

    @TRIED
    @given(responses)
    def ask(response: httpx.Response) -> None:
        given_answer[:] = [response]
        with contextlib.suppress(openai.OpenAIError):
            assert way()

    ask()
