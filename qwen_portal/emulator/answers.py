"""What the emulated model says: deterministic, and sensible enough for a demo, a test or an agent loop."""

from qwen_portal.emulator import refusals, tokens
from qwen_portal.emulator.completion import Choice


def answer(body: refusals.Body, *, thinks: bool, default_output: int) -> tuple[Choice, ...]:
    """The choices of the answer to a request that was not refused.

    Args:
        body: The chat request.
        thinks: Whether reasoning comes before the text.
        default_output: Tokens at which the text is cut, with "stop", when the request names no limit.
    """
    text = refusals.text_of(body["messages"][-1])
    reasoning = "Let me think." if thinks else None
    return (Choice(f"You said: {text}", "stop", reasoning),)
