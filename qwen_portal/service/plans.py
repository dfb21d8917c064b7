"""The plans an account can be on: where they answer, and what the two models are called there.

Sources: docs/protocol.md, "Plans".
"""

from typing import Literal, NamedTuple

from qwen_portal.errors import QwenError
from qwen_portal.service.hosts import user_url

Kind = Literal["oauth", "key", "env"]
Modality = Literal["text", "image"]


# Named tuples: they take a seventh of the time of dataclasses to define, and every `qwen-portal status` defines them.
class PlanModel(NamedTuple):
    """What one of the two model ids stands for on a plan.

    Attributes:
        name: The name sent to the service.
        context: Context window in tokens.
        inputs: What its messages may hold.
        thinking: Whether it can reason before it answers.
    """

    name: str
    context: int
    inputs: tuple[Modality, ...]
    thinking: bool


class Plan(NamedTuple):
    """One way of paying for the service.

    Attributes:
        name: What the user calls it, such as ``"coding-intl"``; for a plan of the user's own, its URL.
        base_url: Chat base URL.
        key_prefix: What its keys begin with; ``""`` if unknown.
        coder: What ``coder-model`` is there.
        vision: What ``vision-model`` is there.
        title: One line for people.
    """

    name: str
    base_url: str
    key_prefix: str
    coder: PlanModel
    vision: PlanModel
    title: str

    @property
    def embeddings(self) -> bool:
        """Whether it answers ``/embeddings``."""
        return self.name.startswith("studio") or "://" in self.name

    @property
    def is_oauth(self) -> bool:
        """Whether the plan is the portal behind the device sign-in."""
        return self.name == OAUTH


OAUTH = "oauth"
PORTAL_BASE_URL = "https://portal.qwen.ai/v1"

_TEXT: tuple[Modality, ...] = ("text",)
_TEXT_IMAGE: tuple[Modality, ...] = ("text", "image")
_MILLION = 1_000_000

_CODING = (
    PlanModel("qwen3-coder-plus", _MILLION, _TEXT, thinking=False),
    PlanModel("qwen3.5-plus", _MILLION, _TEXT_IMAGE, thinking=True),
)
_GENERAL = (
    PlanModel("qwen3.7-plus", _MILLION, _TEXT, thinking=True),
    PlanModel("qwen3.6-plus", _MILLION, _TEXT_IMAGE, thinking=True),
)


def _row(name: str, base_url: str, prefix: str, models: tuple[PlanModel, PlanModel], title: str) -> Plan:
    return Plan(name, base_url, prefix, *models, title)


_MAAS = "https://token-plan.{region}.maas.aliyuncs.com/compatible-mode/v1"
_ROWS = (
    Plan(
        OAUTH,
        PORTAL_BASE_URL,
        "",
        PlanModel("coder-model", _MILLION, _TEXT, thinking=True),
        PlanModel("vision-model", 131_072, _TEXT_IMAGE, thinking=False),
        "Qwen portal, device sign-in (the free tier stopped answering on 2026-04-16)",
    ),
    _row("coding", "https://coding.dashscope.aliyuncs.com/v1", "sk-sp-", _CODING, "Coding Plan, China"),
    _row(
        "coding-intl",
        "https://coding-intl.dashscope.aliyuncs.com/v1",
        "sk-sp-",
        _CODING,
        "Coding Plan, international",
    ),
    _row("token", _MAAS.format(region="cn-beijing"), "sk-", _GENERAL, "Token Plan, China"),
    _row("token-intl", _MAAS.format(region="ap-southeast-1"), "sk-", _GENERAL, "Token Plan, international"),
    _row(
        "studio",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "sk-",
        _GENERAL,
        "Model Studio, Beijing, pay per token",
    ),
    _row(
        "studio-intl",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "sk-",
        _GENERAL,
        "Model Studio, Singapore, pay per token",
    ),
    _row(
        "studio-us",
        "https://dashscope-us.aliyuncs.com/compatible-mode/v1",
        "sk-",
        _GENERAL,
        "Model Studio, Virginia, pay per token",
    ),
    _row(
        "studio-hk",
        "https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1",
        "sk-",
        _GENERAL,
        "Model Studio, Hong Kong, pay per token",
    ),
)
PLANS: dict[str, Plan] = {plan.name: plan for plan in _ROWS}
KEY_PLANS: tuple[str, ...] = tuple(name for name in PLANS if name != OAUTH)


def unknown_plan(name: str) -> Plan:
    """Stand in for a plan that an index names and this version does not know: it can be shown, and serves nobody."""
    return Plan(name, "", "", *_GENERAL, "a plan that is not known here")


def find_plan(name: str) -> Plan:
    """Look a plan up by name, or make one of the user's own from an https URL.

    Args:
        name: A name of the table, or the base URL of any OpenAI-compatible Qwen service.

    Raises:
        QwenError: No such plan; the message lists them.
        QwenHostNotAllowedError: The URL is malformed or not https.
    """
    if name in PLANS:
        return PLANS[name]
    if "://" in name:
        url = user_url(name)
        return Plan(url, url, "", *_GENERAL, "a service of your own")
    msg = f"There is no plan named {name!r}."
    raise QwenError(msg, hint=f"Plans: {', '.join(PLANS)}, or an https URL.")
