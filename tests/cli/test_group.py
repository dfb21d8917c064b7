"""The commands by name: one that there is not is answered with the one that was meant."""

import pytest
from click.shell_completion import ShellComplete

from qwen_portal.cli.root import cli
from qwen_portal.emulator import Emulator
from tests.cli.program import run, run_program
from tests.login_never_lost.accounts import sign_in_as


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


def completed(*args: str, incomplete: str = "") -> list[str]:
    """Return what a shell proposes behind some arguments."""
    found = ShellComplete(cli, {}, "qwen-portal", "_QWEN_PORTAL_COMPLETE").get_completions(list(args), incomplete)
    return [item.value for item in found]


def test_a_shell_completes_commands_plans_models_and_labels(emulator: Emulator) -> None:
    """Each in the places where one is typed; the emulator's scenarios too."""
    sign_in_as("home", "work")
    assert completed(incomplete="acc") == ["accounts"]
    assert completed("login", "--plan", incomplete="coding") == ["coding", "coding-intl"]
    assert completed("models", "--plan", incomplete="studio-i") == ["studio-intl"]
    for command in ("chat", "check"):
        assert completed(command, "-m", incomplete="vision") == ["vision-model"]
    for words in (("login",), ("logout",), ("token",), ("accounts", "use"), ("accounts", "remove")):
        assert completed(*words, incomplete="wo") == ["work"]
    assert "slow-down-429" in completed("emulator", "--scenario", incomplete="slow")


def test_completion_fails_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the accounts cannot be listed there are none to propose."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "cupboard")
    assert completed("logout") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_that_help_names_prints_a_script(shell: str) -> None:
    """The variable is that of the program's name."""
    assert "_QWEN_PORTAL_COMPLETE=bash_source qwen-portal" in run("--help").stdout
    done = run_program(_QWEN_PORTAL_COMPLETE=f"{shell}_source")
    assert (done.returncode, "_QWEN_PORTAL_COMPLETE" in done.stdout) == (0, True)
