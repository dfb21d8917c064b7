"""Each plan as it is sold: the exact request that leaves, what comes of it, and a key that belongs elsewhere."""

import json
import platform
from typing import Any, NamedTuple

import httpx
import pytest

from qwen_portal import PortalClient, __version__
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenAuthenticationError, QwenQuotaExceededError
from qwen_portal.secrets import Secret
from qwen_portal.service.plans import PLANS
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.scripted import answering
from tests.ways import ALL, HELLO, Way


class Row(NamedTuple):
    """A plan, with a key of it and what the two models are called there."""

    plan: str
    address: str
    key: str
    coder: str
    vision: str


# Written out: this is what users pay for.
TABLE = [
    Row("oauth", "https://portal.qwen.ai/v1", "token", "coder-model", "vision-model"),
    Row("studio", "https://dashscope.aliyuncs.com/compatible-mode/v1", "sk-1", "qwen3.7-plus", "qwen3.6-plus"),
    Row(
        "studio-intl", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "sk-2", "qwen3.7-plus", "qwen3.6-plus"
    ),
    Row("studio-us", "https://dashscope-us.aliyuncs.com/compatible-mode/v1", "sk-3", "qwen3.7-plus", "qwen3.6-plus"),
    Row(
        "studio-hk",
        "https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1",
        "sk-4",
        "qwen3.7-plus",
        "qwen3.6-plus",
    ),
    Row("qwencloud", "https://maas.qwencloudapi.com/compatible-mode/v1", "sk-ws-5", "qwen3.7-plus", "qwen3.6-plus"),
    Row(
        "token",
        "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1",
        "sk-sp-6",
        "qwen3.7-plus",
        "qwen3.6-plus",
    ),
    Row(
        "token-intl",
        "https://token-plan.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1",
        "sk-sp-7",
        "qwen3.7-plus",
        "qwen3.6-plus",
    ),
    Row(
        "qwencloud-token",
        "https://token-plan.maas.qwencloudapi.com/compatible-mode/v1",
        "sk-sp-8",
        "qwen3.7-plus",
        "qwen3.6-plus",
    ),
    Row("coding", "https://coding.dashscope.aliyuncs.com/v1", "sk-sp-9", "qwen3-coder-plus", "qwen3.5-plus"),
    Row("coding-intl", "https://coding-intl.dashscope.aliyuncs.com/v1", "sk-sp-10", "qwen3-coder-plus", "qwen3.5-plus"),
    Row(
        "studio:llm-1@eu-central-1",
        "https://llm-1.eu-central-1.maas.aliyuncs.com/compatible-mode/v1",
        "sk-ws-11",
        "qwen3.7-plus",
        "qwen3.6-plus",
    ),
    Row("https://llm.example/v1", "https://llm.example/v1", "sk-12", "qwen3.7-plus", "qwen3.6-plus"),
]
KEYED = [row for row in TABLE if row.plan != "oauth"]
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}]}
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}]}]


def keep(plan: str, key: str) -> None:
    """Keep an account of that plan; it is the active one."""
    if plan == "oauth":
        made = Credential(kind="oauth", plan=plan, access_token=Secret(key), expires_at=4e9)
    else:
        made = Credential.from_key(Secret(key), plan=plan)
    Session().accounts.signed_in("it", made)


def test_the_table_is_the_codes() -> None:
    """No plan is left out of what follows."""
    assert [row.plan for row in TABLE[:-2]] == list(PLANS)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.plan)
