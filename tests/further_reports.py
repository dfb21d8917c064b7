"""Further public reports of how services and gateways answer: their bytes, and what there is to read in them.

Each report is tried by every door; see the tests of that name.
"""

import json
from typing import Any

import pytest

from qwen_portal import errors
from tests.replay import JSON, Bad, Good, Json, Report

ADD = ("add", {"a": 1, "b": 2})
MULTIPLY = ("multiply", {"a": 3})


def chunk(delta: Any = None, reason: Any = None, **more: Any) -> Json:
    """Write a chunk of one choice."""
    return {"id": "c-1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}


def fragment(arguments: Any = None, **more: Any) -> Json:
    """Write a chunk that holds one fragment of a tool call; ``name`` is the function's."""
    named = {"name": more.pop("name")} if "name" in more else {}
    call = {"type": "function", "function": named | ({} if arguments is None else {"arguments": arguments})}
    return chunk({"tool_calls": [call | more]})


def events(*data: Any, done: bool = True) -> bytes:
    """Write a stream."""
    return b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in data) + b"data: [DONE]\n\n" * done


def stream(source: str, *data: Any, **said: Any) -> Report:
    """Report a good stream."""
    return Report(source, events(*data), Good(**said))


def refusal(source: str, status: int, body: Any, means: Bad) -> Report:
    """Report an answer that is a refusal by its status."""
    return Report(source, json.dumps(body).encode(), means, streamed=None, status=status, kind=JSON)


