"""Answers that the emulator does not give: other statuses, headers about limits, and what a key's plan gets."""

import json
from typing import Any

import httpx
import pytest
from litellm import exceptions

from qwen_portal import errors
from tests.canaries import KEY, assert_none_in
from tests.litellm.test_accounts import LITELLM
from tests.litellm.ways import CALLS, WAYS
from tests.scripted import answering

PLAN: dict[str, Any] = {"api_key": KEY, "qwen_plan": "coding"}
LIMITS = {"x-ratelimit-remaining-requests": "7", "x-request-id": "abc"}
EVENTS = (
    {"id": "1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "4"}, "finish_reason": None}]},
    {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"id": "1", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}},
)


def answer(request: httpx.Request) -> httpx.Response:
    """Answer as is asked, whole or streamed."""
    if json.loads(request.content)["stream"]:
        lines = "".join(f"data: {json.dumps(event)}\n\n" for event in EVENTS)
        headers = LIMITS | {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=headers, text=f"{lines}data: [DONE]\n\n")
    message = {"role": "assistant", "content": "4"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return httpx.Response(200, json={"id": "1", "choices": [choice], "usage": EVENTS[2]["usage"]}, headers=LIMITS)


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize(
    ("status", "theirs", "ours"),
    [
        (401, exceptions.AuthenticationError, errors.QwenAuthenticationError),
        (403, exceptions.PermissionDeniedError, errors.QwenAuthenticationError),
        (408, exceptions.Timeout, errors.QwenTimeoutError),
    ],
)
def test_a_status_is_its_exception(
    way: str, status: int, theirs: type[Exception], ours: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal that is no spent quota, and a request that took the service too long."""
    body = {"error": {"code": "invalid_request_error", "message": "No."}}
    with (
        answering(lambda request: httpx.Response(status, json=body), monkeypatch) as asked,
        pytest.raises(theirs) as caught,
    ):
        CALLS[way](max_retries=0, **PLAN)
    assert type(caught.value) is theirs
    assert isinstance(caught.value.__cause__, ours)
    assert len(asked) == 1
    assert_none_in(str(caught.value))


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_a_streams_limits_are_passed_on(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Router reads how much is left; the other headers have LiteLLM's prefix."""
    with answering(answer, monkeypatch):
        stream = CALLS[way](**PLAN)
    headers = stream._hidden_params["additional_headers"]
    assert headers["x-ratelimit-remaining-requests"] == "7"
    assert headers["llm_provider-x-request-id"] == "abc"


@pytest.mark.parametrize("way", WAYS)
def test_drop_params_drops(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What LiteLLM does not take for this provider is an error, or with drop_params is not sent."""
    given: dict[str, Any] = {"verbosity": "low", "temperature": 0.5}
    with answering(answer, monkeypatch) as asked:
        if LITELLM >= (1, 100):  # 1.91 never hands this one on
            with pytest.raises(exceptions.UnsupportedParamsError, match="verbosity"):
                WAYS[way](**PLAN, **given)
        assert not asked
        assert WAYS[way](drop_params=True, **PLAN, **given).text == "4"
    (body,) = [json.loads(request.content) for request in asked]
    assert body["temperature"] == 0.5
    assert "verbosity" not in body
