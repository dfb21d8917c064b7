"""LangChain's standard suite, the same for every peer: all properties on, both models, against the emulator.

Run by benchmarks/peers.py in each peer's environment.
"""

import base64
from typing import Any, Literal

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests

from benchmarks.peer_checks.models import CODER, URL, VISION, address, make, model_class, named
from benchmarks.peer_checks.talk import PIXEL, streamed

Details = dict[
    Literal["invoke", "stream"],
    list[Literal["audio_input", "audio_output", "reasoning_output", "cache_read_input", "cache_creation_input"]],
]


class Suite(ChatModelIntegrationTests):
    """What both classes share."""

    model_id: str

    @pytest.fixture(autouse=True)
    def picture(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The picture that one test downloads comes from here."""
        monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(200, content=base64.b64decode(PIXEL)))

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        """The class under test."""
        return model_class()

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """Its arguments."""
        return {"model": named(self.model_id), **address(URL)}

    @property
    def model_override_value(self) -> str:
        """One whose name the service repeats in its answer."""
        return named("qwen3-coder-plus")

    @property
    def supports_json_mode(self) -> bool:
        """Yes."""
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        """Yes."""
        return True

    @property
    def supported_usage_metadata_details(self) -> Details:
        """What the service counts."""
        return {"invoke": ["reasoning_output", "cache_read_input"], "stream": ["reasoning_output", "cache_read_input"]}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        """Ask a model that thinks: qwen3.6-plus and the portal's coder think when told to."""
        model = make(self.model_id).bind(extra_body={"enable_thinking": True})
        return _asked(model, "What is 17 * 3?", stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        """Ask the same twice."""
        model, question = make(self.model_id), "What is 17 * 3? " + "Take your time. " * 100
        model.invoke(question)
        return _asked(model, question, stream=stream)


class TestCoder(Suite):
    """coder-model."""

    model_id = CODER


class TestVision(Suite):
    """vision-model: pictures too."""

    model_id = VISION

    @property
    def supports_image_inputs(self) -> bool:
        """Yes."""
        return True

    @property
    def supports_image_urls(self) -> bool:
        """Yes."""
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        """Yes."""
        return True


def _asked(model: Any, question: str, *, stream: bool) -> AIMessage:
    answer: AIMessage = streamed(model, question) if stream else model.invoke(question)
    return answer
