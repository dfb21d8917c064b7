"""Dangers of a server's text on a screen or in a log: it steers, it hides a secret, it takes for ever to be cleaned."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen_portal.secrets import MASK, Secret, printable
from tests.canaries import ACCESS, assert_none_in
from tests.screens import assert_shows_itself

ANY = settings(max_examples=1000, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
LIMIT = 60.0

_STEERING = [*"\x1b\x07\x9b\x9d\0\r\n\u202e\u2066\u200b\u200f\ufeff\xad\u061c\u2060\u180e\ud800\U000e0041", "\x1b["]
_SAID = [ACCESS, ACCESS[:7], "Bearer ", "sk-", "sk-abcdefgh", "https://", "user:pw@", "?api_key=", "&x=1", ";", "#"]
texts = st.lists(st.sampled_from([*_STEERING, *_SAID, "31m", "]0;title", "\\"]) | st.text(max_size=4)).map("".join)

# Texts of which each part looks like the beginning of what is masked, or of an escape sequence.
SLOW = [
    *("a.", "a-", "?", "?key", "key", "?key;", "&token=", "a://", "://", "://a@", "sk-", "Bearer ", "bearer\t"),
    *("\x1b", "\x1b]", "\x1b[", "\x1b[0;", "\x1b[ ", "\u202e", "\x9b", " ", "\n", "'", "=", "https://a?key=b&"),
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
        "from qwen_portal.secrets import printable\n"
        f"for part in {SLOW!r}:\n"
        "    for text in (part * (65_536 // len(part)), 'x' + part * 20_000 + '\\x1b', '?' + part * 20_000 + '='):\n"
        "        printable(text)\n"
    )
    run: Any = subprocess.run(
        [sys.executable, "-c", script], timeout=LIMIT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
