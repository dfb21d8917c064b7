"""``qwen-portal token``: the token on stdout, nothing else."""

from qwen_portal.emulator import Emulator
from tests.canaries import KEY
from tests.cli.program import run


def test_stdout_is_the_token(signed_in: Emulator) -> None:
    """One line that the service issued, and silence on stderr."""
    result = run("token")
    assert result.exit_code == 0
    assert result.stdout.removesuffix("\n") in signed_in.issued_tokens()
    assert result.stderr == ""


def test_refresh_renews_a_token_that_still_serves(signed_in: Emulator) -> None:
    """--refresh spends the refresh token once, and the new token is the stored one."""
    before = run("token").stdout
    after = run("token", "--refresh").stdout
    assert after != before
    assert after == run("token").stdout
    assert len(signed_in.log("refresh")) == 1


def test_an_account_can_be_named(signed_in: Emulator) -> None:
    """The key of another account is printed when that account is asked for."""
    run("login", "team", "--plan", "coding", "--api-key-stdin", "--no-check", stdin=KEY)
    assert run("token", "team").stdout == f"{KEY}\n"
    assert run("token", "default").stdout.strip() in signed_in.issued_tokens()


def test_without_an_account_stdout_stays_empty() -> None:
    """A script that reads stdout gets nothing it could take for a token."""
    result = run("token")
    assert (result.exit_code, result.stdout) == (4, "")


def test_a_dead_refresh_token_needs_a_sign_in(signed_in: Emulator) -> None:
    """Exit code 4, and the hint names the command with the account."""
    signed_in.revoke(refresh_too=True)
    result = run("token", "--refresh")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "qwen-portal login default" in result.stderr
