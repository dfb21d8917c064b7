"""API keys: which address takes which and the words in which it refuses others; its models (docs/protocol.md, Plans).

A plan is known by the name of its host. An address of this machine stands for any plan, and takes every key but a
bad one: one with "bad" in it.
"""

import re
from dataclasses import dataclass

from qwen_portal.emulator.wire import Refusal

PREFIX = "sk-"


@dataclass(frozen=True)
class _Address:
    """The addresses of one kind of plan.

    Attributes:
        hosts: Pattern of their names.
        key: Pattern of the keys that they take.
        status: With which they refuse another.
        code: `error.code` of that refusal.
        message: Its words.
        models: What they list.
        always_think: Pattern of the models whose thinking cannot be switched off there.
    """

    hosts: str
    key: str
    status: int
    code: str
    message: str
    models: tuple[str, ...]
    always_think: str = ""


_CODING_MODELS = ("qwen3.5-plus", "qwen3.6-plus", "qwen3.7-plus", "qwen3-coder-plus", "qwen3-coder-next")
_PAID_MODELS = ("qwen3.6-plus", "qwen3.7-plus", "qwen3.7-max", "qwen3.8-max", "qwen3.8-flash", "text-embedding-v4")
_INCORRECT = "Incorrect API key provided."
_EXPIRED = "invalid access token or token expired"
_SUBSCRIBED = r"token-plan\..*"
# The first that fits.
_ADDRESSES = (
    _Address(r"coding(-intl)?\.dashscope\..*", r"sk-sp-.*", 401, "invalid_api_key", _EXPIRED, _CODING_MODELS),
    _Address(
        _SUBSCRIBED, r"sk-(?!ws-).*", 403, "invalid_api_key", "invalid api-key", _PAID_MODELS[:-1], r"qwen3\.8-max.*"
    ),
    _Address(r".*\.(aliyuncs|qwencloudapi)\.com", r"sk-(?!sp-).*", 401, "invalid_api_key", _INCORRECT, _PAID_MODELS),
    _Address(r".*", r"sk-.*", 401, "invalid_api_key", _EXPIRED, (*_CODING_MODELS, *_PAID_MODELS[2:])),
)


def refusal(host: str, key: str) -> Refusal | None:
    """The refusal of a key by an address; None if it takes the key.

    Args:
        host: The Host header.
        key: The bearer.
    """
    address = _address(host)
    if re.fullmatch(address.key, key) and "bad" not in key:
        return None
    return Refusal(address.status, address.code, address.message)


def listed(host: str) -> tuple[str, ...]:
    """The models that an address lists for its keys."""
    return _address(host).models


def always_thinks(host: str, model: str) -> bool:
    """Whether an address refuses to switch a model's thinking off that others switch off."""
    return re.fullmatch(_address(host).always_think, model) is not None


def _address(host: str) -> _Address:
    name = host.rsplit(":", 1)[0].lower()
    return next(address for address in _ADDRESSES if re.fullmatch(address.hosts, name))
