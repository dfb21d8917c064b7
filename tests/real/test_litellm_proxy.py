"""A real ``litellm --config`` process: what OpenAI's and Anthropic's clients, curl and a load balancer ask of it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from qwen_portal.emulator import Emulator
from tests.real.litellm_proxy import KEY, Proxy, environment, replicas, sign_in

pytestmark = pytest.mark.real

MODEL = "coder-model"
HELLO: Any = [{"role": "user", "content": "What is 2+2?"}]
WEATHER: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": SCHEMA}}

ERRORS: dict[str, type[openai.APIStatusError]] = {
    "input-range": openai.BadRequestError,
    "moderation": openai.BadRequestError,
    "quota": openai.RateLimitError,
    "ended": openai.AuthenticationError,
}


@pytest.fixture(scope="module")
def portal() -> Iterator[Emulator]:
    """Run the emulated service for all tests of this file."""
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the proxy a place for its state and its log."""
    return tmp_path_factory.mktemp("proxy")


@pytest.fixture(scope="module")
def variables(portal: Emulator, folder: Path) -> dict[str, str]:
    """Sign an account in; these are the variables with which a program finds it."""
    found = environment(portal, folder / "state")
    sign_in(found)
    return found


@pytest.fixture(scope="module")
def started(folder: Path, variables: dict[str, str]) -> Iterator[Proxy]:
    """Run one proxy for all tests of this file; starting one takes seconds."""
    with replicas(1, folder, variables) as (proxy,):
        yield proxy


@pytest.fixture
def proxy(portal: Emulator, started: Proxy) -> Proxy:
    """Give each test the proxy with an empty log at the service."""
    portal.clear_log()
    return started


@pytest.fixture
def client(proxy: Proxy) -> Iterator[openai.OpenAI]:
    """OpenAI's own client, which does not repeat anything by itself."""
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0) as made:
        yield made


@pytest.fixture
def claude(proxy: Proxy) -> Iterator[anthropic.Anthropic]:
    """Anthropic's own client."""
    with anthropic.Anthropic(base_url=proxy.url, api_key=KEY, max_retries=0) as made:
        yield made


def curl(proxy: Proxy, path: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Ask with curl, as a script does."""
    command = ["curl", "--silent", "--show-error", "--no-buffer", "--noproxy", "*", *options, f"{proxy.url}{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def get(proxy: Proxy, path: str) -> Any:
    """Ask for JSON, with the master key."""
    return httpx.get(
        f"{proxy.url}{path}", headers={"Authorization": f"Bearer {KEY}"}, timeout=120, trust_env=False
    ).json()


def test_openai_chat(client: openai.OpenAI, portal: Emulator) -> None:
    """An answer with real usage, under the cap."""
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert "4" in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert portal.chats()[-1].body["max_tokens"] == 65_536


def test_openai_stream(client: openai.OpenAI) -> None:
    """Pieces of text, one reason at the end, then the service's usage."""
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True})
    )
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "4" in "".join(choice.delta.content or "" for choice in choices)
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert [chunk.usage.total_tokens > 0 for chunk in chunks if chunk.usage] == [True]


@pytest.mark.parametrize("model", ["vision-model", "qwen-portal/coder-model", "qwen-portal/qwen3-coder-plus"])
def test_other_models_by_name_and_wildcard(client: openai.OpenAI, portal: Emulator, model: str) -> None:
    """The second model, and whatever else the account's plan offers."""
    client.chat.completions.create(model=model, messages=HELLO)
    assert portal.chats()[-1].body["model"] == model.removeprefix("qwen-portal/")


def test_the_oldest_interface(client: openai.OpenAI) -> None:
    """/v1/completions, whole and streamed, with real usage."""
    whole = client.completions.create(model=MODEL, prompt="What is 2+2?")
    assert "4" in whole.choices[0].text
    assert whole.usage is not None
    assert whole.usage.total_tokens > 0
    pieces = list(client.completions.create(model=MODEL, prompt="What is 2+2?", stream=True))
    assert "".join(choice.text or "" for piece in pieces for choice in piece.choices) == whole.choices[0].text


FOR_A_FALLBACK: dict[str, Any] = {"model": "none", "fallbacks": [{"model": MODEL, "qwen_account": "work"}]}
CHOICES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": HELLO, "qwen_account": "work"}),
    ("/v1/chat/completions", {"messages": HELLO, "qwen_account": "default", "stream": True}),
    ("/v1/chat/completions", {"messages": HELLO, "qwen_plan": "coding"}),
    ("/v1/chat/completions", {"messages": HELLO, "api_key": "sk-0123456789abcdef"}),
    ("/v1/chat/completions", {"messages": HELLO, "extra_body": {"qwen_account": "work"}}),
    ("/v1/chat/completions", {"messages": HELLO} | FOR_A_FALLBACK),
    ("/v1/completions", {"prompt": "What is 2+2?", "qwen_account": "work"}),
    ("/v1/responses", {"input": "What is 2+2?", "qwen_account": "work"}),
    ("/v1/messages", {"messages": HELLO, "max_tokens": 9, "qwen_account": "work"}),
    ("/v1/messages", {"messages": HELLO, "max_tokens": 9, "qwen_account": "work", "stream": True}),
]


