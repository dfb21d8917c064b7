"""API keys at the emulator: each kind of address takes its own, refuses others in its own words, lists its models."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Person

CODING, TOKEN, STUDIO, CLOUD, WORKSPACE = (
    "coding-intl.dashscope.aliyuncs.com",
    "token-plan.ap-southeast-1.maas.aliyuncs.com",
    "dashscope-intl.aliyuncs.com",
    "maas.qwencloudapi.com",
    "ws-1.cn-beijing.maas.aliyuncs.com",
)


def models(person: "Person", host: str | None, key: str) -> tuple[int, object]:
    """Ask for the list; return the status with the ids, or with the words of the refusal."""
    headers = {"authorization": f"Bearer {key}"} | ({"host": host} if host else {})
    answer = person.http.get("/compatible-mode/v1/models", headers=headers)
    body = answer.json()
    return answer.status_code, [each["id"] for each in body["data"]] if "data" in body else body["error"]["message"]


@pytest.mark.parametrize(
    ("host", "key", "refusal"),
    [
        (CODING, "sk-1", (401, "invalid access token or token expired")),
        (CODING, "sk-ws-1", (401, "invalid access token or token expired")),
        (TOKEN, "sk-ws-1", (403, "invalid api-key")),
        (STUDIO, "sk-sp-1", (401, "Incorrect API key provided.")),
        (CLOUD, "sk-sp-1", (401, "Incorrect API key provided.")),
        (WORKSPACE, "sk-sp-1", (401, "Incorrect API key provided.")),
        (STUDIO, "sk-bad", (401, "Incorrect API key provided.")),
        (None, "sk-bad", (401, "invalid access token or token expired")),
    ],
)
def test_a_key_of_another_plan_is_refused(
    person: "Person", host: str | None, key: str, refusal: tuple[int, str]
) -> None:
    """As the service refuses it, whose words say expired where the key is of another plan."""
    assert models(person, host, key) == refusal


@pytest.mark.parametrize(
    ("host", "key"),
    [
        (CODING, "sk-sp-1"),
        (TOKEN, "sk-sp-1"),
        (TOKEN, "sk-1"),
        (STUDIO, "sk-1"),
        (STUDIO, "sk-ws-1"),
        (CLOUD, "sk-ws-1"),
        (WORKSPACE, "sk-1"),
        (None, "sk-sp-1"),
        (None, "sk-1"),
    ],
)
def test_a_plans_own_key_is_told_its_models(person: "Person", host: str | None, key: str) -> None:
    """None of them is one of the portal's two ids, which a key plan does not know."""
    status, listed = models(person, host, key)
    assert status == 200
    assert isinstance(listed, list)
    assert "qwen3.7-plus" in listed
    assert not {"coder-model", "vision-model"} & set(listed)


def test_a_service_may_have_no_list(person: "Person") -> None:
    """It is 404, as for any path that is not there."""
    person.emulator.scenario("no-model-list")
    answer = person.http.get("/v1/models", headers={"authorization": "Bearer sk-1"})
    assert (answer.status_code, answer.content) == (404, b"")


def test_the_plan_for_coding_agents_refuses_its_list_too(person: "Person") -> None:
    """It goes by who asks, not by what is asked."""
    person.emulator.scenario("coding-agents-only")
    answer = person.http.get("/v1/models", headers={"authorization": "Bearer sk-sp-1"})
    assert (answer.status_code, list(answer.json())) == (405, ["error"])


@pytest.mark.parametrize(
    ("host", "body", "status"),
    [
        (TOKEN, {"enable_thinking": False}, 400),
        (TOKEN, {"reasoning_effort": "none"}, 400),
        (TOKEN, {"reasoning_effort": "low"}, 200),
        (STUDIO, {"enable_thinking": False}, 200),
        (STUDIO, {"reasoning_effort": "none"}, 200),
    ],
)
def test_the_token_plan_cannot_switch_every_models_thinking_off(
    person: "Person", host: str, body: dict[str, object], status: int
) -> None:
    """qwen3.8-max thinks there whatever is said, as the vendor's presets have it."""
    headers = {"authorization": "Bearer sk-1", "host": host}
    asked = {"model": "qwen3.8-max", "messages": [{"role": "user", "content": "Hello"}], **body}
    assert person.http.post("/compatible-mode/v1/chat/completions", headers=headers, json=asked).status_code == status
