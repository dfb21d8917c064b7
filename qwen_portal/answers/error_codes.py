"""Codes, words and statuses of refusals, and the class of error that each is: data, with their sources.

The first row that fits counts; the words of a refusal are read before its status, because a 403 may be a quota. A name
in brackets is the repository, or the vendor's page, where the code or the words were seen.
"""

from collections.abc import Container
from typing import NamedTuple

from qwen_portal.errors import (
    QwenAPIError,
    QwenAuthenticationError,
    QwenBadRequestError,
    QwenConnectionError,
    QwenContentFilterError,
    QwenContextLengthError,
    QwenModelNotFoundError,
    QwenPlanNotForProgramsError,
    QwenQuotaExceededError,
    QwenRateLimitError,
    QwenServerError,
    QwenTimeoutError,
)

_ANY = range(1000)
# A refusal inside an answer that began as a good one, where nothing names a status.
_INSIDE = range(400)
_REDIRECTS = range(300, 400)
_SERVER = range(500, 1000)


class Row(NamedTuple):
    """One kind of refusal.

    Attributes:
        error: What it is to us.
        codes: Its code or type in small letters, whole.
        code_parts: What its code or type holds.
        code_statuses: The statuses with which the code counts.
        words: What its message holds, as regular expressions for small letters, linear in its length.
        word_statuses: The statuses with which the words count.
    """

    error: type[QwenAPIError]
    codes: frozenset[str] = frozenset()
    code_parts: tuple[str, ...] = ()
    code_statuses: Container[int] = _ANY
    words: tuple[str, ...] = ()
    word_statuses: Container[int] = _ANY


ROWS: tuple[Row, ...] = (
    Row(
        QwenPlanNotForProgramsError,
        # HTTP 405 [goose#8005, ironclaw#1012, zeroclaw#3882, openless#947]
        words=(r"only available for coding agents",),
    ),
    Row(
        QwenQuotaExceededError,
        codes=frozenset(
            {
                "insufficient_quota",  # [qwen-code#1742, #3281; CLIProxyAPI for the 403]
                "quota_exceeded",  # [CLIProxyAPI]
                "throttling.allocationquota",  # [Model Studio, "Error messages"; hermes-agent#58017]
                "allocationquota.freetieronly",  # [Model Studio, "Error messages"]
                "arrearage",  # [Model Studio, "Error messages"]
            }
        ),
        code_statuses={*_INSIDE, 400, 403, 429},
        words=(
            r"insufficient_quota",  # [CLIProxyAPI]
            r"quota exceeded",  # [qwen-code#1742; Coding Plan help]
            r"quota has been exhausted",  # [qwen-code, quotaErrorDetection.ts]
            r"account is in good standing",  # [Model Studio, "Error messages"]
        ),
        # a 400 that speaks of quotas is about the request
        word_statuses={*_INSIDE, 403, 429},
    ),
    Row(
        QwenContextLengthError,
        codes=frozenset(
            {
                "context_length_exceeded",  # [OpenAI]
                "exceed_context_size_error",  # [llama.cpp, langchain#39300]
                "contextwindowexceedederror",  # [LiteLLM, langchain#37532]
            }
        ),
        words=(
            r"range of input length",  # [qwen-code#2068, #896, #98]
            r"total message token length exceed",  # [Model Studio, "Error messages"]
            r"maximum context length",  # [vLLM, SGLang]
            r"longer than the (model's context|maximum model) length",  # [SGLang; vLLM]
            r"exceeds? (the|this) (model's )?(maximum |available )?context (length|size|window)",  # [llama.cpp, OpenAI]
            r"context ?window ?exceeded",  # [LiteLLM]
            r"exceeds the maximum (allowed )?(input )?length",  # [SGLang]
            r"(prompt|input) is too long\b",  # [Anthropic, through LiteLLM]
            r"input tokens exceed the configured limit",  # [OpenAI, in langchain-openai]
        ),
        word_statuses={*_INSIDE, 400, 413, 422, *_SERVER},
    ),
    Row(
        QwenContentFilterError,
        codes=frozenset(
            {
                "content_filter",  # [OpenAI, through gateways]
                "content_policy_violation",  # [OpenAI, through gateways]
                "prohibited_content",  # [js-genai#1973]
            }
        ),
        code_parts=("data_inspection", "datainspection"),  # [qwen-code#2905; Model Studio's own form]
        words=(r"datainspection",),  # [qwen-code#2905, #3145; camel-ai/owl#432]
    ),
    Row(
        QwenAuthenticationError,
        codes=frozenset({"invalid_api_key", "invalidapikey"}),  # [qwen-code#3390; Model Studio, "Error messages"]
    ),
    Row(
        QwenRateLimitError,
        codes=frozenset(
            {
                "rate_limit_exceeded",  # [sglang#12081]
                "rate_limit_error",  # [Anthropic, LiteLLM]
                "ratelimiterror",  # [vLLM, LiteLLM]
                "too_many_requests",  # [gateways]
            }
        ),
        code_parts=("throttling", "limit_requests"),  # [Model Studio, "Error messages"]
        words=(r"rate increased too quickly",),  # [opencode#21355]
        word_statuses={*_INSIDE, 429},
    ),
    Row(
        QwenModelNotFoundError,
        codes=frozenset({"model_not_found", "modelnotfound"}),  # [OpenAI; Model Studio, "Error messages"]
        words=(r"model[^\n]{0,200}is not supported",),  # [qwen-code#842]
    ),
    # What a status says elsewhere, a type has to say inside a stream.
    Row(
        QwenAuthenticationError,
        codes=frozenset(
            {"authentication_error", "authenticationerror", "permission_error", "permission_denied", "accessdenied"}
        ),
        code_statuses=_INSIDE,
    ),
    Row(
        QwenModelNotFoundError,
        codes=frozenset({"notfounderror", "not_found_error"}),  # [vLLM; llama.cpp]
        code_statuses=_INSIDE,
    ),
    Row(
        QwenBadRequestError,
        codes=frozenset(
            {
                "invalid_request_error",  # [OpenAI, llama.cpp]
                "invalid_parameter_error",  # [qwen-code#656]
                "invalidparameter",  # [Model Studio, "Error messages"]
                "badrequesterror",  # [vLLM, SGLang]
                "bad_request",
            }
        ),
        code_statuses=_INSIDE,
    ),
)

STATUSES: tuple[tuple[Container[int], type[QwenAPIError]], ...] = (
    ({401, 403}, QwenAuthenticationError),
    ({429}, QwenRateLimitError),
    ({404}, QwenModelNotFoundError),
    ({408}, QwenTimeoutError),
    (_REDIRECTS, QwenConnectionError),
    (range(400, 500), QwenBadRequestError),
    (_ANY, QwenServerError),
)
