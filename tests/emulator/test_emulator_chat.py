"""The emulated chat host: who may chat, what it refuses, what it counts, how its scenarios bend it."""

import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from qwen_portal.emulator import Emulator

if TYPE_CHECKING:
    from .conftest import Person

DEAD_TOKEN = {
    "message": "invalid access token or token expired",
    "type": "invalid_request_error",
    "param": None,
    "code": "invalid_api_key",
}
USER = {"role": "user", "content": "Hello"}


def _error(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()
    assert set(body) <= {"error", "request_id", "id"}
    assert body["request_id"] == answer.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    return error


def test_an_answer_has_the_field_order_of_the_wire(member: "Person") -> None:
    """Fields, their order, the id and the gateway's headers are those of the recorded answers."""
    answer = member.chat()
    body = answer.json()
    assert list(body) == ["model", "usage", "choices", "object", "created", "system_fingerprint", "id"]
    assert list(body["choices"][0]) == ["message", "finish_reason", "index", "logprobs"]
    assert list(body["choices"][0]["message"]) == ["content", "role"]
    assert body["id"] == f"chatcmpl-{uuid.UUID(answer.headers['x-request-id'])}"
    assert answer.headers["x-dashscope-call-gateway"] == "true"
    assert answer.headers["server"] == "istio-envoy"


def test_the_answers_model_is_the_one_behind_the_alias(member: "Person") -> None:
    """Aliases resolve by default; other ids, and all ids with the setting off, come back as asked."""
    assert member.chat().json()["model"] == "qwen3.6-plus"
    assert member.chat(model="qwen3-coder-plus").json()["model"] == "qwen3-coder-plus"
    member.emulator.configure(resolved_models=False)
    assert member.chat().json()["model"] == "coder-model"


@pytest.mark.parametrize("authorization", ["", "Basic eDp5", "Bearer unknown", "Bearer sk-bad-key"])
def test_a_bad_bearer_is_401(member: "Person", authorization: str) -> None:
    """No, unknown and bad bearers get the service's one sentence."""
    answer = member.http.post("/v1/chat/completions", headers={"authorization": authorization}, json={})
    assert (answer.status_code, _error(answer)) == (401, DEAD_TOKEN)


def test_a_token_dies_with_its_life_and_with_a_revocation(member: "Person") -> None:
    """Expiry goes by the emulator's clock; a revocation acts at once."""
    member.emulator.advance(21_601)
    assert member.chat().status_code == 401
    member.sign_in()
    assert member.chat().status_code == 200
    member.emulator.revoke()
    assert _error(member.chat()) == DEAD_TOKEN


def test_revoked_tokens_work_again_after_a_refresh(member: "Person") -> None:
    """The scenario kills what a sign-in issued, before or after; a refreshed token works."""
    member.emulator.scenario("revoked")
    assert member.chat().status_code == 401
    tokens = member.sign_in()
    assert member.chat().status_code == 401
    member.bearer = member.refresh(tokens["refresh_token"]).json()["access_token"]
    assert member.chat().status_code == 200


def test_when_the_tier_has_ended_only_keys_chat(member: "Person") -> None:
    """Sign-in and refresh work, every OAuth chat is 401, API keys are not touched."""
    member.emulator.scenario("ended")
    tokens = member.sign_in()
    assert _error(member.chat()) == DEAD_TOKEN
    member.bearer = member.refresh(tokens["refresh_token"]).json()["access_token"]
    assert _error(member.chat()) == DEAD_TOKEN
    assert member.chat(key="sk-mine").status_code == 200


def test_oauth_tokens_are_refused_where_only_keys_belong(member: "Person") -> None:
    """Under /compatible-mode a key works, and a portal token is an incorrect API key."""
    path = "/compatible-mode/v1"
    assert member.chat(path=path, key="sk-mine", model="qwen3.6-plus").status_code == 200
    assert _error(member.chat(path=path))["message"] == "Incorrect API key provided."
    assert member.chat(path=path, key="sk-mine").status_code == 400


def test_models_are_listed_for_a_live_bearer_only(member: "Person") -> None:
    """The list has the portal's ids; without a good bearer it is 401."""
    answer = member.http.get("/v1/models", headers={"authorization": f"Bearer {member.bearer}"})
    assert {"coder-model", "vision-model"} <= {model["id"] for model in answer.json()["data"]}
    assert member.http.get("/v1/models").status_code == 401


def test_a_wrong_path_is_404_without_a_body_and_logged(member: "Person") -> None:
    """A base URL without /v1 fails as it does at the service."""
    answer = member.chat(path="")
    assert (answer.status_code, answer.content) == (404, b"")
    assert member.emulator.log()[-1].path == "/chat/completions"


def test_requests_above_the_cap_are_counted_whatever_else_is_wrong(member: "Person") -> None:
    """No other refusal and no scenario hides a request above the cap; key models without a cap never count."""
    member.chat(max_tokens=65_537)
    member.chat(key="sk-bad", max_completion_tokens=100_000)
    member.emulator.scenario("error-500", times=1)
    member.chat(model="vision-model", max_tokens=9_000.5)
    assert len(member.emulator.above_cap()) == 3
    assert member.chat(max_tokens=65_536).status_code == 200
    assert member.chat(key="sk-mine", model="qwen3.7-max", max_tokens=100_000).status_code == 200
    assert len(member.emulator.above_cap()) == 3


def test_the_quota_is_counted_per_account_and_day(member: "Person") -> None:
    """Each sign-in has its own count; a new day of the emulator's clock starts a new one."""
    member.emulator.configure(quota=1, access_life=400_000)
    member.sign_in()
    second = member.bearer
    assert [member.chat().status_code for _ in range(2)] == [200, 429]
    error = _error(member.chat())
    assert (error["code"], error["type"]) == ("insufficient_quota", "insufficient_quota")
    assert error["message"] == "Free allocated quota exceeded."
    member.sign_in()
    assert member.chat().status_code == 200
    assert [entry.account for entry in member.emulator.chats()] == [2, 2, 2, 3]
    member.bearer = second
    member.emulator.advance(86_400)
    assert member.chat().status_code == 200


def test_one_accounts_quota_can_be_spent(member: "Person") -> None:
    """A limit set for one account leaves the others alone."""
    first = member.bearer
    member.sign_in()
    member.emulator.set_quota(0, account=1)
    assert member.chat().status_code == 200
    member.bearer = first
    assert member.chat().status_code == 429
    with pytest.raises(ValueError, match="no account 9"):
        member.emulator.set_quota(0, account=9)


@pytest.mark.parametrize(
    ("scenario", "status", "code", "words"),
    [
        ("quota", 429, "insufficient_quota", "Free allocated quota exceeded."),
        ("quota-403", 403, "insufficient_quota", "Free allocated quota exceeded."),
        ("burst", 429, "limit_requests", "You exceeded your current requests list."),
        ("input-range", 400, "invalid_parameter_error", "Range of input length should be [1, 983616]"),
        ("moderation", 400, "data_inspection_failed", "inappropriate content"),
        ("error-500", 500, "internal_error", "Internal server error"),
        ("strict", 400, "invalid_parameter_error", "bad request"),
    ],
)
def test_a_chat_scenario_hits_as_often_as_told(
    member: "Person",
    scenario: str,
    status: int,
    code: str,
    words: str,
) -> None:
    """The error has its documented code, text and status, and the next request is answered."""
    member.emulator.scenario(scenario, times=1)
    answer = member.chat()
    error = _error(answer)
    assert (answer.status_code, error["code"]) == (status, code)
    assert words in error["message"]
    assert "retry-after" not in answer.headers
    assert member.chat().status_code == 200


def test_retry_after_is_a_setting(member: "Person") -> None:
    """A plain 429 names seconds only if told to."""
    member.emulator.scenario("burst")
    member.emulator.configure(retry_after=3)
    assert member.chat().headers["retry-after"] == "3"


def test_a_prompt_beyond_the_input_limit_is_refused(member: "Person") -> None:
    """The input range is a real limit, not only a scenario."""
    member.emulator.configure(input_limit=50)
    assert member.chat("word " * 10).status_code == 200
    assert "Range of input length should be [1, 50]" in _error(member.chat("word " * 100))["message"]


def test_strict_wants_the_dashscope_headers_and_a_system_message() -> None:
    """In the strict period a request with both headers and a system message passes, whatever product it names."""
    headers = {
        "authorization": "Bearer sk-mine",
        "x-dashscope-authtype": "qwen-oauth",
        "x-dashscope-useragent": "qwen-portal/1.0",
    }
    messages = [{"role": "system", "content": "Be brief."}, USER]
    with Emulator(strict=True) as emulator:
        url = f"{emulator.base_url}/chat/completions"
        good = httpx.post(url, headers=headers, json={"model": "coder-model", "messages": messages})
        bad = httpx.post(url, headers=headers, json={"model": "coder-model", "messages": [USER]})
    assert (good.status_code, bad.status_code) == (200, 400)


@pytest.mark.parametrize(
    ("scenario", "status", "kind", "start"),
    [
        ("gateway-504", 504, "text/plain", "stream timeout"),
        ("html-502", 502, "text/html", "<html>"),
        ("firewall", 200, "text/html", "<!doctypehtml>"),
    ],
)
def test_gateways_answer_without_json(member: "Person", scenario: str, status: int, kind: str, start: str) -> None:
    """A gateway's own answers are no envelopes."""
    member.emulator.scenario(scenario, where="chat")
    answer = member.chat()
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (status, kind)
    assert answer.text.startswith(start)


def test_a_moderation_error_carries_an_id(member: "Person") -> None:
    """Moderation errors have the answer's id beside the request id."""
    member.emulator.scenario("moderation")
    body = member.chat().json()
    assert body["id"] == f"chatcmpl-{body['request_id']}"


def test_usage_adds_up_and_a_repeated_beginning_is_cached(member: "Person") -> None:
    """The first request caches nothing; a longer one with the same beginning reads it from the cache."""
    first = member.chat().json()["usage"]
    assert first["total_tokens"] == first["prompt_tokens"] + first["completion_tokens"]
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    longer = member.chat(messages=[USER, {"role": "assistant", "content": "Hi"}, USER]).json()["usage"]
    assert longer["prompt_tokens_details"]["cached_tokens"] == first["prompt_tokens"]
    assert longer["prompt_tokens"] > first["prompt_tokens"]
