"""Answers of the emulated model: deterministic, and sensible enough for a demo, a test or an agent loop."""

import re
from collections.abc import Iterable

from qwen_portal.emulator import images, tokens
from qwen_portal.emulator.clues import Clues
from qwen_portal.emulator.completion import Choice, FinishReason
from qwen_portal.emulator.messages import Body, text_of
from qwen_portal.emulator.structured import structured
from qwen_portal.emulator.tool_plan import Turn, next_calls, turn_of

_SAY = re.compile(
    r"\b(?:say|reply|respond|answer)\b(?:\s+(?:with|only|just|exactly|the\s+words?|one\s+word))*\s*:?\s+"
    r"(?:[\"'“`](?P<quoted>[^\"'”`]+)[\"'”`]|(?P<word>[\w-]+)\s*[.!]?\s*$)",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\bcount (?:from (\d+) )?(?:up )?to (\d+)", re.IGNORECASE)
_WORDS = re.compile(r"\b(\d+)[ -]words?\b", re.IGNORECASE)
_GREETING = re.compile(r"\s*(?:hi|hello|hey|good (?:morning|evening|day))\b", re.IGNORECASE)
_MY_NAME = re.compile(r"\b(?:[Mm]y name is|I am|I'm)\s+([^\W\d_][\w-]*)")
_ASKS_NAME = re.compile(r"\bwhat(?:'s| is) my name\b|\bwho am I\b", re.IGNORECASE)
_MOST = 20_000
_FILLER = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")


def answer(body: Body, *, thinks: bool, default_output: int) -> tuple[Choice, ...]:
    """The choices of the answer to a request that was not refused.

    The same request always gets the same answer, so a seed or a temperature changes nothing.

    Args:
        body: The chat request.
        thinks: Whether reasoning comes before the text.
        default_output: Tokens at which the text is cut when the request names no limit.
    """
    turn = turn_of(body["messages"])
    calls = next_calls(body, turn)
    reasoning = _reasoning(body, turn, [call.name for call in calls]) if thinks else None
    if calls:
        return (Choice("", "tool_calls", reasoning, calls),)
    text = structured(body, turn) or _text(body["messages"], turn)
    choices: list[Choice] = []
    for number in range(1, body.get("n", 1) + 1):
        variant = text if number == 1 else f"{text} (choice {number})"
        content, finish_reason = _cut(variant, body, default_output)
        choices.append(Choice(content, finish_reason, reasoning))
    return tuple(choices)


def _cut(text: str, body: Body, default_output: int) -> tuple[str, FinishReason]:
    stop = body.get("stop") or []
    for sequence in [stop] if isinstance(stop, str) else stop:
        if sequence:
            text = text.split(sequence, 1)[0]
    limits = [body[name] for name in ("max_tokens", "max_completion_tokens") if name in body]
    pieces = tokens.split(text)
    if limits and len(pieces) > min(limits):
        return "".join(pieces[: min(limits)]), "length"
    # The service's own default is small, and what it cuts ends with "stop", as if the model had finished.
    return "".join(pieces[: None if limits else default_output]), "stop"


def _reasoning(body: Body, turn: Turn, names: list[str]) -> str:
    next_step = f"I should call {', '.join(names)}." if names else "I can answer this directly."
    thought = f"The user says: {turn.prompt[:200]}\n{next_step}"
    return "".join(tokens.split(thought)[: body.get("thinking_budget")])


def _text(messages: list[Body], turn: Turn) -> str:
    seen = [url for message in messages for url in tokens.image_parts(message)]
    if turn.results:
        return _from_results(turn, seen)
    prompt = Clues(turn.prompt).prompt
    if seen:
        return f"{_saw(seen)} You asked: {prompt}"
    return _special(prompt, messages) or _by_content(prompt)


def _from_results(turn: Turn, seen: list[str]) -> str:
    names = [str(call.get("name")) for call in turn.calls]
    lines = [f"{name} says: {result}" for name, result in zip(names, turn.results, strict=False)]
    return "\n".join([*(lines or turn.results), *([_saw(seen)] if seen else [])])


def _saw(urls: list[str]) -> str:
    count = "1 image" if len(urls) == 1 else f"{len(urls)} images"
    return f"I see {count}: {'; '.join(images.describe(url) for url in urls)}."


def _special(prompt: str, messages: list[Body]) -> str | None:
    """Answers to requests whose form says exactly what is wanted."""
    if _ASKS_NAME.search(prompt):
        earlier = (text_of(message) for message in messages if message["role"] in ("user", "system"))
        names = [name for text in earlier for name in _MY_NAME.findall(text)]
        return f"Your name is {names[-1]}." if names else "You have not told me your name."
    if match := _COUNT.search(prompt):
        first, last = int(match[1] or 1), int(match[2])
        return _joined(str(number) for number in range(first, min(last, first + _MOST) + 1))
    if match := _WORDS.search(prompt):
        return _joined(_FILLER[number % len(_FILLER)] for number in range(min(int(match[1]), _MOST)))
    if match := _SAY.search(prompt):
        return match["quoted"] or match["word"]
    return None


def _by_content(prompt: str) -> str:
    clues = Clues(prompt)
    if clues.sum is not None:
        return f"{clues.sum.text} = {clues.sum.value}"
    if _GREETING.match(prompt):
        return f"Hello! How can I help you? You said: {prompt}"
    return f"You said: {prompt}" if prompt else "You said nothing."


def _joined(words: Iterable[str]) -> str:
    return " ".join(words)
