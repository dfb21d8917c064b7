"""The catalogue: every plan and every model that is known, one row each, with its source and the day it was seen.

This is the one place to edit: caps, checks, thinking rules, LangChain's profiles, LiteLLM's limits and the tables of
docs/protocol.md follow from it. The columns are explained in :mod:`qwen_portal.service.rows`. Of the rows of models
the first that fits counts.
"""

from qwen_portal.service.rows import OAUTH, Difference, EmbeddingModel, Input, Model, Plan, Refused

_STUDIO = Plan(
    name="studio",
    title="Model Studio, Beijing, pay per token",
    base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
    keys=("sk-", "sk-ws-"),
    foreign_keys=("sk-sp-",),
    coder="qwen3.7-plus",
    vision="qwen3.6-plus",
    terms="Scripts and backends are allowed; each token is paid.",
    for_programs=True,
    embeddings=True,
    source="vendor: Base URL overview; qwen-code 0.24.4, alibaba-standard; keys: alibaba/open-code-review#1392",
    seen="2026-11-25",
)
_TOKEN = Plan(
    name="token",
    title="Token Plan, China",
    base_url="https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1",
    keys=("sk-sp-",),
    foreign_keys=("sk-ws-",),
    coder="qwen3.7-plus",
    vision="qwen3.6-plus",
    terms="Interactive tools only: no scripts, backends or batches; keys may be banned.",
    for_programs=False,
    embeddings=False,
    source="vendor: Token Plan quick start; qwen-code 0.24.4, alibaba-token-plan",
    seen="2026-11-25",
)
_CODING = Plan(
    name="coding",
    title="Coding Plan, China",
    base_url="https://coding.dashscope.aliyuncs.com/v1",
    keys=("sk-sp-",),
    foreign_keys=("sk-", "sk-ws-"),
    coder="qwen3-coder-plus",
    vision="qwen3.5-plus",
    terms="Interactive coding tools only: programs that it does not know are answered 405.",
    for_programs=False,
    embeddings=False,
    source="vendor: Coding Plan; qwen-code 0.24.4, alibaba-coding-plan; 405: goose#8005",
    seen="2026-11-25",
)

PLAN_ROWS = (
    Plan(
        name=OAUTH,
        title="Qwen portal, device sign-in (the free tier stopped answering on 2026-04-16)",
        base_url="https://portal.qwen.ai/v1",
        keys=(),
        foreign_keys=(),
        coder="coder-model",
        vision="vision-model",
        terms="Use by other programs than the vendor's was unofficial.",
        for_programs=False,
        embeddings=False,
        source="docs/protocol.md, State of the service",
        seen="2026-04-16",
    ),
    _STUDIO,
    _STUDIO._replace(
        name="studio-intl",
        title="Model Studio, Singapore, pay per token",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    ),
    _STUDIO._replace(
        name="studio-us",
        title="Model Studio, Virginia, pay per token",
        base_url="https://dashscope-us.aliyuncs.com/compatible-mode/v1",
    ),
    _STUDIO._replace(
        name="studio-hk",
        title="Model Studio, Hong Kong, pay per token",
        base_url="https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1",
    ),
    _STUDIO._replace(
        name="qwencloud",
        title="QwenCloud, pay per token",
        base_url="https://maas.qwencloudapi.com/compatible-mode/v1",
        source="models.dev; docs.qwencloud.com, as quoted in public code; LiteLLM 1.110.2, qwencloud/",
    ),
    _TOKEN,
    _TOKEN._replace(
        name="token-intl",
        title="Token Plan, international",
        base_url="https://token-plan.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1",
    ),
    _TOKEN._replace(
        name="qwencloud-token",
        title="Token Plan of QwenCloud",
        base_url="https://token-plan.maas.qwencloudapi.com/compatible-mode/v1",
        source="models.dev, verified 2026-09-24; keys: NousResearch/hermes-agent#81587",
    ),
    _CODING,
    _CODING._replace(
        name="coding-intl",
        title="Coding Plan, international",
        base_url="https://coding-intl.dashscope.aliyuncs.com/v1",
    ),
)

# The vendor's recommended address: one of a workspace's own. The two words are the user's.
WORKSPACE_PLAN = _STUDIO._replace(
    name="studio:WORKSPACE@REGION",
    title="Model Studio, the address of a workspace, pay per token",
    base_url="https://WORKSPACE.REGION.maas.aliyuncs.com/compatible-mode/v1",
    source="vendor: Base URL overview, Regions and endpoints",
)
WORKSPACE_REGIONS = ("cn-beijing", "cn-hongkong", "ap-southeast-1", "ap-northeast-1", "us-east-1", "eu-central-1")

