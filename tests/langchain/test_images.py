"""Images: by data URL and by address, for models that take them, and refused in time for others."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import QwenBadRequestError
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ALL, Way

pytestmark = pytest.mark.usefixtures("signed_in")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DATA_URL = f"data:image/png;base64,{PIXEL}"
FORMS: dict[str, dict[str, Any]] = {
    "openai": {"type": "image_url", "image_url": {"url": DATA_URL}},
    "langchain": {"type": "image", "base64": PIXEL, "mime_type": "image/png"},
    "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
}


def _question(part: dict[str, Any]) -> list[HumanMessage]:
    return [HumanMessage([{"type": "text", "text": "What is this?"}, part])]


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("form", FORMS)
def test_a_picture_is_seen(ask: Way, form: str, emulator: Emulator) -> None:
    """Every form of a picture arrives as an image_url with its data."""
    assert (
        "1 image: a PNG image of 1x1 pixels" in ask(ChatQwenPortal(model="vision-model"), _question(FORMS[form])).text
    )
    assert emulator.chats()[0].body["messages"][0]["content"][1]["image_url"]["url"] == DATA_URL


def test_a_picture_by_address_is_left_to_the_service() -> None:
    """An address is passed on; nothing is downloaded here."""
    part = {"type": "image", "url": "https://example.com/cat.png"}
    assert "example.com" in ChatQwenPortal(model="vision-model").invoke(_question(part)).text


@pytest.mark.parametrize("ask", ALL)
def test_a_picture_for_a_text_model_is_refused_before_the_request(ask: Way, emulator: Emulator) -> None:
    """coder-model takes text only: the error names vision-model, and nothing is sent."""
    with pytest.raises(QwenBadRequestError, match="vision-model"):
        ask(ChatQwenPortal(), _question(FORMS["openai"]))
    assert not emulator.chats()


def test_a_picture_can_be_sent_all_the_same(emulator: Emulator) -> None:
    """allow_images=True leaves the judgement to the service."""
    with pytest.raises(QwenBadRequestError, match="takes text only"):
        ChatQwenPortal(allow_images=True, max_retries=0).invoke(_question(FORMS["openai"]))
    assert len(emulator.chats()) == 1