@pytest.mark.parametrize(("path", "body"), CHOICES, ids=str)
def test_a_client_does_not_choose_the_account(proxy: Proxy, portal: Emulator, path: str, body: dict[str, Any]) -> None:
    """By no route, and a wrong label tells nobody which accounts the machine has."""
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = httpx.post(
        f"{proxy.url}{path}", json={"model": MODEL} | body, headers=headers, timeout=120, trust_env=False
    )
    assert answer.status_code == 400
    assert "configuration chooses" in answer.text
    assert "accounts here" not in answer.text
    assert not portal.chats()


def test_openai_tools(client: openai.OpenAI) -> None:
    """A call, then an answer to its result."""
    first = client.chat.completions.create(model=MODEL, messages=WEATHER, tools=[TOOL])
    message = first.choices[0].message
    assert message.tool_calls is not None
    made: Any = message.tool_calls[0]
    assert json.loads(made.function.arguments) == {"city": "Paris"}
    result = {"role": "tool", "tool_call_id": made.id, "content": "19 degrees"}
    history: Any = [*WEATHER, message.model_dump(exclude_none=True), result]
    second = client.chat.completions.create(model=MODEL, messages=history, tools=[TOOL])
    assert "19" in (second.choices[0].message.content or "")


def test_openai_responses(client: openai.OpenAI) -> None:
    """LiteLLM's bridge for OpenAI's newer interface, whole and streamed, with a tool."""
    assert "4" in client.responses.create(model=MODEL, input="What is 2+2?").output_text
    events = list(client.responses.create(model=MODEL, input="What is 2+2?", stream=True))
    assert "4" in "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert events[-1].type == "response.completed"
    tool: Any = {"type": "function", "name": "get_weather", "parameters": SCHEMA}
    answer = client.responses.create(model=MODEL, input="What is the weather in Paris?", tools=[tool])
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [json.loads(call.arguments) for call in calls] == [{"city": "Paris"}]


@pytest.fixture
def signed_in_again(variables: dict[str, str], portal: Emulator) -> Iterator[None]:
    """Sign in afterwards: that the service has ended is remembered until somebody does."""
    yield
    for scenario in ERRORS:
        portal.scenario(scenario, on=False)
    sign_in(variables)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("scenario", ERRORS)
@pytest.mark.usefixtures("signed_in_again")
def test_openai_errors(client: openai.OpenAI, portal: Emulator, scenario: str, stream: bool) -> None:
    """The client gets the status, whole or streamed, and our hint with it."""
    portal.scenario(scenario)
    with pytest.raises(ERRORS[scenario], match="qwen-portal") as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
    assert not any(token in caught.value.response.text for token in portal.issued_tokens())


def test_embeddings_are_a_bad_request(client: openai.OpenAI) -> None:
    """The service has none; that is the client's mistake, not a failure to repeat."""
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="qwen-portal/coder-model", input="Hello")


def test_anthropic_messages(claude: anthropic.Anthropic) -> None:
    """An answer with real usage, and a tool."""
    answer = claude.messages.create(model=MODEL, max_tokens=100, messages=HELLO)
    assert "4" in "".join(block.text for block in answer.content if block.type == "text")
    assert answer.stop_reason == "end_turn"
    # an earlier test asked the same, so that the service's cache may have it
    assert answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0) > 0
    assert answer.usage.output_tokens > 0
    tool: Any = {"name": "get_weather", "description": "Weather", "input_schema": SCHEMA}
    called = claude.messages.create(model=MODEL, max_tokens=100, messages=WEATHER, tools=[tool])
    assert called.stop_reason == "tool_use"
    assert [block.input for block in called.content if block.type == "tool_use"] == [{"city": "Paris"}]