_64K, _128K, _256K, _MILLION = 65_536, 131_072, 262_144, 1_000_000
_TEXT: tuple[Input, ...] = ("text",)
_IMAGE: tuple[Input, ...] = ("text", "image")
_VIDEO: tuple[Input, ...] = ("text", "image", "video")
_TOOLS: tuple[Refused, ...] = ("tools",)
_BOTH: tuple[Refused, ...] = ("tools", "json")
_EFFORTS = ("low", "medium", "xhigh")
_NONE = ("reasoning_effort", "none")
_PRESETS = "qwen-code 0.24.4, presets"
_PRICES = "LiteLLM 1.110.2, prices"
_SCHEMA = "vendor: Structured output"
_THINKING = "vendor: Deep thinking"

# fmt: off
MODEL_ROWS = (
    # The portal's own two.
    Model(("coder-model",), _MILLION, _64K, _TEXT, "by default", _TOOLS,
          source="docs/protocol.md, Plans", seen="2026-04-16"),
    Model(("vision-model",), _128K, 8_192, _IMAGE, "never", _BOTH,
          source="docs/protocol.md, Plans", seen="2026-04-16"),

    Model(("qwen4-max*",), _MILLION, 384_000, _VIDEO, "by default", _TOOLS, json_schema=True,
          efforts=("minimal", "low", "medium", "high", "xhigh", "max"), off=_NONE,
          source="vendor: qwen4-max; output: Vercel AI Gateway; efforts: docs.apiyi.com, tried", seen="2026-11-27"),
    Model(("qwen3.8-max-preview*",), _MILLION, _128K, _VIDEO, "always", _TOOLS, json_schema=True,
          efforts=_EFFORTS,
          source=f"{_PRESETS}; QwenLM/qwen-code#7659", seen="2026-11-25"),
    Model(("qwen3.8-max*",), _MILLION, _128K, _VIDEO, "by default", _TOOLS, json_schema=True,
          efforts=_EFFORTS, always_on=("token", "token-intl", "qwencloud-token"),
          source=f"{_PRESETS}; {_PRICES}; switched off: {_THINKING}, QwenLM/qwen-code#9383", seen="2026-11-25"),
    Model(("qwen3.8-flash*",), _MILLION, _128K, _VIDEO, "by default", _TOOLS, json_schema=True,
          efforts=_EFFORTS, off=_NONE,
          source=f"{_PRESETS}; {_PRICES}; QwenLM/qwen-code#8472", seen="2026-11-25"),
    Model(("qwen3.7-plus*",), _MILLION, _64K, _VIDEO, "by default", _TOOLS, json_schema=True,
          source=f"{_PRESETS}; {_PRICES}", seen="2026-11-25"),
    Model(("qwen3.7-max*",), _MILLION, _64K, _TEXT, "by default", _TOOLS, json_schema=True,
          source=f"{_PRESETS}; {_PRICES}", seen="2026-11-25"),
    Model(("qwen3.6-plus*", "qwen3.5-plus*"), _MILLION, _64K, _VIDEO, "by default", _TOOLS,
          source=f"{_PRESETS}; {_PRICES}", seen="2026-11-25"),
    Model(("qwen3.6-flash*",), _MILLION, _64K, _TEXT, "by default", _TOOLS,
          source=_PRESETS, seen="2026-11-25"),
    Model(("qwen3-coder-plus*", "qwen3-coder-flash*"), _MILLION, _64K, _TEXT, "never", _BOTH,
          source=f"{_PRESETS}; {_PRICES}", seen="2026-11-25"),
    Model(("qwen3-coder-next*",), _256K, _64K, _TEXT, "never", _BOTH,
          source=f"{_PRESETS}; {_PRICES}", seen="2026-11-25"),
    Model(("qwen3-max*",), _256K, _64K, _TEXT, "on request", _BOTH, json_schema=True,
          source=f"{_PRESETS}; {_PRICES}; {_SCHEMA}", seen="2026-11-25"),
    Model(("qwen3-vl-plus*",), _256K, 32_768, _VIDEO, "on request", _BOTH,
          source=f"{_PRICES}; vendor: Image and video understanding", seen="2026-11-27"),
    Model(("qwen-plus-2025-01-25",), _128K, 8_192, _TEXT, "never", _BOTH,
          source=_PRICES, seen="2026-11-27"),
    Model(("qwen-plus-2025-04-28", "qwen-plus-2025-07-14"), _128K, 16_384, _TEXT, "on request", _BOTH,
          source=_PRICES, seen="2026-11-27"),
    Model(("qwen-plus*", "qwen-flash*"), _MILLION, 32_768, _TEXT, "on request", _BOTH, json_schema=True,
          source=f"{_PRICES}; {_SCHEMA}", seen="2026-11-25"),
    Model(("qwq-plus*",), _128K, 8_192, _TEXT, "always", _BOTH,
          source=f"{_PRICES}; {_THINKING}", seen="2026-11-25"),

    # Of these no more is known than when they think, and what they refuse meanwhile.
    Model(("qwen3-coder*", "qwen-vl-*", "qwen-coder*", "qwen2*", "*-instruct*"), None, None, (), "never", _BOTH,
          source=_THINKING, seen="2026-11-25"),
    Model(("qwq*", "qvq*", "*-thinking*"), None, None, (), "always", _BOTH,
          source=_THINKING, seen="2026-11-25"),
    Model(("qwen3.[5-9]*",), None, None, (), "by default", _TOOLS,
          source="vendor: Visual reasoning; JSON mode: QwenLM/Qwen#2329", seen="2026-11-25"),
    Model(("qwen3-vl-flash*", "qwen3-omni*", "qwen-*"), None, None, (), "on request", _BOTH,
          source=f"{_THINKING}; cloudwego/eino#994, presenton/presenton#184", seen="2026-11-25"),
    Model(("qwen3-*",), None, None, (), "by default", _BOTH,
          source="langchain4j/langchain4j#3974, QuantumNous/new-api#1109", seen="2026-11-25"),
    Model(("*",), None, None, (), "on request", _BOTH,
          source="our choice", seen="2026-11-25"),
)

