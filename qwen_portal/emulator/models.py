"""The models the emulated service offers: names behind the aliases, output caps, modalities."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        id: What a request calls it.
        resolved: What `model` in the answers says.
        output_cap: Most output tokens a request may ask for; None where the emulator knows no cap.
        images: Whether it takes image parts.
        thinks: Whether enable_thinking has an effect.
    """

    id: str
    resolved: str
    output_cap: int | None
    images: bool
    thinks: bool


PORTAL_MODELS = {
    model.id: model
    for model in (
        Model("coder-model", "qwen3.6-plus", 65_536, images=False, thinks=True),
        Model("vision-model", "qwen3-vl-plus-2025-09-23", 8_192, images=True, thinks=True),
        Model("qwen3-coder-plus", "qwen3-coder-plus", 65_536, images=False, thinks=False),
        Model("qwen3-coder-flash", "qwen3-coder-flash", 65_536, images=False, thinks=False),
    )
}

# What the key plans sell changes too often for a list; these families were seen in their presets.
_KEY_FAMILIES = re.compile(r"(qwen|glm|kimi|deepseek|minimax)[\w.-]*", re.IGNORECASE)
_SEES_IMAGES = re.compile(r"vl|qwen3\.[5-9]|kimi|omni", re.IGNORECASE)
_ALIASES = frozenset({"coder-model", "vision-model"})


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
        return Model(name, name, None, images=bool(_SEES_IMAGES.search(name)), thinks="coder" not in name)
    return None