def test_anthropic_stream(claude: anthropic.Anthropic) -> None:
    """The client's own accumulation of the events gives the same answer and real usage."""
    with claude.messages.stream(model=MODEL, max_tokens=100, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert "4" in text
    assert final.stop_reason == "end_turn"
    assert final.usage.input_tokens + (final.usage.cache_read_input_tokens or 0) > 0
    assert final.usage.output_tokens > 0


def test_a_pdf_is_a_bad_request(claude: anthropic.Anthropic, portal: Emulator) -> None:
    """LiteLLM makes the address of an image of Anthropic's document."""
    source: Any = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    content: Any = [{"type": "document", "source": source}, {"type": "text", "text": "What is in it?"}]
    with pytest.raises(anthropic.BadRequestError, match="application/pdf"):
        claude.messages.create(model="vision-model", max_tokens=100, messages=[{"role": "user", "content": content}])
    assert not portal.chats()


def test_thinking_as_claude_code_sends_it(claude: anthropic.Anthropic, portal: Emulator) -> None:
    """System parts and messages marked for the cache, tools, metadata, a beta header, thinking, streamed."""
    cached: Any = {"type": "ephemeral"}
    wanted: Any = {
        "model": MODEL,
        "max_tokens": 32_000,
        "thinking": {"type": "enabled", "budget_tokens": 31_999},
        "system": [
            {"type": "text", "text": "You are a helpful assistant.", "cache_control": cached},
            {"type": "text", "text": "Be brief.", "cache_control": cached},
        ],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "What is 2+2?", "cache_control": cached}]}],
        "tools": [{"name": "get_weather", "description": "Weather", "input_schema": SCHEMA}],
        "metadata": {"user_id": "user_0123_account__session_4567"},
        "extra_body": {"temperature": 1},
        "extra_headers": {"anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14"},
    }
    with claude.messages.stream(**wanted) as stream:
        final = stream.get_final_message()
    kinds = [block.type for block in final.content]
    assert kinds == ["thinking", "text"]
    assert "4" in "".join(block.text for block in final.content if block.type == "text")
    body = portal.chats()[-1].body
    # LiteLLM's bridge hands an effort on, not the budget
    assert (body["enable_thinking"], body["thinking_budget"], body["max_tokens"]) == (True, 4_096, 32_000)
    history = [*wanted["messages"], {"role": "assistant", "content": final.content}, *HELLO]
    with claude.messages.stream(**wanted | {"messages": history}) as stream:
        answered = stream.get_final_message()
    assert answered.stop_reason == "end_turn"


def test_curl(proxy: Proxy) -> None:
    """A whole answer and a stream that ends as it should."""
    body = {"model": MODEL, "messages": HELLO}
    options = ["-H", f"Authorization: Bearer {KEY}", "-H", "Content-Type: application/json", "-d"]
    whole = curl(proxy, "/v1/chat/completions", *options, json.dumps(body))
    assert "4" in json.loads(whole.stdout)["choices"][0]["message"]["content"]
    stream = curl(proxy, "/v1/chat/completions", *options, json.dumps(body | {"stream": True}))
    lines = [line for line in stream.stdout.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"


def test_without_the_master_key_nobody_is_served(proxy: Proxy, portal: Emulator) -> None:
    """Neither without a key nor with another one; the status is LiteLLM's own (500 where it misses prisma)."""
    for headers in ({}, {"Authorization": "Bearer sk-wrong"}):
        answer = httpx.post(
            f"{proxy.url}/v1/chat/completions",
            json={"model": MODEL, "messages": HELLO},
            headers=headers,
            timeout=120,
            trust_env=False,
        )
        assert answer.is_error
    assert not portal.chats()


def test_health(proxy: Proxy, portal: Emulator) -> None:
    """Each of the two models is asked once, for one token, and is healthy."""
    health = get(proxy, "/health")
    assert (health["healthy_count"], health["unhealthy_count"]) == (2, 0)
    assert sorted(entry.body["model"] for entry in portal.chats()) == ["coder-model", "vision-model"]
    assert [entry.body["max_tokens"] for entry in portal.chats()] == [1, 1]


def test_models_are_listed_with_their_limits(proxy: Proxy) -> None:
    """A client can see the windows; and LiteLLM, which cannot list what the wildcard stands for, logs no error."""
    before = len(proxy.log.read_text("utf-8", "replace"))
    models = {row["id"]: row for row in get(proxy, "/v1/models")["data"]}
    limits = {name: (row["max_input_tokens"], row["max_output_tokens"]) for name, row in models.items()}
    assert limits == {"coder-model": (1_000_000, 65_536), "vision-model": (131_072, 8_192)}
    assert "rror" not in proxy.log.read_text("utf-8", "replace")[before:]


def _post(proxy: Proxy, more: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.post(
        f"{proxy.url}/v1/chat/completions",
        json={"model": MODEL, "messages": HELLO, **more},
        headers={"Authorization": f"Bearer {KEY}", **(headers or {})},
        timeout=120,
        trust_env=False,
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "named",
    [
        lambda url: {"api_base": url},
        lambda url: {"base_url": url},
        lambda url: {"extra_body": {"api_base": url}},
        lambda url: {"litellm_params": {"api_base": url}},
        lambda url: {"model_info": {"base_url": url}},
        lambda url: {"fallbacks": [{"model": MODEL, "api_base": url}]},
    ],
)
def test_a_client_s_address_gets_nothing(proxy: Proxy, portal: Emulator, named: Any, *, stream: bool) -> None:
    """LiteLLM turns most away before we are asked, with a 401, or a 500 where it misses prisma; others are a 400."""
    with Emulator() as elsewhere:
        assert _post(proxy, {"stream": stream, **named(elsewhere.base_url)}).status_code in {400, 401, 500}
        assert not elsewhere.log()
    assert not portal.chats()


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "Forwarded", "X-Original-URL"])
def test_a_client_s_headers_lead_nowhere_else(proxy: Proxy, portal: Emulator, name: str) -> None:
    """They are the proxy's to read, and none of them goes on."""
    assert _post(proxy, {}, {name: "evil.example"}).is_success
    (chat,) = portal.chats()
    assert chat.headers["host"] == portal.url.removeprefix("http://")
    assert "evil.example" not in str(chat.headers)