_EMBEDDING = "vendor: Text embedding; docs.qwencloud.com"
EMBEDDING_ROWS = (
    EmbeddingModel("text-embedding-v4", (1024, 2048, 1536, 768, 512, 256, 128, 64), texts=10, tokens=8_192,
                   source=_EMBEDDING, seen="2026-11-25"),
    EmbeddingModel("text-embedding-v3", (1024, 768, 512, 256, 128, 64), texts=10, tokens=8_192,
                   source=f"{_EMBEDDING}; 256 and less: in Beijing alone", seen="2026-11-25"),
    EmbeddingModel("text-embedding-v2", (1536,), texts=25, tokens=2_048,
                   source=_EMBEDDING, seen="2026-11-25"),
)

# What others publish otherwise, and why it is not taken over.
_INPUT = "The input that is left of the window when room for an answer is set aside."
_OLD = "Models before qwen3.5: no plan of this package stands on them, and the service judges what they are asked."
DIFFERENCES = (
    Difference("LiteLLM", ("qwen4-*", "qwen3.[5-9]-*"), "context", 991_808, _INPUT),
    Difference("LiteLLM", ("qwen3-coder-*", "qwen-flash*", "qwen-plus*"), "context", 997_952, _INPUT),
    Difference("LiteLLM", ("qwen3-max*",), "context", 258_048, _INPUT),
    Difference("LiteLLM", ("qwen3-vl-plus*",), "context", 260_096, _INPUT),
    Difference("LiteLLM", ("qwen-plus-2025-0[1-7]-*",), "context", 129_024, _INPUT),
    Difference("LiteLLM", ("qwq-plus*",), "context", 98_304, "The input that is left beside thoughts."),
    Difference("LiteLLM", ("qwen-plus",), "context", 129_024, "It stands for a later snapshot by now."),
    Difference("LiteLLM", ("qwen-plus",), "output", 16_384, "It stands for a later snapshot by now."),
    Difference("LiteLLM", ("qwen-plus-2025-01-25",), "thinks", theirs=True,
               why="Hybrid thinking came with the snapshot of 2025-04-28."),
    Difference("LiteLLM", ("qwen3-coder-*",), "thinks", theirs=True, why="The vendor: without thinking."),
    Difference("LiteLLM", ("qwen3-max*", "qwen-plus*", "qwen-flash*"), "json_schema", theirs=False,
               why=f"{_SCHEMA}: it lists them."),
    Difference("LiteLLM", ("qwen-coder", "qwen-max", "qwen-turbo*"), "limits", "known", _OLD),
    Difference("LiteLLM", ("qwen3-*b*", "qwen3-next-*", "qwen3-vl-*b-*"), "limits", "known", _OLD),
    Difference("LiteLLM", ("qwen3.8-omni-*",), "limits", "known", "It speaks, which this package does not."),
    Difference("qwen-code", ("qwen3.8-max*",), "off", "reasoning_effort", f"{_THINKING}: enable_thinking."),
)
# fmt: on
