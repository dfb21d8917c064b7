"""The model inside LangChain's agents, deepagents among them."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware, ModelRetryMiddleware, SummarizationMiddleware
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_qwen_portal import ChatQwenPortal, init_chat_model
from qwen_portal import QwenQuotaExceededError
from qwen_portal.emulator import Emulator

pytestmark = pytest.mark.usefixtures("signed_in", "closing")

QUESTION: Any = {"messages": [("user", "Use add to compute 17 plus 25.")]}
STEPS = 10
MANY_STEPS: Any = {
    "messages": [("user", "Use " + ", then ".join(f"add for {step} and 1" for step in range(1, STEPS + 1)))]
}


class Result(BaseModel):
    """The result of a computation."""

    value: int


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_an_agent_calls_its_tool_and_answers() -> None:
    """Question, call, result, answer."""
    messages = create_agent(ChatQwenPortal(), [add]).invoke(QUESTION)["messages"]
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    assert "42" in messages[-1].text


async def test_an_async_agent_streams() -> None:
    """The same, streamed token by token on an event loop."""
    agent = create_agent(ChatQwenPortal(), [add])
    parts: list[Any] = [part async for part in agent.astream(QUESTION, stream_mode="messages")]
    assert "".join(message.text for message, _ in parts).endswith("42")


@pytest.mark.parametrize("output_version", ["v0", "v1"])
async def test_ten_steps_are_streamed_with_their_usage(output_version: str, emulator: Emulator) -> None:
    """Every one of the eleven requests is a stream, and each answer brings its calls and its usage."""
    agent = create_agent(ChatQwenPortal(output_version=output_version, enable_thinking=True), [add])
    stream = agent.astream(MANY_STEPS, stream_mode=["messages", "values"])
    parts: list[Any] = [part async for part in stream]
    answers = [each for each in parts[-1][1]["messages"] if isinstance(each, AIMessage)]
    assert [entry.body["stream"] for entry in emulator.chats()] == [True] * (STEPS + 1)
    assert [len(answer.tool_calls) for answer in answers] == [1] * STEPS + [0]
    assert all(answer.usage_metadata and answer.usage_metadata["output_tokens"] for answer in answers)
    assert all("reasoning" in {block["type"] for block in answer.content_blocks} for answer in answers)


def test_an_agents_model_can_be_chosen_by_the_config(emulator: Emulator) -> None:
    """A model made by name works inside an agent."""
    model: Any = init_chat_model("qwen-portal:coder-model", temperature=0)
    assert "42" in create_agent(model, [add]).invoke(QUESTION)["messages"][-1].text
    assert {entry.body["temperature"] for entry in emulator.chats()} == {0}


def test_a_structured_answer_is_asked_for_by_a_tool(emulator: Emulator) -> None:
    """The profile says that the portal's model is not known to keep to a schema, so the agent forces a tool instead."""
    agent = create_agent(ChatQwenPortal(enable_thinking=True), [add], response_format=Result)
    assert agent.invoke(QUESTION)["structured_response"] == Result(value=42)
    assert {entry.body.get("tool_choice") for entry in emulator.chats()} == {"required"}


def test_a_long_conversation_is_summarised_by_fraction(emulator: Emulator) -> None:
    """The window is in the profile: at a fraction of it the older messages become a summary."""
    model = ChatQwenPortal()
    window = (model.profile or {})["max_input_tokens"]
    summarise = SummarizationMiddleware(model, trigger=("fraction", 2_000 / window), keep=("messages", 1))
    agent = create_agent(model, middleware=[summarise])
    history = [HumanMessage("Tell me a story. " * 400), AIMessage("Once upon a time. " * 400)]
    short: Any = {"messages": [HumanMessage("Hi")]}
    assert len(agent.invoke(short)["messages"]) == 2
    assert len(emulator.chats()) == 1
    long: Any = {"messages": [*history, HumanMessage("What is 2+2?")]}
    messages = agent.invoke(long)["messages"]
    assert "2+2 = 4" in messages[-1].text
    assert "Tell me a story" not in messages[1].text
    assert len(emulator.chats()) == 3


def test_the_retry_middleware_repeats_what_may_pass_and_nothing_else(emulator: Emulator) -> None:
    """A burst passes, a spent quota does not; the middleware reads is_retryable."""
    model = ChatQwenPortal(max_retries=0)
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False, on_failure="error")
    agent = create_agent(model, [add], middleware=[retry])
    emulator.scenario("burst", times=1)
    assert "42" in agent.invoke(QUESTION)["messages"][-1].text
    before = len(emulator.chats())
    emulator.scenario("quota")
    with pytest.raises(QwenQuotaExceededError):
        agent.invoke(QUESTION)
    assert len(emulator.chats()) == before + 1


def test_the_fallback_middleware_takes_the_next_model(emulator: Emulator) -> None:
    """It goes on with the tool calls where the first model failed."""
    emulator.scenario("error-500", times=1)
    fallback = ModelFallbackMiddleware(ChatQwenPortal(model="vision-model"))
    agent = create_agent(ChatQwenPortal(max_retries=0), [add], middleware=[fallback])
    assert "42" in agent.invoke(QUESTION)["messages"][-1].text
    assert emulator.chats()[1].body["model"] == "vision-model"
