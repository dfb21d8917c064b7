"""The models the emulated service offers: names behind the aliases, output caps, modalities, ways to think."""

import re
from dataclasses import dataclass, replace
from enum import Enum


class Thinking(Enum):
    """When a model reasons before it answers."""

    NEVER = "whatever a request says"
    IF_ASKED = "with enable_thinking or an effort"
    UNLESS_TOLD_NOT_TO = "without enable_thinking: false"
    ALWAYS = "and refuses enable_thinking: false"


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        id: What a request calls it.
        resolved: What `model` in the answers says.
        output_cap: Most output tokens a request may ask for; None where the emulator knows no cap.
        images: Whether it takes image parts.
        thinking: When it reasons.
        thinks_in_streams_only: Whether it refuses to reason in an answer that is no stream.
        json_while_thinking: Whether it takes response_format json_object while it reasons.
        videos: Whether it takes video parts.
        efforts: The values of reasoning_effort that it takes; None where any word passes.
        off_by_effort: Whether reasoning_effort "none" alone switches its thinking off.
    """

    id: str
    resolved: str
    output_cap: int | None
    images: bool
    thinking: Thinking
    thinks_in_streams_only: bool = False
    json_while_thinking: bool = True
    videos: bool = False
    efforts: tuple[str, ...] | None = None
    off_by_effort: bool = False


# That coder-model reasons of its own is one client's claim; behind the key plans the same model is known to.
PORTAL_MODELS = {
    model.id: model
    for model in (
        Model("coder-model", "qwen3.6-plus", 65_536, images=False, thinking=Thinking.IF_ASKED),
        Model("vision-model", "qwen3-vl-plus-2025-09-23", 8_192, images=True, thinking=Thinking.IF_ASKED),
        Model("qwen3-coder-plus", "qwen3-coder-plus", 65_536, images=False, thinking=Thinking.NEVER),
        Model("qwen3-coder-flash", "qwen3-coder-flash", 65_536, images=False, thinking=Thinking.NEVER),
    )
}

# What the key plans sell changes too often for a list; these families were seen in their presets.
_KEY_FAMILIES = re.compile(r"(qwen|qwq|glm|kimi|deepseek|minimax)[\w.-]*", re.IGNORECASE)
_SEES_IMAGES = re.compile(r"vl|qwen3\.[5-9]|qwen4|kimi|omni", re.IGNORECASE)
_SEES_VIDEOS = re.compile(r"qwen3\.[5-7]-plus|qwen3\.8|qwen4|qwen3-vl|omni")
_ALIASES = frozenset({"coder-model", "vision-model"})

# The first that fits (docs/protocol.md, Images and thinking).
_THINKING = (
    (re.compile(r"coder|-instruct|qwen2|qwen-max"), Thinking.NEVER),
    (re.compile(r"-thinking|qwq|3\.8-max-preview"), Thinking.ALWAYS),
    (re.compile(r"qwen3\.[5-9]|qwen4|qwen3-\d+b"), Thinking.UNLESS_TOLD_NOT_TO),
    (re.compile(r""), Thinking.IF_ASKED),
)
# The open weights of Qwen3, at Model Studio as at ModelScope.
_STREAMS_ONLY = re.compile(r"qwen3-\d+b|qwq")
_JSON_WHILE_THINKING = re.compile(r"qwen3\.[5-9]|qwen4")
# The first that fits. DashScope is said to take some words more and to bend them; other addresses refuse them.
_EFFORTS = (
    (re.compile(r"qwen3\.8-max-preview"), ("low", "medium", "xhigh")),
    (re.compile(r"qwen3\.8"), ("none", "low", "medium", "xhigh")),
    (re.compile(r"qwen4"), ("none", "minimal", "low", "medium", "high", "xhigh", "max")),
)
_OFF_BY_EFFORT = re.compile(r"qwen3\.8-flash|qwen4")


def find_model(name: str, *, key: bool, aliases: bool = True) -> Model | None:
    """The model of this name for an OAuth bearer or for an API key; None if it is not offered.

    Args:
        name: `model` of the request.
        key: Whether the bearer is an API key.
        aliases: Whether the endpoint knows the portal's aliases.
    """
    if name in PORTAL_MODELS and (aliases or name not in _ALIASES):
        return PORTAL_MODELS[name]
    if key and name not in _ALIASES and _KEY_FAMILIES.fullmatch(name):
        return _of_family(name)
    return None


def always_thinking(model: Model) -> Model:
    """The model where its thinking cannot be switched off."""
    efforts = model.efforts and tuple(effort for effort in model.efforts if effort != "none")
    return replace(model, thinking=Thinking.ALWAYS, efforts=efforts)


def _of_family(name: str) -> Model:
    lower = name.lower()
    return Model(
        name,
        name,
        None,
        images=bool(_SEES_IMAGES.search(lower)),
        thinking=next(thinking for pattern, thinking in _THINKING if pattern.search(lower)),
        thinks_in_streams_only=bool(_STREAMS_ONLY.search(lower)),
        json_while_thinking=bool(_JSON_WHILE_THINKING.search(lower)),
        videos=bool(_SEES_VIDEOS.search(lower)),
        efforts=next((efforts for pattern, efforts in _EFFORTS if pattern.search(lower)), None),
        off_by_effort=bool(_OFF_BY_EFFORT.search(lower)),
    )
