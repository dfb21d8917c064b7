"""What the cassettes tell: each story is recorded once and replayed by a test, which looks at what it returns."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import qwen_portal
from qwen_portal import Account, PortalClient, QwenLoginDeniedError

SignIn = Callable[[], Account]
T = TypeVar("T")

QUESTION = "What is 17 + 25?"
WEATHER = "What is the weather in Paris?"
RED_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQAY3Y2wAAAAAElFTkSuQmCC"
)
TEN_STEPS = "Use " + ", then ".join(
    f"{name} for {number} and {number + 1}" for number, name in enumerate(["add", "multiply"] * 5, start=1)
)
FILE_WORK = 'Use add for 17 and 25, then write_file to /sum.txt with "The sum is 42", then read_file /sum.txt'


# Signing in.


def device_flow(sign_in: SignIn) -> Account:
    """Sign in with a device code."""
    return sign_in()


def denied(sign_in: SignIn) -> str:
    """Sign in, and be refused in the browser."""
    try:
        sign_in()
    except QwenLoginDeniedError as refused:
        return refused.message
    raise AssertionError("The sign-in was not denied.")


def refresh(sign_in: SignIn) -> list[str]:
    """Sign in, and refresh the token; return both."""
    sign_in()
    return [qwen_portal.get_access_token(), qwen_portal.get_access_token(force_refresh=True)]


def renewal(sign_in: SignIn) -> str:
    """Sign in, and ask with a token that has died meanwhile."""
    sign_in()
    answer = PortalClient().chat([{"role": "user", "content": QUESTION}])
    return str(answer["choices"][0]["message"]["content"])


# LangChain.


def langchain_invoke() -> Any:
    """Ask for a whole answer."""
    return _model().invoke(QUESTION)


def langchain_stream() -> list[Any]:
    """Ask for a streamed answer."""
    return list(_model().stream(QUESTION))


def langchain_astream() -> list[Any]:
    """Ask for a streamed answer on an event loop."""

    async def read() -> list[Any]:
        try:
            return [chunk async for chunk in _model().astream(QUESTION)]
        finally:
            await qwen_portal.aclose()

    return asyncio.run(read())


def langchain_tools() -> list[Any]:
    """Let the model call a tool, and answer from its result."""
    from langchain_core.messages import HumanMessage
    from langchain_core.tools import tool

    @tool
    def get_weather(city: str) -> str:
        """Tell the weather in a city."""
        return f"18 degrees and sunny in {city}"

    model = _model().bind_tools([get_weather])
    messages: list[Any] = [HumanMessage(WEATHER)]
    messages.append(model.invoke(messages))
    messages += [get_weather.invoke(call) for call in messages[-1].tool_calls]
    messages.append(model.invoke(messages))
    return messages


def langchain_structured_output() -> Any:
    """Ask for data in the shape of a class."""
    from pydantic import BaseModel, Field

    class Person(BaseModel):
        """A person."""

        name: str = Field(description="First name")
        age: int = Field(description="Age in years")

    return _model().with_structured_output(Person).invoke('Her name is "Anna", and she is 31 years old.')


def langchain_image() -> Any:
    """Ask about a picture."""
    from langchain_core.messages import HumanMessage

    parts: list[str | dict[Any, Any]] = [
        {"type": "text", "text": "What is in this picture?"},
        {"type": "image_url", "image_url": {"url": RED_PIXEL}},
    ]
    return _model(model="vision-model").invoke([HumanMessage(parts)])


def langchain_agent() -> list[Any]:
    """Let an agent work in ten steps with two tools, streamed."""
    from langchain.agents import create_agent

    return _streamed(create_agent(_model(), [*_sums()]), TEN_STEPS)


def langchain_deep_agent() -> list[Any]:
    """Let a deep agent compute, write the result to its file system, and read it again, streamed."""
    from deepagents import create_deep_agent

    agent = create_deep_agent(model=_model(), tools=[*_sums()], system_prompt="You do sums.")
    return _streamed(agent, FILE_WORK)


# LiteLLM.


def litellm_completion() -> Any:
    """Ask for a whole answer."""
    return _litellm().completion(**_litellm_question())


def litellm_stream() -> list[Any]:
    """Ask for a streamed answer."""
    return list(_litellm().completion(**_litellm_question(), stream=True))


def litellm_acompletion() -> Any:
    """Ask for a whole answer on an event loop."""
    return _on_litellms_loop(lambda: _litellm().acompletion(**_litellm_question()))


def litellm_astream() -> list[Any]:
    """Ask for a streamed answer on an event loop."""

    async def read() -> list[Any]:
        return [chunk async for chunk in await _litellm().acompletion(**_litellm_question(), stream=True)]

    return _on_litellms_loop(read)


def litellm_tools() -> list[Any]:
    """Let the model call a tool, and answer from its result."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    function = {"name": "get_weather", "description": "Tell the weather in a city.", "parameters": schema}
    tools = [{"type": "function", "function": function}]
    messages: list[Any] = [{"role": "user", "content": WEATHER}]
    first = _litellm().completion(**_litellm_question() | {"messages": messages}, tools=tools)
    called = first.choices[0].message
    messages.append(called.model_dump())
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": "18 degrees and sunny"} for call in called.tool_calls
    ]
    second = _litellm().completion(**_litellm_question() | {"messages": messages}, tools=tools)
    return [called, second.choices[0].message]


SIGNING_IN: dict[str, Callable[[SignIn], object]] = {
    "sign_in/device_flow": device_flow,
    "sign_in/denied": denied,
    "sign_in/refresh": refresh,
    "sign_in/renewal": renewal,
}
ASKING: dict[str, Callable[[], Any]] = {
    "langchain/invoke": langchain_invoke,
    "langchain/stream": langchain_stream,
    "langchain/astream": langchain_astream,
    "langchain/tools": langchain_tools,
    "langchain/structured_output": langchain_structured_output,
    "langchain/image": langchain_image,
    "langchain/agent": langchain_agent,
    "langchain/deep_agent": langchain_deep_agent,
    "litellm/completion": litellm_completion,
    "litellm/stream": litellm_stream,
    "litellm/acompletion": litellm_acompletion,
    "litellm/astream": litellm_astream,
    "litellm/tools": litellm_tools,
}


def _model(**options: Any) -> Any:
    from langchain_qwen_portal import ChatQwenPortal

    return ChatQwenPortal(**options)


def _sums() -> Iterator[Any]:
    from langchain_core.tools import tool

    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @tool
    def multiply(a: int, b: int) -> int:
        """Multiply two numbers."""
        return a * b

    yield from (add, multiply)


def _streamed(agent: Any, question: str) -> list[Any]:
    """Run an agent token by token; return the messages of its whole run."""
    parts = agent.stream({"messages": [("user", question)]}, stream_mode=["messages", "values"])
    messages: list[Any] = [part for mode, part in parts if mode == "values"][-1]["messages"]
    return messages


def _litellm() -> Any:
    import litellm

    import litellm_qwen_portal  # noqa: F401 - importing registers the provider

    return litellm


def _litellm_question() -> dict[str, Any]:
    return {"model": "qwen-portal/coder-model", "messages": [{"role": "user", "content": QUESTION}]}


def _on_litellms_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    from tests.litellm.ways import run

    return run(work)
