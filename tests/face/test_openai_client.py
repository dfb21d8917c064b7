"""OpenAI's own client on an account: its bearer, its host, its cap, and nothing that is meant for OpenAI."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import (
    QwenBadRequestError,
    QwenError,
    QwenRefreshTokenInvalidError,
    QwenTokenNotAvailableError,
)
from qwen_portal.http.pools import OPTIONS
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.reported import REFUSED, keep_key
from tests.sign_ins import keep_sign_in
from tests.ways import HELLO

Call = Callable[..., Any]


def call(*, client: dict[str, Any] | None = None, **params: Any) -> Any:
    """Ask for a whole answer."""
    with qwen_portal.openai_client(**(client or {})) as portal:
        return portal.chat.completions.create(**({"model": "coder-model", "messages": HELLO} | params))


def acall(*, client: dict[str, Any] | None = None, **params: Any) -> Any:
    """Ask for a whole answer on an event loop."""

    async def ask() -> Any:
        async with qwen_portal.async_openai_client(**(client or {})) as portal:
            return await portal.chat.completions.create(**({"model": "coder-model", "messages": HELLO} | params))

    return asyncio.run(ask())


BOTH = pytest.mark.parametrize("ask", [call, acall])


@BOTH
def test_an_answer_under_the_cap(ask: Call, signed_in: Emulator) -> None:
    """The account's bearer and headers, the cap where nobody asked for less, the portal's model by any of its names."""
    assert "4" in ask(model="qwen-portal/coder-model").choices[0].message.content
    (chat,) = signed_in.chats()
    assert chat.status == 200
    assert (chat.body["model"], chat.body["max_tokens"]) == ("coder-model", 65_536)
    assert chat.headers["x-dashscope-authtype"] == "qwen-oauth"
    assert chat.headers["user-agent"].startswith("qwen-portal/")


@BOTH
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_wish_above_the_cap_is_lowered(ask: Call, name: str, signed_in: Emulator) -> None:
    """Under either name, and from extra_body, for the model that is asked."""
    ask(model="vision-model", **{name: 20_000})
    ask(extra_body={name: 100_000})
    assert [chat.body["max_tokens"] for chat in signed_in.chats()] == [8_192, 65_536]
    assert all("max_completion_tokens" not in chat.body for chat in signed_in.chats())


def test_a_stream(signed_in: Emulator) -> None:
    """OpenAI's stream of chunks, with usage at its end."""
    with qwen_portal.openai_client() as client:
        create: Call = client.chat.completions.create
        chunks = list(create(model="coder-model", messages=HELLO, stream=True))
    assert "4" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage.total_tokens > 0


def test_an_async_stream(signed_in: Emulator) -> None:
    """The same on an event loop."""

    async def ask() -> list[Any]:
        async with qwen_portal.async_openai_client() as client:
            create: Call = client.chat.completions.create
            return [chunk async for chunk in await create(model="coder-model", messages=HELLO, stream=True)]

    chunks = asyncio.run(ask())
    assert "4" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@BOTH
def test_a_refused_token_is_renewed_once(ask: Call, signed_in: Emulator) -> None:
    """The SDK does not see the 401."""
    signed_in.revoke()
    assert "4" in ask(client={"max_retries": 0}).choices[0].message.content
    assert [chat.status for chat in signed_in.chats()] == [401, 200]


@BOTH
def test_a_named_account_signs(ask: Call, signed_in: Emulator) -> None:
    """Whichever account is active."""
    keep_sign_in(signed_in, "work")
    for label in ("default", "work", None):
        ask(client={"account": label})
    first, second, third = [chat.headers["authorization"] for chat in signed_in.chats()]
    assert first != second == third


@BOTH
def test_a_sign_in_that_is_lost_is_our_error_after_one_request(ask: Call, signed_in: Emulator) -> None:
    """The SDK would take what happens below it for a broken connection, repeat the request and hide the hint."""
    signed_in.revoke(refresh_too=True)
    with pytest.raises(QwenRefreshTokenInvalidError) as caught:
        ask()
    assert "qwen-portal login" in caught.value.hint
    assert len(signed_in.chats()) == 1


