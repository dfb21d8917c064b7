"""The models that are compared: how each is made, with one key and one address, in its own environment."""

import importlib
import os
from typing import Any

KEY = "sk-peer"
CODER, VISION = "coder-model", "vision-model"
PEER = os.environ["PEER"]
URL = os.environ["PEER_URL"]
_CLASSES = {
    "qwen-portal": ("langchain_qwen_portal", "ChatQwenPortal"),
    "openai": ("langchain_openai", "ChatOpenAI"),
    "deepseek": ("langchain_deepseek", "ChatDeepSeek"),
    "xai": ("langchain_xai", "ChatXAI"),
    "qwq": ("langchain_qwq", "ChatQwen"),
    "litellm": ("langchain_litellm", "ChatLiteLLM"),
}
# Two of each vendor's own, for what a class knows of the models it was made for.
OWN_MODELS = {
    "qwen-portal": (CODER, VISION),
    "openai": ("gpt-4o", "gpt-4.1"),
    "deepseek": ("deepseek-v4-flash", "deepseek-v4-pro"),
    "xai": ("grok-4.3", "grok-4.20-0309-reasoning"),
    "qwq": ("qwen3-max", "qwen-flash"),
    "litellm": ("gpt-4o", "gpt-4.1"),
}


def model_class() -> type[Any]:
    """Return the class under test; each environment has only its own."""
    module, name = _CLASSES[PEER]
    found: type[Any] = getattr(importlib.import_module(module), name)
    return found


def named(model: str) -> str:
    """Return a model's name as this peer wants it."""
    return f"openai/{model}" if PEER == "litellm" else model


def address(url: str) -> dict[str, Any]:
    """Return the options that say where requests go and with which key."""
    return {"api_base" if PEER == "litellm" else "base_url": url, "api_key": KEY}


def make(model: str = CODER, url: str = URL, **options: Any) -> Any:
    """Make a model."""
    return model_class()(model=named(model), **address(url), **options)
