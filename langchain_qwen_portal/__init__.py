"""LangChain's door to Qwen's portal: :class:`ChatQwenPortal` and :class:`QwenPortalEmbeddings`.

Names are loaded on first use, because langchain-openai takes seconds to import.
"""

import importlib
from typing import TYPE_CHECKING

from qwen_portal import __version__

if TYPE_CHECKING:
    from langchain_qwen_portal.chat_models import ChatQwenPortal
    from langchain_qwen_portal.embeddings import QwenPortalEmbeddings
    from langchain_qwen_portal.factory import init_chat_model
    from langchain_qwen_portal.images import image_block

_HOMES = {
    "ChatQwenPortal": "chat_models",
    "QwenPortalEmbeddings": "embeddings",
    "image_block": "images",
    "init_chat_model": "factory",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    try:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in {"langchain_core", "langchain_openai"}:
            raise
        hint = f'{name} needs its extra: pip install "qwen-portal[langchain]"'
        raise ModuleNotFoundError(hint, name=missing.name) from missing


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = ["ChatQwenPortal", "QwenPortalEmbeddings", "__version__", "image_block", "init_chat_model"]
