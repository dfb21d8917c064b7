"""Arguments that cannot be meant: a bad request with a hint, which no Router repeats, and no request to the service."""

from typing import Any

import pytest
from litellm import exceptions
from litellm.router import Router

from litellm_qwen_portal import QwenPortalLLM
from qwen_portal import QwenBadRequestError
from qwen_portal.emulator import Emulator
from tests.litellm.ways import CALLS, HELLO, MODEL, call
from tests.sign_ins import keep_sign_in

VISION = "qwen-portal/vision-model"
# An argument, and what the hint says.
NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"qwen_account": True}, "quotes"),
    ({"qwen_account": 1.5}, "quotes"),
    ({"qwen_account": ["work"]}, "quotes"),
    ({"qwen_plan": {"name": "coding"}}, "quotes"),
    ({"max_retries": "abc"}, "whole number"),
    ({"max_retries": -1}, "whole number"),
    ({"timeout": 0}, "seconds above 0"),
    ({"timeout": -1}, "seconds above 0"),
    ({"timeout": float("nan")}, "seconds above 0"),
    ({"thinking": "on"}, "budget_tokens"),
    ({"thinking": {"type": "yes"}}, "budget_tokens"),
    ({"thinking": {"budget_tokens": 5}}, "budget_tokens"),
    ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "budget_tokens"),
    ({"thinking": {"type": "enabled", "budget_tokens": "many"}}, "budget_tokens"),
    ({"reasoning_effort": "bananas"}, "minimal, low, medium, high"),
    ({"reasoning_effort": 3}, "minimal, low, medium, high"),
    ({"reasoning_effort": {"effort": "bananas"}}, "minimal, low, medium, high"),
    ({"modalities": ["text", "audio"]}, "audio"),
    ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    ({"web_search_options": {}}, "enable_search"),
]


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize(("given", "hint"), NONSENSE, ids=str)
def test_nonsense_is_a_bad_request_with_a_hint(signed_in: Emulator, way: str, given: dict[str, Any], hint: str) -> None:
    """Whichever way is asked, the call itself raises it and nothing is sent."""
    with pytest.raises(exceptions.BadRequestError, match=hint) as caught:
        CALLS[way](**given)
    assert isinstance(caught.value.__cause__, QwenBadRequestError)
    assert next(iter(given)) in str(caught.value) or "sound" in str(caught.value)
    assert not signed_in.chats()


def test_a_router_does_not_repeat_nonsense(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment whose configuration is wrong says so at once."""
    calls: list[Any] = []
    real = QwenPortalLLM.completion

    def completion(self: QwenPortalLLM, *args: Any, **given: Any) -> Any:
        calls.append(given)
        return real(self, *args, **given)

    monkeypatch.setattr(QwenPortalLLM, "completion", completion)
    params = {"model": MODEL, "qwen_account": ["work"]}
    router = Router(model_list=[{"model_name": "qwen", "litellm_params": params}], num_retries=3)
    with pytest.raises(exceptions.BadRequestError, match="qwen_account"):
        router.completion("qwen", messages=HELLO)
    assert len(calls) == 1


def test_a_number_as_the_account_is_its_label(signed_in: Emulator) -> None:
    """YAML reads a label of digits as a number."""
    keep_sign_in(signed_in, "2026")
    keep_sign_in(signed_in, "later")
    router = Router(model_list=[{"model_name": "qwen", "litellm_params": {"model": MODEL, "qwen_account": 2026}}])
    router.completion("qwen", messages=HELLO)
    assert [entry.account for entry in signed_in.chats()] == [2]


@pytest.mark.parametrize(
    "given", [{"max_retries": "1"}, {"modalities": ["text"]}, {"thinking": None}, {"reasoning_effort": None}], ids=str
)
def test_what_can_be_meant_is_taken(signed_in: Emulator, given: dict[str, Any]) -> None:
    """A number as text, and the modality that there is."""
    assert "4" in call(**given).choices[0].message.content


PDF = "data:application/pdf;base64,JVBERi0="
SCAN = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
FOREIGN: list[dict[str, Any]] = [
    {"type": "image_url", "image_url": PDF},
    {"type": "image_url", "image_url": {"url": PDF}},
    {"type": "image_url", "image_url": {"url": "DATA:Audio/wav;base64,UklGRg=="}},
    {"type": "image_url", "image_url": {"url": "data:,hello"}},
    {"type": "file", "file": {"file_data": PDF}},
    {"type": "document", "source": SCAN},
]


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize("part", FOREIGN, ids=lambda part: str(part)[:60])
def test_data_that_is_no_image_is_not_sent_as_one(signed_in: Emulator, way: str, part: dict[str, Any]) -> None:
    """The error names its type and says what can be sent."""
    question = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, part]}]
    with pytest.raises(exceptions.BadRequestError, match=r"(?i)(application/pdf|audio/wav|text/plain).*images"):
        CALLS[way](question, model=VISION)
    assert not signed_in.chats()


@pytest.mark.parametrize("url", ["data:image/png;base64,iVBORw0KGgo=", "https://example.com/a.pdf"])
def test_images_and_addresses_are_sent(signed_in: Emulator, url: str) -> None:
    """What an address leads to is the service's to say."""
    part = {"type": "image_url", "image_url": {"url": url}}
    call([{"role": "user", "content": [part]}], model=VISION)
    assert signed_in.chats()[-1].body["messages"][0]["content"] == [part]
