"""No command shows a secret, whether it succeeds or fails, not even in its debug log."""

from collections.abc import Iterator

import click
import pytest

from qwen_portal.cli.root import cli
from qwen_portal.emulator import Emulator
from tests.canaries import KEY, assert_none_in
from tests.cli.program import run, run_program

DEBUG = {"QWEN_PORTAL_LOG": "debug"}


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command under a group, with its name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


def test_no_option_takes_a_secret() -> None:
    """What stands on a command line is seen by every user of the machine and kept in the shell's history."""
    assert isinstance(cli, click.Group)
    for name, command in commands(cli):
        for parameter in command.params:
            suspicious = any(word in (parameter.name or "") for word in ("key", "token", "secret", "password"))
            is_flag = isinstance(parameter, click.Option) and parameter.is_flag
            # the name of a variable is no secret
            names_a_variable = (parameter.name or "").endswith("_env")
            assert is_flag or names_a_variable or not suspicious, f"{name}: {parameter.name}"


@pytest.mark.parametrize(
    "args",
    [
        ("login", "again"),
        ("login", "--json"),
        ("status",),
        ("status", "--json", "--check"),
        ("accounts",),
        ("models",),
        ("usage",),
        ("usage", "--json"),
        ("chat", "Hello"),
        ("chat", "Hello", "--json"),
        ("chat", "Hello", "-m", "no-such-model"),
        ("logout",),
        ("token", "nobody"),
    ],
)
def test_no_command_shows_a_token(signed_in: Emulator, args: tuple[str, ...]) -> None:
    """Neither stdout nor stderr holds a device code, an access token or a refresh token."""
    result = run_program(*args, **DEBUG)
    assert result.stdout + result.stderr
    assert_none_in(result.stdout + result.stderr, signed_in.issued_tokens())


@pytest.mark.parametrize(
    ("scenario", "where", "args"),
    [
        ("denied", None, ("login",)),
        ("firewall", None, ("login",)),
        ("error-500", "refresh", ("token", "--refresh")),
        ("error-in-200", "refresh", ("token", "--refresh")),
        ("revoked", None, ("chat", "Hello")),
        ("ended", None, ("chat", "Hello")),
        ("moderation", None, ("chat", "Hello")),
        ("cut", None, ("chat", "Hello")),
        ("quota", None, ("status", "--check")),
    ],
)
def test_no_failure_shows_a_token(signed_in: Emulator, scenario: str, where: str | None, args: tuple[str, ...]) -> None:
    """The same for every way a command fails."""
    signed_in.scenario(scenario, where=where)
    result = run_program(*args, **DEBUG)
    assert_none_in(result.stdout + result.stderr, signed_in.issued_tokens())


def test_token_shows_it_on_stdout_alone(signed_in: Emulator) -> None:
    """The one command whose data is the token keeps its talk free of it."""
    result = run_program("token", "--refresh", **DEBUG)
    assert result.stdout.strip() in signed_in.issued_tokens()
    assert "refreshing" in result.stderr
    assert_none_in(result.stderr, signed_in.issued_tokens())


@pytest.mark.parametrize("args", [("status",), ("status", "--json"), ("accounts",), ("models",), ("chat", "Hello")])
def test_no_command_shows_a_key(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]) -> None:
    """A key of the environment stays there, also when the service refuses it."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    result = run(*args)
    assert_none_in(result.output)


def test_a_key_given_where_none_belongs_is_not_echoed() -> None:
    """Whoever types the key as an argument by mistake does not see it repeated in an error."""
    result = run("login", "--plan", "coding", "--api-key", KEY)
    assert result.exit_code == 2
    assert_none_in(result.output)
