"""An agent that calls a tool: LangChain's ``create_agent`` on ChatQwenPortal.

Sign in once with ``qwen-portal login``, then: pip install "qwen-portal[langchain]" langchain
"""

import sys

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool

from langchain_qwen_portal import ChatQwenPortal


@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def main() -> None:
    """Ask the question on the command line, and print what was said and called."""
    question = " ".join(sys.argv[1:]) or "What is 6 times 7?"
    agent = create_agent(ChatQwenPortal(), tools=[multiply])
    for message in agent.invoke({"messages": [HumanMessage(question)]})["messages"]:
        message.pretty_print()


if __name__ == "__main__":
    main()
