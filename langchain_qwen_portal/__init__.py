"""LangChain's door to Qwen's portal: :class:`ChatQwenPortal`.

It is loaded on first use, because langchain-openai takes seconds to import.
"""

from typing import TYPE_CHECKING

from qwen_portal import __version__

if TYPE_CHECKING:
    from langchain_qwen_portal.chat_models import ChatQwenPortal


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name == "ChatQwenPortal":
        try:
            from langchain_qwen_portal.chat_models import ChatQwenPortal
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] not in {"langchain_core", "langchain_openai"}:
                raise
            hint = 'ChatQwenPortal needs its extra: pip install "qwen-portal[langchain]"'
            raise ModuleNotFoundError(hint, name=missing.name) from missing
        return ChatQwenPortal
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = ["ChatQwenPortal", "__version__"]