def test_the_request_is_exactly_the_plans(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, bearer, every header and the model's name; a key goes out without the headers of the device sign-in."""
    keep(row.plan, row.key)
    with answering(lambda request: httpx.Response(200, json=ANSWER), monkeypatch) as asked:
        PortalClient().chat(HELLO)
        PortalClient().chat(IMAGE, model="vision-model")
    assert [str(request.url) for request in asked] == [f"{row.address}/chat/completions"] * 2
    assert [json.loads(request.content)["model"] for request in asked] == [row.coder, row.vision]
    expected = {
        "authorization": f"Bearer {row.key}",
        "content-type": "application/json",
        "accept": "application/json",
        "x-dashscope-useragent": f"qwen-portal/{__version__}",
    }
    if row.plan == "oauth":
        expected |= {"x-dashscope-authtype": "qwen-oauth", "x-dashscope-cachecontrol": "enable"}
    of_the_http_library = {"host", "connection", "accept-encoding", "content-length", "user-agent"}
    sent = {name: value for name, value in asked[0].headers.items() if name not in of_the_http_library}
    assert sent == expected


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("row", KEYED, ids=lambda row: row.plan)
def test_each_plan_answers(row: Row, ask: Way, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both models in all four ways, at the path of the plan; the user agent is our own."""
    keep(row.plan, row.key)
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.url + httpx.URL(row.address).path)
    assert "4" in ask()
    assert ask(IMAGE, model="vision-model")
    assert [entry.body["model"] for entry in emulator.chats()] == [row.coder, row.vision]
    for entry in emulator.chats():
        assert entry.path == f"{httpx.URL(row.address).path}/chat/completions"
        assert entry.headers["user-agent"].startswith(f"qwen-portal/{__version__} ({platform.system()}")
        assert "max_tokens" not in entry.body
    assert emulator.log("refresh") == []


@pytest.mark.parametrize("row", KEYED, ids=lambda row: row.plan)
def test_each_plans_quota_is_its_own(row: Row, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spent key of any plan is told like a spent sign-in, and costs no refresh."""
    keep(row.plan, row.key)
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.url + httpx.URL(row.address).path)
    emulator.scenario("quota-403")
    with pytest.raises(QwenQuotaExceededError, match="'it'"):
        PortalClient(on_quota="switch").chat(HELLO)
    assert len(emulator.log()) == 1


ELSEWHERE = [
    (401, "invalid_api_key", "invalid access token or token expired"),
    (401, "invalid_api_key", "Incorrect API key provided."),
    (403, None, "invalid api-key"),
]


# How a key came: what it is called, and what is to be done about it.
WHOSE = {
    "kept": (
        "of account 'it'",
        "Copy the key, or a new one, from the console of its plan and keep it",
    ),
    "argument": ("that came as api_key=", "Pass the whole key as api_key=, and as plan= "),
    "environment": ("in QWEN_PORTAL_API_KEY", "Set QWEN_PORTAL_API_KEY to the whole key, and QWEN_PORTAL_PLAN to "),
}


@pytest.mark.parametrize(("status", "code", "message"), ELSEWHERE)
@pytest.mark.parametrize("way", ["kept", "argument", "environment"])
def test_a_key_at_the_wrong_address_is_explained(
    status: int,
    code: str | None,
    message: str,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not "token expired": keys belong to one address. One request, whether the key is kept or given."""
    key, given = "sk-of-the-token-plan", dict[str, Any]()
    if way == "kept":
        keep("studio", key)
    elif way == "argument":
        given = {"api_key": key, "plan": "studio"}
    else:
        monkeypatch.setenv("QWEN_PORTAL_API_KEY", key)
        monkeypatch.setenv("QWEN_PORTAL_PLAN", "studio")
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    refused = httpx.Response(status, json=body)
    with answering(lambda request: refused, monkeypatch) as asked, pytest.raises(QwenAuthenticationError) as caught:
        PortalClient(**given).chat(HELLO)
    assert len(asked) == 1
    assert "it is wrong, or of another plan" in caught.value.message
    assert "dashscope.aliyuncs.com refused the API key" in caught.value.message
    assert "expired" not in str(caught.value)
    whose, remedy = WHOSE[way]
    assert f"refused the API key {whose} (HTTP {status}" in caught.value.message
    assert caught.value.hint.startswith(remedy)
    assert caught.value.hint.endswith(" studio, studio-intl, studio-us, studio-hk or qwencloud.")
    assert caught.value.hint.count(". ") == 0
    assert caught.value.status == status
