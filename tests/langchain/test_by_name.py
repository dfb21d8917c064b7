"""Models by name, and the class that says where embeddings are."""

import sys
from typing import Any

import pytest
from langchain_core import exceptions as langchain

import langchain_qwen_portal
from langchain_qwen_portal import ChatQwenPortal, QwenPortalEmbeddings, init_chat_model
from qwen_portal import QwenModelNotFoundError
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ALL, Way


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("qwen-portal:vision-model", {}),
        ("qwen_portal:vision-model", {}),
        ("qwen-portal/vision-model", {}),
        ("vision-model", {"model_provider": "qwen-portal"}),
        ("vision-model", {"model_provider": "qwen_portal"}),
        ("qwen-portal:vision-model", {"model_provider": "qwen-portal"}),
    ],
)
def test_each_spelling_makes_our_model(model: str, options: dict[str, Any]) -> None:
    """With its options."""
    made = init_chat_model(model, temperature=0.5, **options)
    assert isinstance(made, ChatQwenPortal)
    assert (made.model_name, made.temperature) == ("vision-model", 0.5)


def test_without_a_name_the_coder_is_meant() -> None:
    """As in the constructor."""
    made = init_chat_model(model_provider="qwen-portal")
    assert isinstance(made, ChatQwenPortal)
    assert made.model_name == "coder-model"


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("prefix", [None, "first"])
def test_fields_can_be_left_to_the_config(ask: Way, prefix: str | None, signed_in: Emulator) -> None:
    """Named as in the constructor, with a prefix where a chain has several models."""
    model = init_chat_model(
        "qwen-portal:coder-model", configurable_fields=["model", "temperature"], config_prefix=prefix
    )
    names = {f"{prefix}_{name}" if prefix else name: value for name, value in _CHANGES.items()}
    ask(model, "Hi")
    ask(model, "Hi", config={"configurable": names})
    before, after = (entry.body for entry in signed_in.chats())
    assert (before["model"], before.get("temperature")) == ("coder-model", None)
    assert (after["model"], after["temperature"]) == ("vision-model", 0.5)


_CHANGES = {"model": "vision-model", "temperature": 0.5}


@pytest.mark.parametrize("fields", ["any", ["model", "base_url"], ["api_key"]])
def test_a_config_may_not_choose_where_a_key_goes(fields: Any) -> None:
    """A config comes from outside more often than code does."""
    with pytest.raises(ValueError, match="where a key is sent"):
        init_chat_model("qwen-portal:coder-model", configurable_fields=fields)


def test_other_providers_are_langchains() -> None:
    """Whatever is not ours goes to LangChain's own function, errors included."""
    with pytest.raises(ValueError, match="no_such_provider"):
        init_chat_model("no_such_provider:some-model")
    made: Any = init_chat_model("openai:gpt-4o", api_key="sk-x")
    assert type(made).__name__ == "ChatOpenAI"


def test_other_providers_need_langchain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own models do not: without langchain only the others fail, by name."""
    monkeypatch.setitem(sys.modules, "langchain", None)
    monkeypatch.setitem(sys.modules, "langchain.chat_models", None)
    assert isinstance(init_chat_model("qwen-portal:coder-model"), ChatQwenPortal)
    with pytest.raises(ModuleNotFoundError, match="pip install langchain"):
        init_chat_model("openai:gpt-4o")


@pytest.mark.usefixtures("signed_in")
def test_embeddings_are_an_error_that_says_where_they_are() -> None:
    """For a plan that has none it names Model Studio and the plan that has them, in both worlds."""
    with pytest.raises(QwenModelNotFoundError) as caught:
        QwenPortalEmbeddings(model="text-embedding-v4")
    assert isinstance(caught.value, langchain.ModelNotFoundError)
    assert "Model Studio" in caught.value.hint
    assert "qwen-portal login studio --plan studio-intl" in caught.value.hint
    assert "QwenPortalEmbeddings" in dir(langchain_qwen_portal)
