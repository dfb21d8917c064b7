"""The commands by name: one that there is not is answered with the one that was meant."""

import pytest

from tests.cli.program import run


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (("logn",), "qwen-portal login"),
        (("Chat", "hello"), "qwen-portal chat"),
        (("sign-in",), "qwen-portal login"),
        (("whoami",), "qwen-portal status"),
        (("accounts", "lst"), "qwen-portal accounts list"),
    ],
)
def test_a_word_that_is_no_command_is_answered_with_the_one_that_was_meant(typed: tuple[str, ...], meant: str) -> None:
    """A slip of the finger, and what other programs call it; the exit code is that of wrong usage."""
    result = run(*typed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert (
        f"There is no command {typed[-1 if typed[0] == 'accounts' else 0]!r}. Did you mean `{meant}`?" in result.stderr
    )


def test_a_word_that_is_like_none_is_told_without_a_guess() -> None:
    """A wrong guess would be worse than none."""
    result = run("xyzzy")
    assert result.exit_code == 2
    assert "There is no command 'xyzzy'.\n" in result.stderr
