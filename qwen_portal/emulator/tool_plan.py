"""The choice of the tools that the emulated model calls next."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from qwen_portal.emulator.clues import Clues
from qwen_portal.emulator.completion import ToolCall
from qwen_portal.emulator.messages import Body, text_of
from qwen_portal.emulator.schema_values import SchemaValues

# Words that say nothing about what a prompt is after.
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """
        a about again all an and any are as at be by call can could do does first for from function get give given has
        have how i if in into is it its last like list make me my new next no not now of on one or other our out please
        return returns run set some such than that the their them then there these they this those to tool tools two up
        use used user using value want was what when where which who will with would you your
        """,
    ),
)
_MATHS = frozenset({"calculator", "calculate", "arithmetic", "math", "maths", "expression", "compute", "evaluate"})
_SIGNS = {
    "+": frozenset({"add", "adder", "addition", "sum", "plus"}),
    "-": frozenset({"subtract", "minus", "difference"}),
    "*": frozenset({"multiply", "multiplication", "product", "times"}),
    "/": frozenset({"divide", "division", "quotient"}),
}
# How LiteLLM hands on what Claude Code tells the model beside the person's words.
_NOTE = "Operator note (not from the user)"
_NAMED = 2
_ENOUGH = 2


@dataclass(frozen=True)
class Turn:
    """The part of a conversation that the model has to answer: the last user message and what came after it.

    Attributes:
        prompt: The text of the last user message.
        calls: Tool calls made since, oldest first.
        results: Texts of the tool messages since, oldest first.
    """

    prompt: str
    calls: list[Body]
    results: list[str]


def turn_of(messages: list[Body]) -> Turn:
    """The current turn of a conversation."""
    start = max((index for index, message in enumerate(messages) if _is_prompt(message)), default=0)
    since = messages[start:]
    calls = [call["function"] for message in since for call in message.get("tool_calls") or []]
    results = [text_of(message) for message in since if message["role"] == "tool"]
    return Turn(text_of(messages[start]), calls, results)


def _is_prompt(message: Body) -> bool:
    return message["role"] == "user" and not text_of(message).startswith(_NOTE)


def next_calls(body: Body, turn: Turn) -> tuple[ToolCall, ...]:
    """The calls to make now; none if the model should answer in words.

    A forced choice is obeyed. Left to itself the model works through the tools that the prompt names, or else those
    that it speaks of, one call a step (all at once with parallel_tool_calls), and then answers.
    """
    tools = [tool["function"] for tool in body.get("tools") or []]
    choice = body.get("tool_choice") or "auto"
    if not tools or choice == "none":
        return ()
    if isinstance(choice, dict):
        chosen = [tool for tool in tools if tool["name"] == choice["function"]["name"]]
    else:
        plan = _plan(tools, Clues(turn.prompt))[len(turn.calls) :]
        if not plan and choice == "required":
            called = {call.get("name") for call in turn.calls}
            plan = [tool for tool in tools if tool["name"] not in called] or tools
            chosen = plan[:1]
        else:
            chosen = plan if body.get("parallel_tool_calls") is True else plan[:1]
    clues = Clues(turn.prompt, turn.results).without(_used(turn.calls))
    return tuple(_call(tool, clues, index, body) for index, tool in enumerate(chosen))


def _plan(tools: list[Body], clues: Clues) -> list[Body]:
    """The tools that the prompt asks for, in order."""
    named = _named(tools, clues)
    if named:
        return named
    scored = [(_score(tool, clues), tool) for tool in tools]
    wanted = [tool for score, tool in sorted(scored, key=lambda pair: -pair[0]) if score >= _ENOUGH]
    if len(wanted) == 1 and _takes_one_string(wanted[0]):
        return wanted * max(1, len(clues.places))
    return wanted


def _named(tools: list[Body], clues: Clues) -> list[Body]:
    by_name = {tool["name"].lower(): tool for tool in tools}
    longest_first = sorted(by_name, key=len, reverse=True)
    pattern = "|".join(re.escape(name) for name in longest_first)
    found = re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", clues.prompt.lower())
    # "step, then step, then step" is three calls; a tool that is merely spoken of twice is one.
    names = found if clues.mentions("then") else list(dict.fromkeys(found))
    return [by_name[name] for name in names]


def _score(tool: Body, clues: Clues) -> int:
    prompt = _stems(clues.prompt)
    name = _stems(tool["name"])
    # The first sentence says what a tool is for; long descriptions would match any prompt.
    purpose = _stems(re.split(r"[.\n]", tool.get("description") or "")[0])
    properties = (tool.get("parameters") or {}).get("properties", {})
    parameters = _stems(" ".join(properties))
    score = _NAMED * len(prompt & name) + len(prompt & (purpose | parameters) - name)
    values = [value for each in properties.values() if isinstance(each, dict) for value in each.get("enum", [])]
    score += _ENOUGH * any(clues.mentions(value) for value in values if isinstance(value, str))
    if clues.sum is not None:
        signs = {word for sign, words in _SIGNS.items() if sign in clues.sum.text for word in words}
        wanted = _stems(" ".join(signs | _MATHS))
        score += _ENOUGH * bool(wanted & (name | purpose | parameters))
    return score


def _stems(text: str) -> frozenset[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    words = re.findall(r"[^\W\d_]{2,}", spaced)
    return frozenset(re.sub(r"(?:ing|ed|es|s)$", "", word) for word in words if word not in _COMMON)


def _takes_one_string(tool: Body) -> bool:
    properties = (tool.get("parameters") or {}).get("properties", {})
    required = (tool.get("parameters") or {}).get("required", [])
    return len(required) == 1 and properties.get(required[0], {}).get("type") == "string"


def _used(calls: list[Body]) -> list[str]:
    used: list[str] = []
    for call in calls:
        try:
            arguments = json.loads(call.get("arguments") or "{}")
        except json.JSONDecodeError:
            continue
        used += [str(value) for value in arguments.values()] if isinstance(arguments, dict) else []
    return used


def _call(tool: Body, clues: Clues, index: int, body: Body) -> ToolCall:
    schema: dict[str, Any] = {"type": "object"} | (tool.get("parameters") or {})
    arguments = json.dumps(SchemaValues(schema, clues).value(), ensure_ascii=False)
    # Made from the request, so that recordings repeat; two requests of one conversation never are the same.
    digest = hashlib.sha256(json.dumps([body["messages"], index], sort_keys=True).encode()).hexdigest()
    return ToolCall(f"call_{digest[:22]}", tool["name"], arguments)
