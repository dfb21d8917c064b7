"""The emulator's odd answers, read by the core's clients: as good as the plain ones, or the error that they hide."""

import json
from typing import Any

import pytest

from qwen_portal import PortalClient, errors
from qwen_portal.emulator import Emulator
from tests.ways import ALL, STREAMED, Way

ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}
COUNT: list[dict[str, Any]] = [{"role": "user", "content": "count to 5"}]
SUM: list[dict[str, Any]] = [{"role": "user", "content": "add 3 and 4"}]


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("scenario", ["holes", "bom", "cr-lines", "finish-twice", "usage-twice"])
def test_text_is_read_in_any_form(scenario: str, ask: Way, signed_in: Emulator) -> None:
    """One request, and the text that the service has for it."""
    signed_in.scenario(scenario)
    assert ask(COUNT) == "1 2 3 4 5"
    assert len(signed_in.chats()) == 1


@pytest.mark.parametrize("ask", STREAMED)
def test_two_halves_are_one_character(ask: Way, signed_in: Emulator) -> None:
    """The halves come in two chunks."""
    signed_in.scenario("half-character")
    assert ask(COUNT) == "\N{GRINNING FACE}1 2 3 4 5"


@pytest.mark.parametrize(
    "scenario",
    ["holes", "name-in-pieces", "ids-everywhere", "names-everywhere", "double-encoded", "cr-lines", "finish-twice"],
)
def test_a_call_is_one_call_in_any_form(scenario: str, signed_in: Emulator) -> None:
    """Streamed and whole, name and arguments are those of the one call."""
    signed_in.scenario(scenario)
    with PortalClient() as client:
        whole = client.chat(SUM, tools=[ADD])["choices"][0]["message"]["tool_calls"]
        with client.stream(SUM, tools=[ADD]) as chunks:
            pieces = [
                call for chunk in chunks for each in chunk["choices"] for call in each["delta"].get("tool_calls", ())
            ]
    assert [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in whole] == [
        ("add", {"a": 3, "b": 4})
    ]
    assert {piece["index"] for piece in pieces} == {0}
    assert "".join(piece["function"].get("name") or "" for piece in pieces) == "add"
    assert json.loads("".join(piece["function"]["arguments"] for piece in pieces)) == {"a": 3, "b": 4}


@pytest.mark.parametrize("ask", STREAMED)
@pytest.mark.parametrize(
    ("scenario", "error", "words"),
    [
        ("dashscope-event-error", errors.QwenQuotaExceededError, "Allocated quota exceeded"),
        ("numeric-code", errors.QwenContextLengthError, "longer than the model's context length"),
        ("bare-error", errors.QwenContextLengthError, "exceeds the available context size"),
        ("framed-refusal", errors.QwenQuotaExceededError, "Free allocated quota exceeded."),
        ("coding-agents-only", errors.QwenPlanNotForProgramsError, "only available for Coding Agents"),
    ],
)
def test_an_error_is_read_in_any_form(
    scenario: str, error: type[Exception], words: str, ask: Way, signed_in: Emulator
) -> None:
    """Its class and its words."""
    signed_in.scenario(scenario)
    with pytest.raises(error, match=words):
        ask(COUNT, client={"on_quota": "error"})
