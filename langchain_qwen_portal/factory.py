"""``init_chat_model`` that knows this package's models too; LangChain's own has no way to be told of them."""

from collections.abc import Sequence
from typing import Any, Literal, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import ConfigurableField, Runnable

from langchain_qwen_portal.chat_models import ChatQwenPortal
from qwen_portal.service.models import CODER

_PROVIDERS = frozenset({"qwen-portal", "qwen_portal"})
# Who may choose at run time where requests go, and with whose key, could send a key elsewhere.
_NOT_AT_RUN_TIME = frozenset({"api_key", "openai_api_key", "base_url", "openai_api_base", "plan", "store"})


def init_chat_model(
    model: str | None = None,
    *,
    model_provider: str | None = None,
    configurable_fields: Literal["any"] | Sequence[str] | None = None,
    config_prefix: str | None = None,
    **kwargs: Any,
) -> BaseChatModel | Runnable[Any, Any]:
    """Make a chat model by name; a stand-in for ``langchain.chat_models.init_chat_model``.

    Args:
        model: ``"qwen-portal:coder-model"``, ``"qwen-portal/coder-model"``, or anything LangChain's own takes.
        model_provider: ``"qwen-portal"``, if ``model`` does not say it.
        configurable_fields: Names of fields that a config may set at run time, such as ``["model", "temperature"]``.
        config_prefix: Put before these names in a config, with an underscore.
        **kwargs: For the model's constructor.

    Returns:
        ChatQwenPortal, or with ``configurable_fields`` a runnable that makes one; otherwise what LangChain's returns.

    Raises:
        ValueError: ``configurable_fields="any"``, which would let a config choose where a key is sent.
        ModuleNotFoundError: Another provider, and ``langchain`` is not installed.

    Example:
        >>> init_chat_model("qwen-portal:coder-model", temperature=0).invoke("What is 2+2?").text
        '2+2 = 4'
    """
    name = _own_name(model, model_provider)
    if name is None:
        return _langchains(
            model,
            model_provider=model_provider,
            configurable_fields=configurable_fields,
            config_prefix=config_prefix,
            **kwargs,
        )
    made = ChatQwenPortal(model=name, **kwargs)
    if configurable_fields is None:
        return made
    names = {"any"} if configurable_fields == "any" else set(configurable_fields)
    if refused := names & (_NOT_AT_RUN_TIME | {"any"}):
        raise ValueError(
            f"configurable_fields has {', '.join(sorted(refused))}: a config could then choose where a key is sent. "
            'Name the fields that may change, such as ["model", "temperature"].'
        )
    prefix = f"{config_prefix}_" if config_prefix else ""
    return made.configurable_fields(**{_field(each): ConfigurableField(id=prefix + each) for each in names})


def _own_name(model: str | None, provider: str | None) -> str | None:
    if provider is not None and provider not in _PROVIDERS:
        return None
    for separator in ":/":
        prefix, found, name = (model or "").partition(separator)
        if found and prefix in _PROVIDERS:
            return name
    return None if provider is None else model or CODER


def _field(name: str) -> str:
    aliases = {field.alias: own for own, field in ChatQwenPortal.model_fields.items() if field.alias}
    return aliases.get(name, name)


def _langchains(model: str | None, **kwargs: Any) -> BaseChatModel | Runnable[Any, Any]:
    try:
        from langchain.chat_models import init_chat_model as of_langchain
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "langchain":
            raise
        hint = f"Models other than qwen-portal's, such as {model!r}, need LangChain: pip install langchain"
        raise ModuleNotFoundError(hint, name=missing.name) from missing
    return cast("BaseChatModel | Runnable[Any, Any]", of_langchain(model, **kwargs))
