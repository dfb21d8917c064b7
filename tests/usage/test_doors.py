"""Whoever asks, and through whichever door: each request is one row."""

import litellm
import pytest

import litellm_qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from tests.cli.program import run
from tests.usage.counted import counted, switch_on
from tests.ways import HELLO

litellm_qwen_portal.register()


@pytest.mark.usefixtures("signed_in")
# LiteLLM's own, as in tests/litellm/conftest.py
@pytest.mark.filterwarnings("ignore:Accessing the 'model_:pydantic.warnings.PydanticDeprecatedSince211")
def test_both_doors_and_the_command_line_are_counted() -> None:
    """One row for each, not two."""
    switch_on()
    ChatQwenPortal().invoke("What is 2+2?")
    list(ChatQwenPortal().stream("What is 2+2?"))
    litellm.completion("qwen-portal/coder-model", HELLO)
    list(litellm.completion("qwen-portal/coder-model", HELLO, stream=True))
    assert run("chat", "What is 2+2?").exit_code == 0
    assert run("status", "--check").exit_code == 0
    assert run("check", "-m", "coder-model").exit_code == 0

    assert counted("outcome", "prompt_tokens") == [("ok", 10)] * 5 + [("ok", 8)] * 2