CALLS, STOP = chunk({}, "tool_calls"), chunk({}, "stop")
_BURST = (
    "Request rate increased too quickly. "
    "To ensure system stability, please adjust your client logic to scale requests more smoothly over time."
)
_OVERFLOW = "This model's maximum context length is 163840 tokens. However, your request has 215558 input tokens."
_ORDER = (
    '<400> InternalError.Algo.InvalidParameter: An assistant message with "tool_calls" must be followed by tool '
    'messages responding to each "tool_call_id".'
)
_THINKING = [{"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]}]
_TEXT = [{"type": "text", "text": "4"}]

REPORTS: dict[str, Report] = {
    # tool calls
    "a name after the arguments began": stream(
        "vercel/ai#14722",
        fragment('{"a": 1', index=0, id="c1"),
        fragment(', "b": 2}', index=0, name="add"),
        CALLS,
        calls=(ADD,),
    ),
    "a null name in later fragments": stream(
        "anomalyco/opencode#26412",
        fragment("", index=0, name="add"),
        fragment('{"a": 1', index=0, name=None),
        fragment(', "b": 2}', index=0, name=None),
        CALLS,
        calls=(ADD,),
    ),
    "an empty name and no id in later fragments": stream(
        "lmstudio-ai/lmstudio-bug-tracker#649",
        fragment("", index=0, id="c1", name="add"),
        *(fragment(piece, index=0, name="") for piece in ('{"', "a", '":', "1", ', "b": 2}')),
        CALLS,
        calls=(ADD,),
    ),
    "a second id for the rest of a call": stream(
        "poolsideai/pool#9",
        fragment("", index=0, id="call_first", name="add"),
        *(fragment(piece, index=0, id="call_other") for piece in ('{"a": 1', ', "b": 2}')),
        CALLS,
        calls=(ADD,),
    ),
    "an index that goes up with each fragment": stream(
        "dirac-run/dirac#215",
        fragment('{"a"', index=0, id="c1", name="add"),
        fragment(": 1,", index=1),
        fragment(' "b": 2}', index=2),
        CALLS,
        calls=(ADD,),
    ),
    "id and name apart": stream(
        "pipecat-ai/pipecat#4987",
        fragment(index=0, id="c1"),
        fragment("", index=0, name="add"),
        fragment('{"a": 1, "b": 2}', index=0),
        CALLS,
        calls=(ADD,),
    ),
    "an index that begins again for each call": stream(
        "unslothai/unsloth#8734",
        fragment('{"a": 1,', index=0, id="c1", name="add"),
        fragment(' "b": 2}', index=0),
        fragment('{"a": ', index=0, id="c2", name="multiply"),
        fragment("3}", index=0),
        CALLS,
        calls=(ADD, MULTIPLY),
    ),
    # chunks
    "an empty finish_reason in every chunk": stream(
        "sgl-project/sglang#3912",
        chunk({"role": None, "content": "2+2", "tool_calls": None}, "", usage=None),
        chunk({"role": None, "content": " is 4", "tool_calls": None}, "", usage=None),
        STOP,
        text="2+2 is 4",
    ),
    "null in place of choices": stream(
        "pydantic/pydantic-ai#5165",
        chunk({"role": "assistant", "content": "4"}),
        {"id": "c-1", "choices": None},
        STOP,
        text="4",
    ),
    "null in place of a chunk": stream(
        "NousResearch/hermes-agent#80822", None, chunk({"content": "4"}), None, STOP, text="4"
    ),
    "a chunk without choices": stream(
        "tashfeenahmed/freellmapi#156", {"id": "", "object": "keepalive"}, chunk({"content": "4"}), STOP, text="4"
    ),
    "a filter's remark with empty names": stream(
        "eneo-ai/eneo#126",
        chunk({"content": "4"}),
        chunk(None, content_filter_offsets={"check_offset": 1}, id="", model="", object="", created=0),
        STOP,
        text="4",
    ),
    "a usage that grows from chunk to chunk": stream(
        "bytedance/deer-flow#4537",
        *(
            chunk({"content": str(n)}, usage={"prompt_tokens": 10, "completion_tokens": n, "total_tokens": 10 + n})
            for n in (1, 2, 3)
        ),
        chunk({}, "stop", usage={"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}),
        text="123",
        tokens=13,
    ),
    "reasoning by its newer name": stream(
        "vllm-project/vllm-ascend#10940",
        chunk({"reasoning": "Let me"}),
        chunk({"reasoning": " see."}),
        chunk({"content": "4"}),
        STOP,
        text="4",
        reasoning="Let me see.",
    ),
    "content in parts": stream(
        "vercel/ai#13703",
        chunk({"role": "assistant", "content": _THINKING}),
        chunk({"content": _TEXT}),
        STOP,
        text="4",
        reasoning="Let me see.",
    ),
    # whole answers
    "reasoning by its newer name, whole": Report(
        "vllm-project/vllm-ascend#10940",
        json.dumps(
            {"choices": [{"message": {"content": "4", "reasoning": "Let me see."}, "finish_reason": "stop"}]}
        ).encode(),
        Good(text="4", reasoning="Let me see."),
        streamed=False,
        kind=JSON,
    ),
    "content in parts, whole": Report(
        "vercel/ai#13703",
        json.dumps({"choices": [{"message": {"content": _THINKING + _TEXT}, "finish_reason": "stop"}]}).encode(),
        Good(text="4", reasoning="Let me see."),
        streamed=False,
        kind=JSON,
    ),
    "a stream that nobody asked for": Report(
        "BerriAI/litellm#25766",
        events(
            chunk({"role": "assistant", "content": "2+2"}),
            chunk({"content": " is 4"}),
            chunk({}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
        ),
        Good(text="2+2 is 4", tokens=3),
        streamed=False,
    ),
    "calls in a stream that nobody asked for": Report(
        "BerriAI/litellm#25766",
        events(
            fragment("", index=0, id="c1", name="add"),
            fragment('{"a": 1,', index=0, id=""),
            fragment(' "b": 2}', index=0, id=""),
            fragment('{"a": 3}', index=1, id="c2", name="multiply"),
            CALLS,
        ),
        Good(calls=(ADD, MULTIPLY)),
        streamed=False,
    ),
    "a refusal in a stream that nobody asked for": Report(
        "BerriAI/litellm#25766",
        events({"error": _OVERFLOW}),
        Bad(errors.QwenContextLengthError, "maximum context length is 163840"),
        streamed=False,
    ),
    # errors in a stream
    "an error that is a sentence": Report(
        "spring-projects/spring-ai#5244",
        events({"error": _OVERFLOW}),
        Bad(errors.QwenContextLengthError, "maximum context length is 163840"),
    ),
    "DashScope's refusal of a request": Report(
        "spring-projects/spring-ai#4959",
        events(
            {
                "error": {
                    "code": "invalid_parameter_error",
                    "param": None,
                    "message": _ORDER,
                    "type": "invalid_request_error",
                },
                "id": "chatcmpl-1",
            },
            done=False,
        ),
        Bad(errors.QwenBadRequestError, "must be followed by tool messages"),
    ),
    "a burst": Report(
        "anomalyco/opencode#21355",
        events({"error": {"message": _BURST, "type": "limit_burst_rate", "code": "limit_burst_rate"}}, done=False),
        Bad(errors.QwenRateLimitError, "Request rate increased too quickly", tries=3),
    ),
    "an error after the role": Report(
        "raullenchai/Rapid-MLX#1849",
        events(
            chunk({"role": "assistant"}),
            {"error": {"message": "Internal error during streaming", "type": "internal_error"}},
        ),
        Bad(errors.QwenServerError, "Internal error during streaming"),
    ),
    "a bare refusal after some text": Report(
        "googleapis/js-genai#1973",
        events(chunk({"content": "Well, "}), done=False)
        + b'{"error":{"code":"prohibited_content","message":"The answer was blocked."}}\n',
        Bad(errors.QwenContentFilterError, "The answer was blocked.", text="Well, "),
    ),
    # refusals
    "a burst's 429": refusal(
        "anomalyco/opencode#21355",
        429,
        {"error": {"message": _BURST, "type": "limit_burst_rate", "param": None, "code": "limit_burst_rate"}},
        Bad(errors.QwenRateLimitError, "Request rate increased too quickly", tries=3),
    ),
    "vLLM's flat 404": refusal(
        "QwenLM/Qwen-Agent#110",
        404,
        {
            "object": "error",
            "message": "The model `Qwen1.5-72B-Chat` does not exist.",
            "type": "NotFoundError",
            "param": None,
            "code": 404,
        },
        Bad(errors.QwenModelNotFoundError, "does not exist"),
    ),
    "a model that is spelled otherwise": refusal(
        "AIDotNet/OpenDeepWiki#308",
        404,
        {
            "error": {
                "message": "The model `Qwen-Plus` does not exist or you do not have access to it.",
                "type": "invalid_request_error",
                "param": None,
                "code": "model_not_found",
            }
        },
        Bad(errors.QwenModelNotFoundError, "`Qwen-Plus` does not exist"),
    ),
    "too many pictures": refusal(
        "infiniflow/ragflow#9244",
        400,
        {
            "error": {
                "message": "<400> InternalError.Algo.InvalidParameter: Exceeded limit on max data-uri per request: 250",
                "type": "invalid_request_error",
                "param": None,
                "code": "invalid_parameter_error",
            }
        },
        Bad(errors.QwenBadRequestError, "Exceeded limit on max data-uri per request: 250"),
    ),
}


def of(kind: type[Good] | type[Bad], *, streamed: bool) -> pytest.MarkDecorator:
    """Parametrize a test with the reports of a kind that a request for a stream, or for a whole answer, may get."""
    return pytest.mark.parametrize(
        "report",
        [
            pytest.param(report, id=f"{name} ({report.source})", marks=pytest.mark.reported(report.source))
            for name, report in REPORTS.items()
            if isinstance(report.means, kind) and report.streamed in (streamed, None)
        ],
    )