@BOTH
def test_a_spent_quota_is_not_repeated(ask: Call, signed_in: Emulator) -> None:
    """No repetition helps against it."""
    signed_in.scenario("quota")
    with pytest.raises(openai.RateLimitError):
        ask()
    assert len(signed_in.chats()) == 1


@pytest.mark.parametrize("make", [qwen_portal.openai_client, qwen_portal.async_openai_client])
def test_the_limits_of_time_are_the_settings(make: Call, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thinking takes minutes; the few seconds of a sign-in call are none of its business."""
    assert (make().timeout.read, make().timeout.connect) == (600.0, 10.0)
    monkeypatch.setenv("QWEN_PORTAL_TIMEOUT", "300")
    assert make().timeout.read == 300.0
    assert make(timeout=5.0).timeout == 5.0


@BOTH
def test_headers_of_a_call_and_queries_are_sent(ask: Call, signed_in: Emulator) -> None:
    """A query changes nothing about the host that a bearer may go to."""
    ask(client={"default_query": {"q": "1"}}, extra_headers={"X-Mine": "1"})
    (chat,) = signed_in.chats()
    assert (chat.status, chat.headers["x-mine"]) == (200, "1")


def test_requests_below_the_sdks_methods(signed_in: Emulator) -> None:
    """A path without a slash, and a body that is no chat's, go out as they are."""
    with qwen_portal.openai_client(max_retries=0) as client:
        assert client.get("models", cast_to=object)
        with pytest.raises(openai.BadRequestError):
            client.post("/chat/completions", cast_to=object, body={"model": "coder-model"})
    assert [entry.path for entry in signed_in.log() if entry.path.startswith("/v1/")][-2:] == [
        "/v1/models",
        "/v1/chat/completions",
    ]


def test_an_async_call_does_not_block_its_loop_for_a_refresh(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is asked for by the way that waits without blocking."""

    def blocking(*_: Any, **__: Any) -> None:
        raise AssertionError("the blocking way was taken")

    monkeypatch.setattr("qwen_portal.tokens.manager.TokenManager.get", blocking)
    assert "4" in acall().choices[0].message.content


@BOTH
def test_nobody_signed_in_is_our_error(ask: Call, emulator: Emulator) -> None:
    """Not the SDK's connection error, which would be repeated and would hide the hint."""
    with pytest.raises(QwenTokenNotAvailableError) as caught:
        ask()
    assert "qwen-portal login" in caught.value.hint


@BOTH
def test_an_unknown_account_is_named_at_once(ask: Call, signed_in: Emulator) -> None:
    """Before any request."""
    with pytest.raises(QwenTokenNotAvailableError, match="'nobody'"):
        ask(client={"account": "nobody"})
    assert signed_in.chats() == []


@pytest.mark.reported("agentscope-ai/agentscope-java#1270")
@BOTH
@pytest.mark.parametrize("without", [{}, {"content": None}])
def test_a_call_without_content_is_sent_with_empty_text(
    ask: Call, without: dict[str, Any], signed_in: Emulator
) -> None:
    """The SDK sends what it is given, and the service wants content in each message.

    Source: agentscope-ai/agentscope-java#1270, https://github.com/agentscope-ai/agentscope-java/issues/1270.
    """
    function = {"name": "f", "arguments": "{}"}
    calls = {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": function}], **without}
    ask(messages=[*HELLO, calls, {"role": "tool", "tool_call_id": "call_1", "content": "3"}])
    (chat,) = signed_in.chats()
    assert (chat.status, chat.body["messages"][1]["content"]) == (200, "")


@BOTH
def test_a_bad_request_is_refused_before_it_is_sent(ask: Call, signed_in: Emulator) -> None:
    """An image for a model that takes text alone."""
    image = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    with pytest.raises(QwenBadRequestError):
        ask(messages=[{"role": "user", "content": [image]}])
    assert signed_in.chats() == []


@BOTH
def test_what_the_environment_has_for_openai_stays_here(
    ask: Call, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its key nor its address, organization, project or headers reach Qwen."""
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", "meant-for-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Other: meant-for-openai")
    ask()
    (chat,) = signed_in.chats()
    assert "meant-for-openai" not in str(chat)


@pytest.mark.parametrize("name", ["api_key", "base_url", "http_client", "organization", "project"])
@pytest.mark.parametrize("make", [qwen_portal.openai_client, qwen_portal.async_openai_client])
def test_what_the_account_decides_is_not_taken(make: Call, name: str, signed_in: Emulator) -> None:
    """A bearer never goes where an argument points."""
    with pytest.raises(QwenError, match=name):
        make(**{name: "x"})
    with pytest.raises(QwenError, match=name):
        make().with_options(**{name: "x"})


def test_a_changed_copy_is_of_the_same_account(signed_in: Emulator) -> None:
    """with_options is how the SDK changes a setting for one call."""
    with qwen_portal.openai_client(default_headers={"X-Mine": "1"}) as client:
        changed = client.with_options(max_retries=0, timeout=30.0)
        create: Call = changed.chat.completions.create
        create(model="coder-model", messages=HELLO)
    (chat,) = signed_in.chats()
    assert (chat.status, chat.headers["x-mine"]) == (200, "1")


def test_a_changed_async_copy_is_of_the_same_account(signed_in: Emulator) -> None:
    """The same on an event loop."""

    async def ask() -> None:
        async with qwen_portal.async_openai_client() as client:
            create: Call = client.with_options(max_retries=0).chat.completions.create
            await create(model="coder-model", messages=HELLO)

    asyncio.run(ask())
    assert [chat.status for chat in signed_in.chats()] == [200]


@BOTH
def test_the_services_errors_are_the_sdks(ask: Call, signed_in: Emulator) -> None:
    """Whoever writes against the SDK catches its classes."""
    signed_in.scenario("burst", times=1)
    with pytest.raises(openai.RateLimitError):
        ask(client={"max_retries": 0})


@pytest.mark.reported("OpenKB#242")
@BOTH
@pytest.mark.parametrize("name", ["framed, error object", "framed, four lines", "framed, CRLF and a byte order mark"])
def test_a_framed_quota_is_not_asked_again(ask: Call, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenKB#242: the SDK repeats a 429 unless it is told that waiting a moment does not help."""
    keep_key()
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return REFUSED[name].answer(request)

    transport = httpx.MockTransport(answer)
    for options in ("client_options", "async_client_options"):
        monkeypatch.setattr(f"qwen_portal.openai_sdk.{options}", lambda: {**OPTIONS, "transport": transport})
    with pytest.raises((openai.RateLimitError, openai.PermissionDeniedError)):
        ask()
    assert len(sent) == 1


def test_other_paths_go_to_the_account_as_they_are(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Embeddings, for one; the key goes to its host alone."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/v1")
    Session().accounts.add("studio", Credential.from_key(Secret("sk-" + "0" * 32), plan="studio-intl"))
    with qwen_portal.openai_client("studio", max_retries=0) as client:
        answer = client.embeddings.create(model="text-embedding-v4", input=["Hello"])
    assert len(answer.data[0].embedding) == 1024
    (asked,) = emulator.log()
    assert asked.path == "/v1/embeddings"
    assert asked.body == {"model": "text-embedding-v4", "input": ["Hello"], "encoding_format": "base64"}


def test_without_the_extra_the_error_names_it() -> None:
    """Importing the package needs no SDK; the function says what does."""
    code = """
import sys
sys.modules["openai"] = None
from qwen_portal import *
import qwen_portal
try:
    qwen_portal.openai_client()
except qwen_portal.QwenError as exc:
    print(exc.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "qwen-portal[openai]" in done.stdout
