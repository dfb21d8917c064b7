"""Dangers of a server's text on a screen or in a log: it steers, it hides a secret, it takes for ever to be cleaned."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen_portal.secrets import MASK, Secret, masked, printable
from tests.canaries import ACCESS, assert_none_in
from tests.screens import assert_shows_itself

ANY = settings(max_examples=1000, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
LIMIT = 60.0
LONG = "CANARY-ACCESS-1-aaaabbbbccccddddeeeeffff"

_STEERING = [*"\x1b\x07\x9b\x9d\0\r\n\u202e\u2066\u200b\u200f\ufeff\xad\u061c\u2060\u180e\ud800\U000e0041", "\x1b["]
_SAID = [ACCESS, ACCESS[:7], "Bearer ", "sk-", "sk-abcdefgh", "https://", "user:pw@", "?api_key=", "&x=1", ";", "#"]
texts = st.lists(st.sampled_from([*_STEERING, *_SAID, "31m", "]0;title", "\\"]) | st.text(max_size=4)).map("".join)

# Texts of which each part looks like the beginning of what is masked, or of an escape sequence.
SLOW = [
    *("a.", "a-", "?", "?key", "key", "?key;", "&token=", "a://", "://", "://a@", "sk-", "Bearer ", "bearer\t"),
    *("\x1b", "\x1b]", "\x1b[", "\x1b[0;", "\x1b[ ", "\u202e", "\x9b", " ", "\n", "'", "=", "https://a?key=b&"),
    *("%25", "%2", "\\u00", LONG[:12], f"{LONG[:12]}\u200b", "a" * 12),
]


@ANY
@given(texts, st.integers(1, 400))
def test_any_text_is_harmless_and_short(text: str, limit: int) -> None:
    """Whatever is in it, and however it is divided."""
    shown = printable(text, limit=limit, secrets=[Secret(ACCESS)])
    assert_shows_itself(shown)
    assert len(shown) <= limit
    assert_none_in(shown, [ACCESS])


@pytest.mark.parametrize("char", [each for each in _STEERING if len(each) == 1], ids=ascii)
def test_what_does_not_show_itself_is_left_out(char: str) -> None:
    """Controls, marks of direction, what is not seen, and halves of characters, which no terminal takes."""
    assert printable(f"a{char}b") == "a b"


@pytest.mark.parametrize("divider", ["\x1b[0m", "\x1b]0;x\x07", "\x1b\\", "\x1b[31m\x1b[1m"], ids=ascii)
def test_a_secret_that_escape_sequences_divide_is_masked(divider: str) -> None:
    """To drop them puts it together again."""
    said = f"{ACCESS[:6]}{divider}{ACCESS[6:]} sk-{divider}abcdefgh12 Bea{divider}rer hunter2"
    assert printable(said, secrets=[Secret(ACCESS)]) == f"{MASK} {MASK} Bearer {MASK}"


def _with(char: str) -> Callable[[str], str]:
    return lambda told: f"{told[:15]}{char}{told[15:]}"


DISGUISES: dict[str, Callable[[str], str]] = {
    "percent-encoded": lambda told: told.replace("-", "%2D"),
    "encoded twice": lambda told: told.replace("-", "%252d"),
    "as JSON writes it": lambda told: told.replace("-", "\\u002d"),
    "as Python writes it": lambda told: told.replace("-", "\\x2d"),
    "without its last character": lambda told: told[:-1],
    "with another end": lambda told: f"{told[:20]}x{told[21:]}",
    "half of it, encoded": lambda told: told[:20].replace("-", "%2D"),
    **{f"with {char!a} in it": _with(char) for char in "\n\u200b\xad \0"},
    "with an escape sequence in it": lambda told: f"{told[:15]}\x1b[0m{told[15:]}",
    "every character apart": "\u200b".join,
}


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_a_secret_that_is_written_otherwise_is_masked(disguise: Callable[[str], str]) -> None:
    """In whole and in part, and what stands around it is left."""
    told = disguise(LONG)
    for shown in (printable(f"no {told}, not {told}!", secrets=[Secret(LONG)]), masked(told, secrets=[Secret(LONG)])):
        assert_none_in(shown, [LONG[:5], LONG[-5:-1]])
        assert MASK in shown
    assert printable(f"no {told}, not {told}!", secrets=[Secret(LONG)]) == f"no {MASK}, not {MASK}!"


def test_what_is_no_secret_is_left_as_it_is() -> None:
    """A short beginning of one, an address, a text with blanks."""
    text = f"GET /a%2Fb?c=%41 of {LONG[:11]}, twice  \\u0041"
    assert masked(text, secrets=[Secret(LONG), Secret(ACCESS), Secret("")]) == text


@pytest.mark.parametrize("before", [0, 290, 65_530, 70_000])
def test_a_secret_is_masked_wherever_it_is_cut(before: int) -> None:
    """Half a token is most of one."""
    shown = printable(f"{'x' * before}{ACCESS}", secrets=[Secret(ACCESS)])
    assert_none_in(shown, [ACCESS[:4]])


@pytest.mark.parametrize("limit", [60, 300, 2000])
def test_a_long_text_of_escape_sequences_hides_nothing_at_its_end(limit: int) -> None:
    """What is cut before it is cleaned may be short afterwards."""
    # all but its first four characters are beyond what is looked at
    said = "\x1b[0m" * 16_383 + ACCESS
    assert_none_in(printable(said, limit=limit, secrets=[Secret(ACCESS)]), [ACCESS[:4]])


@pytest.mark.long
def test_no_text_takes_for_ever() -> None:
    """An error of 64 KB held the event loop, and every thread with it, for minutes; the limit is for a hundred."""
    script = (
        "from qwen_portal.secrets import Secret, printable\n"
        f"for part in {SLOW!r}:\n"
        "    for text in (part * (65_536 // len(part)), 'x' + part * 20_000 + '\\x1b', '?' + part * 20_000 + '='):\n"
        f"        printable(text, secrets=[Secret({LONG!r}), Secret('a' * 64)])\n"
    )
    run: Any = subprocess.run(
        [sys.executable, "-c", script], timeout=LIMIT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
