"""Commands at terminals of several widths: nothing is cut within a word or a command, colour is where it is wanted."""

import os
import re
import time

import pexpect  # type: ignore[import-untyped]
import pytest

import qwen_portal
from qwen_portal.account.cool_downs import CoolDown
from qwen_portal.emulator import Emulator
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.canaries import KEY, assert_none_in
from tests.cli.program import run, run_program
from tests.login_never_lost.accounts import sign_in_as
from tests.terminal import SIZES, assert_nothing_cut, at_screen, plain, shown

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is a POSIX thing"),
    pytest.mark.usefixtures("unmeasured"),
]
COMMANDS = [
    ("status",),
    ("accounts",),
    ("accounts", "rotate"),
    ("check", "-m", "coder-model", "-m", "nosuch"),
    ("doctor",),
    ("models",),
    ("usage",),
    ("token", "nobody"),
    ("login", "--api-key-stdin"),
    ("logn",),
]


@pytest.fixture
def accounts(emulator: Emulator) -> Emulator:
    """Keep three accounts: one that is well, one whose quota is used up, one that needs a new sign-in."""
    sign_in_as("default", "a colleague's")
    session = Session()
    session.accounts.add("工作", Credential.from_key(Secret(KEY), plan="coding-intl"))
    session.exhaust(session.choose("default"), CoolDown(time.time() + 1800))
    with session.accounts.editing("a colleague's") as entry:
        entry.needs_login, entry.lost = True, "another program used the refresh token of this sign-in up"
    run("accounts", "use", "default")
    run("usage", "--on")
    return emulator


@pytest.mark.parametrize(("columns", "lines"), SIZES)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_word_and_no_command_is_cut(command: tuple[str, ...], columns: int, lines: int, accounts: Emulator) -> None:
    """Whatever the width: a table becomes a list, a text is broken between words, a command to copy stays whole."""
    assert accounts.url
    _, text = shown(*command, columns=columns, lines=lines)
    assert "Traceback" not in text
    assert_nothing_cut(text, columns)


@pytest.mark.parametrize("command", [("status",), ("check", "-m", "coder-model"), ("doctor",)], ids=" ".join)
def test_a_pipe_gets_whole_lines_and_no_colour(command: tuple[str, ...], accounts: Emulator) -> None:
    """A row is a line there, however narrow the terminal is that the program was started from."""
    assert accounts.url
    done = run_program(*command, COLUMNS="40")
    assert "\x1b" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) > 60


def test_colour_is_left_out_where_it_is_not_wanted(accounts: Emulator) -> None:
    """NO_COLOR, and a terminal that has none; elsewhere `doctor` has some."""
    assert accounts.url
    assert "\x1b[32mok" in shown("doctor")[1]
    assert "\x1b[3" not in shown("doctor", NO_COLOR="1")[1]
    assert "\x1b[3" not in shown("doctor", TERM="dumb")[1]


@pytest.mark.parametrize("command", [("status",), ("doctor",), ("models",), ("usage",)], ids=" ".join)
def test_a_locale_that_knows_ascii_alone_makes_no_error(command: tuple[str, ...], accounts: Emulator) -> None:
    """LANG=C, as containers and cron have it; labels that it lacks are written as elsewhere."""
    assert accounts.url
    code, text = shown(*command, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert not re.search("Error|Traceback|[\udc80-\udcff]", text)
    assert code == (1 if command == ("doctor",) else 0)


def menu(child: pexpect.spawn) -> str:
    """Wait for the menu of plans and return it."""
    child.expect("Number, name or https address[^:]*: ")
    return str(child.before)


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_the_menu_names_every_plan_with_its_terms(columns: int, lines: int, emulator: Emulator) -> None:
    """The tier that ended is last and says so; on the usual terminal all of it is in view."""
    assert emulator.url
    with at_screen("login", columns=columns, lines=lines) as child:
        text = plain(menu(child))
        child.sendintr()
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == 2
    numbers = [int(number) for number in re.findall(r"^ +(\d+)  \S", text, re.MULTILINE)]
    assert numbers == [*range(1, len(numbers) + 1)]
    joined = " ".join(text.split())
    assert "Scripts and backends are allowed; each token is paid." in joined
    assert joined.rindex(" oauth ") > joined.rindex(" coding-intl ")
    assert joined.endswith("(the free tier stopped answering on 2026-04-16)")
    assert columns < 80 or len(text.splitlines()) < 24
    assert_nothing_cut(text, columns)
    assert qwen_portal.accounts() == []


@pytest.mark.parametrize("answer", ["coding-intl", "11"])
def test_a_plan_from_the_menu_is_asked_for_its_key(
    answer: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name or its number; what is neither is told, and asked again."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    with at_screen("login", "team") as child:
        menu(child)
        child.sendline("gold")
        assert "There is no plan named 'gold'" in menu(child)
        child.sendline(answer)
        child.expect("API key of the plan coding-intl: ")
        child.sendline(KEY)
        child.expect("Account 'team' is ready")
        child.expect(pexpect.EOF)
        child.close()
        said = child.before
    assert child.exitstatus == 0
    assert_none_in(said)
    (account,) = qwen_portal.accounts()
    assert (account.label, account.plan.name) == ("team", "coding-intl")


def test_whoever_signs_in_again_just_presses_enter(emulator: Emulator) -> None:
    """The plan that the account has is the usual answer."""
    sign_in_as("default")
    with at_screen("login") as child:
        assert "oauth" in menu(child) + str(child.after)
        child.sendline("")
        child.expect("user_code=")
        child.expect("Account 'default' is ready")
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == 0
    assert len(emulator.state.ledger.device_codes) == 2


@pytest.mark.parametrize("options", [("--no-browser",), ("--no-qr",), ("--plan", "oauth"), ("--json",)], ids=" ".join)
def test_who_has_said_how_to_sign_in_gets_no_menu(options: tuple[str, ...], emulator: Emulator) -> None:
    """Options of the device sign-in, and a program's, stand for it."""
    assert emulator.url
    code, text = shown("login", *options)
    assert code == 0
    assert "Which plan" not in text


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("decision", "code", "said"), [("approve", 0, "is ready"), ("deny", 1, "refused in the browser")]
)
def test_a_person_has_the_address_before_the_eyes(
    size: tuple[int, int], decision: str, code: int, said: str, emulator: Emulator
) -> None:
    """While waiting it is the last line, and the first one has not left the screen; then comes how it ended."""
    columns, lines = size
    emulator.configure(auto_approve=False)
    with at_screen("login", "--plan", "oauth", "--no-browser", columns=columns, lines=lines) as child:
        child.expect("client=qwen-code")
        before = plain(child.before + child.after)
        (device,) = emulator.state.ledger.device_codes.values()
        emulator.approve(device.user_code) if decision == "approve" else emulator.deny(device.user_code)
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == code
    assert said in " ".join(plain(child.before).split())
    assert f"user_code={device.user_code}" in before.splitlines()[-1]
    assert columns < 80 or len(before.splitlines()) < lines
    assert_nothing_cut(before + child.before, columns)
