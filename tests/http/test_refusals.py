"""Refusals as public reports have them: framed, bare, numeric; each is its class, with its words, and judged alike."""

import json
import subprocess
import sys

import httpx
import pytest

import qwen_portal
from qwen_portal.answers.chunks import ChunkReader
from qwen_portal.answers.error_responses import error_from_response, is_quota
from qwen_portal.answers.refusals import Refusal, read_refusal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import (
    QwenAPIError,
    QwenContentFilterError,
    QwenModelNotFoundError,
    QwenPlanNotForProgramsError,
    QwenQuotaExceededError,
    QwenRateLimitError,
    QwenStreamError,
)
from qwen_portal.oauth import responses
from tests.canaries import KEY
from tests.reported import (
    JSON,
    QUOTA_WORDS,
    REFUSED,
    SSE,
    Refused,
    chunk,
    event_error,
    framed,
    keep_key,
    stream_of,
)
from tests.scripted import answering
from tests.ways import ALL, HELLO, STREAMED, Way

CASES = [pytest.param(case, id=name, marks=pytest.mark.reported(case.source)) for name, case in REFUSED.items()]
QUIET = {"max_retries": 0, "on_quota": "error"}


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("case", CASES)
def test_a_refusal_is_its_class_with_its_words(case: Refused, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """hermes-agent#58017, OpenKB#242, guidellm#743, lemonade#2826, langchain#37532, goose#8005; see tests/reported.py.

    Whole and streamed, sync and async; asked once, because no repetition was allowed.
    """
    keep_key()
    with answering(case.answer, monkeypatch) as asked, pytest.raises(QwenAPIError) as caught:
        ask(client=QUIET)
    assert type(caught.value) is case.error
    assert case.words in str(caught.value)
    assert caught.value.hint
    assert len(asked) == 1


@pytest.mark.reported("hermes-agent#58017, #86496; spring-ai-extensions#29")
@pytest.mark.parametrize("ask", STREAMED)
def test_an_event_of_dashscopes_has_status_code_and_id(ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """hermes-agent#58017: also after content, and a moderation refusal is not sent three times (#86496)."""
    keep_key()
    refused = event_error(400, "DataInspectionFailed", "Output data may contain inappropriate content.")
    before = framed(chunk({"content": "Once"}))
    for content in (refused, before + refused):
        case = Refused("", content, QwenContentFilterError, "")
        with answering(case.answer, monkeypatch) as asked, pytest.raises(case.error) as caught:
            ask()
        assert (caught.value.status, caught.value.code) == (400, "DataInspectionFailed")
        assert caught.value.request_id == "r-1"
        assert caught.value.partial_text == ("Once" if content != refused else "")
        assert len(asked) == 1


@pytest.mark.reported("OpenKB#242")
@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("kind", [SSE, JSON])
@pytest.mark.parametrize("status", [200, 400, 403, 429])
def test_a_framed_quota_asks_the_next_account(
    status: int, kind: str, ask: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenKB#242: with two accounts the next was never asked, because nobody read the code in the frame."""
    keep_key("first", "studio")
    keep_key("second", "studio")
    refused = httpx.Response(
        status, content=event_error(429, "Throttling.AllocationQuota", QUOTA_WORDS), headers={"content-type": kind}
    )

    def answer(request: httpx.Request) -> httpx.Response:
        if len(asked) == 1:
            return refused
        if json.loads(request.content)["stream"]:
            return stream_of(chunk({"content": "4"}), chunk({}, reason="stop"))
        return httpx.Response(200, json={"choices": [{"message": {"content": "4"}}]})

    with answering(answer, monkeypatch) as asked:
        assert ask() == "4"
    assert len(asked) == 2


@pytest.mark.reported("OpenKB#242")
def test_a_framed_quota_costs_no_refresh(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenKB#242: a 403 is a quota as soon as its frame says so, and says nothing about the token."""
    refused = httpx.Response(
        403,
        content=framed({"error": {"code": "insufficient_quota", "message": "Free quota"}}),
        headers={"content-type": SSE},
    )
    with answering(lambda request: refused, monkeypatch) as asked, pytest.raises(QwenQuotaExceededError):
        qwen_portal.PortalClient(**QUIET).chat(HELLO)  # type: ignore[arg-type]
    assert [request.url.path for request in asked] == ["/v1/chat/completions"]


@pytest.mark.reported("OpenKB#242")
def test_a_framed_refusal_of_a_token_is_read_too() -> None:
    """OpenKB#242: the sign-in host may stand behind the same gateway; its code says whether the token is dead."""
    body = b'data: {"error": "invalid_grant", "error_description": "spent"}\n\n'
    response = httpx.Response(400, content=body, request=httpx.Request("POST", "https://chat.qwen.ai"))
    assert responses.error_code(response) == "invalid_grant"
    assert responses.is_dead(response, "invalid_grant")
    assert "spent" in responses.words(response, ())


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"code": "X", "message": "m", "request_id": "1"}, "X", "m"),
        ({"error": "m"}, "", "m"),
        ({"error": "x", "message": "m"}, "x", "m"),
        ({"error": "x", "error_description": "m"}, "x", "m"),
        ({"error": {"error": {"code": "X", "message": "m"}}}, "X", "m"),
        ({"error": {"message": '{"error": {"code": "X", "message": "m"}}'}}, "X", "m"),
        ({"errors": [{"code": "X", "message": "m"}]}, "X", "m"),
        ([{"error": {"code": "X", "message": "m"}}], "X", "m"),
        ({"detail": "m"}, "", "m"),
        ({"detail": [{"loc": ["body"]}]}, "", '[{"loc": ["body"]}]'),
        ({"error": {"code": 400, "type": "X", "message": "m"}}, "X", "m"),
        ({"error": {"code": 1113, "message": "m"}}, "1113", "m"),
        ({"error": {"code": None, "message": None}}, "", ""),
    ],
)
def test_errors_within_errors_are_unwrapped(body: object, code: str, message: str) -> None:
    """Gateways stack them; the innermost knows most."""
    for content in (json.dumps(body).encode(), framed(body)):
        refusal = read_refusal(400, content)
        assert (refusal.status, refusal.code, refusal.message) == (400, code, message)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[" * 100_000, b"data: " + b"[" * 100_000, b"null", b"5", b"data: 5"]
)
def test_what_is_no_refusal_is_still_an_error(content: bytes) -> None:
    """Whatever the body is, its status counts."""
    assert not is_quota(403, content)
    assert type(error_from_response(429, {}, content, host="h")) is QwenRateLimitError


def test_what_stands_beside_the_events_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's plain words in a stream that ends without an answer are in the error; a bearer in them is not."""
    keep_key()
    content = f"upstream says no to {KEY}\n\n".encode()
    response = httpx.Response(200, content=content, headers={"content-type": SSE})
    with (
        answering(lambda request: response, monkeypatch),
        pytest.raises(QwenStreamError, match="It said: upstream says no") as caught,
    ):
        list(qwen_portal.PortalClient(api_key=KEY, plan="coding", max_retries=0).stream(HELLO))
    assert KEY not in str(caught.value)


def test_a_bearer_in_an_event_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that echoes the header into a stream."""
    response = httpx.Response(200, content=event_error(400, "X", f"no {KEY}"), headers={"content-type": SSE})
    with answering(lambda request: response, monkeypatch), pytest.raises(QwenAPIError) as caught:
        list(qwen_portal.PortalClient(api_key=KEY, plan="coding", max_retries=0).stream(HELLO))
    assert KEY not in str(caught.value)


@pytest.mark.reported("goose#8005, ironclaw#1012, zeroclaw#3882, openless#947")
@pytest.mark.parametrize("ask", ALL)
def test_a_plan_for_other_clients_names_those_for_programs(ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """goose#8005: the hint is neither "change what the message names" nor that the key is wrong."""
    keep_key("mine", "coding-intl")
    with (
        answering(REFUSED["405"].answer, monkeypatch),
        pytest.raises(QwenPlanNotForProgramsError) as caught,
    ):
        ask()
    assert caught.value.exit_code == 4
    assert "--plan studio-intl" in caught.value.hint
    assert isinstance(caught.value, qwen_portal.QwenAuthenticationError)
    assert caught.value.status == 405


def test_a_good_stream_may_have_events_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A null error, a ping and an empty message are no refusal."""
    content = b"".join(map(framed, [chunk({"content": "4"}, error=None), {"type": "ping"}, chunk({}, reason="stop")]))
    reader = ChunkReader("h")
    assert [*reader.feed(content), *reader.end()]


@pytest.mark.long
def test_no_words_of_a_refusal_take_for_ever() -> None:
    """A megabyte that begins again and again like a refusal's words held every thread for hours; a second is enough."""
    script = (
        "from qwen_portal.answers.refusals import Refusal\n"
        "for part in ('model ', 'model', 'exceeds the ', 'context ', 'range of input '):\n"
        "    Refusal(400, message=part * (2**20 // len(part))).error_class()\n"
    )
    run = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert run.returncode == 0


def test_a_model_is_told_apart_however_it_is_called() -> None:
    """Its name stands in the midst of the words."""
    said = f"model `{'x' * 100}` is not supported by this plan"
    assert Refusal(400, message=said).error_class() is QwenModelNotFoundError
