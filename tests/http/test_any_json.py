"""Random JSON of the shape of an answer: PortalClient gives an answer or one of our errors, nothing else."""

import json
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given

from qwen_portal import PortalClient, QwenAPIError, QwenError
from tests.any_json import TRIED, streamed_answers, whole_answers
from tests.http.test_made_whole import summed
from tests.reported import keep_key
from tests.scripted import answering
from tests.ways import HELLO


@pytest.fixture
def given_answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Response]]:
    """Let the host answer with what stands in the list."""
    keep_key()
    answers: list[httpx.Response] = []
    with answering(lambda request: answers.pop(), monkeypatch):
        yield answers


def test_a_whole_answer_is_one_or_a_typed_error(given_answer: list[httpx.Response]) -> None:
    """What comes back can be sent again, which half a character cannot."""
    client = PortalClient(max_retries=0, on_quota="error")

    @TRIED
    @given(whole_answers())
    def ask(response: httpx.Response) -> None:
        given_answer[:] = [response]
        try:
            answer = client.chat(HELLO)
        except QwenError:
            return
        for choice in answer["choices"]:
            assert choice["message"]["role"] == "assistant"
            json.dumps(choice["message"], ensure_ascii=False).encode()
            for made in choice["message"].get("tool_calls", ()):
                assert made["id"]
                assert isinstance(made["function"]["name"] + made["function"]["arguments"], str)

    ask()


def test_a_streamed_answer_is_one_or_a_typed_error(given_answer: list[httpx.Response]) -> None:
    """And it adds up without a look at what might be missing."""
    client = PortalClient(max_retries=0, on_quota="error")

    @TRIED
    @given(streamed_answers())
    def ask(response: httpx.Response) -> None:
        given_answer[:] = [response]
        try:
            chunks = list(client.stream(HELLO))
        except QwenAPIError as exc:
            f"{exc}{exc.partial_text}".encode()
            return
        answer = summed(chunks)
        json.dumps(answer, ensure_ascii=False).encode()
        assert len(answer["usages"]) <= 1

    ask()
