"""Random JSON of the shape of an answer: ChatQwenPortal gives a message or an error of both worlds."""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from langchain_core.exceptions import ModelError
from langchain_core.messages import convert_to_openai_messages

from langchain_qwen_portal import ChatQwenPortal
from tests.any_json import TRIED, streamed_answers, whole_answers
from tests.langchain.ways import Way, invoke, stream
from tests.reported import keep_key
from tests.scripted import answering


@pytest.fixture
def given_answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Response]]:
    """Let the host answer with what stands in the list."""
    keep_key()
    answers: list[httpx.Response] = []
    with answering(lambda request: answers.pop(), monkeypatch):
        yield answers


@pytest.mark.parametrize(("way", "responses"), [(invoke, whole_answers()), (stream, streamed_answers())])
def test_an_answer_is_a_message_or_a_typed_error(way: Way, responses: Any, given_answer: list[httpx.Response]) -> None:
    """Whole and streamed; the message can be sent again."""
    model = ChatQwenPortal(max_retries=0, on_quota="error")

    @TRIED
    @given(responses)
    def ask(response: httpx.Response) -> None:
        given_answer[:] = [response]
        # every error is of both trees, and LangChain's own pass nowhere
        with contextlib.suppress(ModelError):
            message = way(model, "Hi")
            assert convert_to_openai_messages([message])

    ask()
