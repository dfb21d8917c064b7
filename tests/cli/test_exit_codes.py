"""Every failure ends in its exit code, with what happened and what to do, and no traceback."""

import errno
import inspect
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result

from qwen_portal import errors
from qwen_portal.cli.group import LazyGroup
from qwen_portal.cli.root import cli
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenError
from tests.canaries import KEY, assert_none_in
from tests.cli.program import LIMIT, PROGRAM, run

TREE = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, QwenError)]
CODES = {
    errors.QwenError: 1,
    errors.QwenOAuthError: 1,
    errors.QwenLoginDeniedError: 1,
    errors.QwenHostNotAllowedError: 1,
    errors.QwenStoreLockedError: 3,
    errors.QwenStoreUnavailableError: 3,
    errors.QwenTokenNotAvailableError: 4,
    errors.QwenRefreshTokenInvalidError: 4,
    errors.QwenAuthenticationError: 4,
    errors.QwenServiceEndedError: 4,
    errors.QwenQuotaExceededError: 5,
    errors.QwenRateLimitError: 5,
    errors.QwenTokenExpiredError: 6,
    errors.QwenConnectionError: 6,
    errors.QwenTimeoutError: 6,
    errors.QwenServerError: 6,
    errors.QwenStreamError: 6,
}


def fail_with(failure: BaseException) -> Result:
    """Run a command that ends in this failure."""

    @click.command()
    def command() -> None:
        raise failure

    class OneCommand(LazyGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            return command

    return CliRunner().invoke(OneCommand(package="", lazy={"x": ""}), ["x"])


@pytest.mark.parametrize("kind", TREE)
def test_an_error_says_what_happened_and_what_to_do(kind: type[QwenError]) -> None:
    """Every error of the tree is told in two lines, and leaves with the exit code of its class."""
    result = fail_with(kind("It broke.", hint="Mend it."))
    assert result.exit_code == kind.exit_code
    assert (result.stdout, result.stderr) == ("", "Error: It broke.\nHint: Mend it.\n")


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_exit_codes_mean_what_help_says(kind: type[QwenError], code: int) -> None:
    """The codes that scripts rely on: 1 error, 3 keyring, 4 sign-in, 5 quota or rate, 6 network."""
    assert fail_with(kind("x")).exit_code == code


def test_ctrl_c_is_2() -> None:
    """Cancelled, whatever was under way."""
    for failure in (KeyboardInterrupt(), click.Abort()):
        result = fail_with(failure)
        assert result.exit_code == 2
        assert "Cancelled." in result.stderr


def test_a_defect_of_ours_is_masked_and_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen error may quote a header; the frames come only when asked for, and hold no values."""
    failure = ValueError(f"Illegal header value b'Bearer {KEY}'")
    plain = fail_with(failure)
    assert plain.exit_code == 1
    assert "unexpected ValueError" in plain.stderr
    assert "File " not in plain.stderr
    monkeypatch.setenv("QWEN_PORTAL_LOG", "debug")
    debug = fail_with(failure)
    assert "raise failure" in debug.stderr
    assert_none_in(plain.output + debug.output)


def test_a_reader_that_went_away_is_not_a_defect() -> None:
    """`qwen-portal chat … | head -1` ends quietly."""
    result = fail_with(BrokenPipeError(32, "Broken pipe"))
    assert (result.exit_code, result.stderr) == (1, "")


def test_a_full_disk_is_not_a_defect() -> None:
    """`qwen-portal models > FILE` says that there is no room."""
    result = fail_with(OSError(errno.ENOSPC, "No space left on device"))
    assert result.exit_code == 1
    assert "cannot be written: No space left on device." in result.stderr
    assert "defect" not in result.stderr


@pytest.mark.parametrize(("args", "code"), [(("login", "--plan", "studio", "--api-key-stdin"), 1), (("chat",), 2)])
def test_a_closed_stdin_is_an_empty_one(args: tuple[str, ...], code: int) -> None:
    """`qwen-portal login --api-key-stdin <&-` says that there is no key."""
    script = f"import os, runpy, sys; os.close(0); os.execv(sys.executable, {[*PROGRAM, *args]!r})"
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert (result.returncode, "defect" in result.stderr) == (code, False), result.stderr


@pytest.mark.parametrize(
    ("scenario", "code"),
    [("moderation", 1), ("input-range", 1), ("ended", 4), ("quota", 5), ("quota-403", 5), ("cut", 6), ("not-sse", 6)],
)
def test_a_refused_chat_ends_in_its_code(signed_in: Emulator, scenario: str, code: int) -> None:
    """What the service answers decides the exit code."""
    signed_in.scenario(scenario)
    result = run("chat", "Hello")
    assert result.exit_code == code
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "args", [("nonsense",), ("chat", "--nonsense"), ("accounts", "use"), ("emulator", "--scenario", "nonsense")]
)
def test_a_mistyped_command_is_2(args: tuple[str, ...]) -> None:
    """Unknown commands, options and names are usage errors."""
    assert run(*args).exit_code == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("QWEN_PORTAL_LOG", "loud"), ("QWEN_PORTAL_TIMEOUT", "soon"), ("QWEN_PORTAL_OAUTH_URL", "http://example.com")],
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A variable with a value it cannot have is an error that names it, for any command."""
    monkeypatch.setenv(name, value)
    result = run("status")
    assert result.exit_code == 1
    assert value in result.stderr


def test_help_lists_the_codes_and_every_command() -> None:
    """--help is enough to write a script against."""
    text = " ".join(run("--help").stdout.split())
    for code in ("0 ok", "1 error", "2 usage", "3 keyring", "4 sign-in", "5 quota", "6 network"):
        assert code in text
    assert isinstance(cli, click.Group)
    for name in cli.list_commands(click.Context(cli)):
        assert f" {name} " in text


def test_the_table_of_help_agrees_with_the_commands() -> None:
    """What --help says without importing a command is the first line of the command's own help."""
    assert isinstance(cli, LazyGroup)
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert (command.help or "").splitlines()[0] == cli._lazy[name]


def test_version_is_the_package_s() -> None:
    """The number that a bug report needs."""
    from qwen_portal import __version__

    assert __version__ in run("--version").stdout
