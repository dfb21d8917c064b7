"""What a start imports. Speed itself is measured by `make bench`; here no clock decides."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qwen_portal.settings import load_settings
from tests.canaries import KEY
from tests.cli.program import run

HEAVY = {"httpx", "keyring", "rich", "langchain_core", "litellm", "sqlite3"}
# What neither --help nor status has the time for, our own parts included.
SLOW = HEAVY | {
    *("asyncio", "filelock", "hashlib", "logging", "platformdirs", "segno", "ssl", "tempfile"),
    *(
        "qwen_portal.client",
        "qwen_portal.recording.recorder",
        "qwen_portal.storage.credential",
        "qwen_portal.storage.stores",
        "qwen_portal.tokens.manager",
    ),
}
RUN = """
import sys
from qwen_portal.cli import main
sys.argv = ["qwen-portal", *sys.argv[1:]]
try:
    main()
finally:
    import json
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def modules_after(code: str, *args: str) -> set[str]:
    """Return the modules that a fresh interpreter has imported when the code has run."""
    # coverage, which the test run starts in child processes, has imports of its own
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", code, *args], env=environment, capture_output=True, text=True, check=False
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_importing_the_package_imports_nothing_heavy() -> None:
    """`import qwen_portal` is free: its names are loaded when they are first used."""
    modules = modules_after("import json, sys, qwen_portal; print(json.dumps([*sys.modules]), file=sys.stderr)")
    assert "qwen_portal" in modules
    assert modules & HEAVY == set()
    assert {name for name in modules if name.startswith("qwen_portal.")} == {"qwen_portal._version"}


def test_help_imports_no_command() -> None:
    """The table of --help is enough; neither a command's module nor anything slow is imported."""
    modules = modules_after(RUN, "--help")
    assert modules & SLOW == set()
    assert {name for name in modules if name.startswith("qwen_portal.cli.")} == {
        "qwen_portal.cli.group",
        "qwen_portal.cli.root",
        "qwen_portal.cli.talk",
    }


@pytest.mark.parametrize("args", [("status",), ("status", "--json")])
def test_status_reads_the_index_and_nothing_else(args: tuple[str, ...]) -> None:
    """No store, no HTTP and no lock is imported, with accounts and in the default place."""
    run("login", "--plan", "coding", "--api-key-stdin", "--no-check", stdin=KEY)
    run("usage", "--on")
    modules = modules_after(RUN, *args)
    assert "qwen_portal.storage.index" in modules
    assert modules & SLOW == set()


def test_status_does_so_where_home_is_not_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Finding the platform's folder imports nothing slow either, on the platform where this is measured."""
    monkeypatch.delenv("QWEN_PORTAL_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert modules_after(RUN, "status") & (SLOW if sys.platform == "linux" else HEAVY) == set()


@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": "/home/someone"},
        {"HOME": "/home/someone", "XDG_STATE_HOME": "/var/state"},
        {"HOME": "/home/someone", "XDG_STATE_HOME": "relative"},
        {"HOME": "/home/someone", "XDG_STATE_HOME": ""},
        {"XDG_STATE_HOME": "/var/state"},
        {"HOME": "relative"},
    ],
)
def test_the_default_folder_is_platformdirs_s(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """The short cut answers what the library answers."""
    from platformdirs import user_state_path

    for name in ("HOME", "XDG_STATE_HOME", "QWEN_PORTAL_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings().home == user_state_path("qwen-portal", appauthor=False)


def test_the_collector_is_on_again_while_a_command_runs() -> None:
    """It is off for the imports alone: a long conversation or an emulator would grow without it."""
    code = "import gc\n" + RUN.replace(
        "print(json.dumps(sorted(sys.modules))", "print(json.dumps([str(gc.isenabled())])"
    )
    assert modules_after(code, "status") == {"True"}


def test_a_request_imports_sqlite_only_if_it_is_counted() -> None:
    """Whoever never switched the ledger on does not pay for it."""
    code = (
        "import json, sys; from qwen_portal import client, streams; print(json.dumps([*sys.modules]), file=sys.stderr)"
    )
    modules = modules_after(code)
    assert "qwen_portal.storage.usage_ledger" in modules
    assert "sqlite3" not in modules
