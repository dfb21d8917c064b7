"""What every test gets: an environment of its own, and on request an emulator and a signed-in account."""

import functools
import logging
import os
import signal
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from tests.measuring import choose, measured_if_chosen
from tests.sign_ins import keep_sign_in
from tests.silence import reads_end_when, silence_of_the_emulator

# litellm would fetch its price table from the network when it is imported.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

# A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that; the tests send some one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_FOREIGN = (
    "QWEN_",
    "LITELLM_QWEN_",
    "OPENAI_",
    "LANGSMITH_",
    "LANGCHAIN_",
    "LC_",
    "DASHSCOPE_",
    "PYTHON_KEYRING_",
    "KEYRING_",
)
_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"}


# Where a test's report names the public report that it replays: xdist's workers send reports, but no markers.
_REPORTED = "reported"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let a test's report carry the source of what it replays."""
    item.user_properties += [(_REPORTED, source) for marker in item.iter_markers(_REPORTED) for source in marker.args]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many public reports hold, and which do not."""
    passed, failed = (_sources(terminalreporter.stats.get(outcome, ())) for outcome in ("passed", "failed"))
    if passed or failed:
        holding = len(passed - failed)
        terminalreporter.section("public reports")
        terminalreporter.line(f"{holding} of {len(passed | failed)} reported faults are mended and stay so")
        for source in sorted(failed):
            terminalreporter.line(f"does not hold: {source}")


def _sources(reports: Iterable[Any]) -> set[str]:
    return {
        source
        for report in reports
        for name, source in getattr(report, "user_properties", ())
        if name == _REPORTED and report.when == "call"
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the long tests begin first."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    choose(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure the coverage of some tests only."""
    with measured_if_chosen(item):
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def certificates_read_once() -> Iterator[None]:
    """Read the certificates once: no test asks a host that has one, and reading them took a third of the time."""
    make = ssl.create_default_context
    shared = functools.cache(lambda: make(cafile=certifi.where()))

    def create(*args: Any, **options: Any) -> ssl.SSLContext:
        return shared() if (args, options) == ((), {"cafile": certifi.where()}) else make(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", create)
        yield


@pytest.fixture(scope="session", autouse=True)
def disk_not_waited_for() -> Iterator[None]:
    """Let writes reach the disk when they will: no test cuts the power, and each would wait for the disk some ms."""
    with pytest.MonkeyPatch.context() as patch:
        # it refuses what fsync refuses: a descriptor that is not open
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a HOME and a file store of its own, and nothing of the developer's settings."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name.lower() in _PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("QWEN_PORTAL_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("QWEN_PORTAL_STORE", "file")
    yield
    qwen_portal.close()
    logger = logging.getLogger("qwen_portal")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def qwen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a test a home folder of its own; return the qwen CLI's folder in it."""
    home = tmp_path / "home"
    (home / ".qwen").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home / ".qwen"


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs run without coverage.py, which takes longer than they do where they import LangChain or LiteLLM.

    And a Ctrl-C that strikes in its tracer leaves its lock taken, for ever.
    """
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Run the emulated service on loopback and make it the sign-in host."""
    with Emulator() as running:
        monkeypatch.setenv("QWEN_PORTAL_OAUTH_URL", running.url)
        yield running


@pytest.fixture
def signed_in(emulator: Emulator) -> Emulator:
    """Sign the account ``default`` in at the emulator."""
    keep_sign_in(emulator)
    return emulator


@pytest.fixture
def over_when_silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Let a client's limit be over as soon as the emulator has fallen silent; give the limits that were."""
    with reads_end_when(silence_of_the_emulator(monkeypatch).is_set, monkeypatch) as over:
        yield over
