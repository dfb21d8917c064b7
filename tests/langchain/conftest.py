"""What the LangChain tests share: no traces leave, and pools of event loops are closed where a test's loop ends."""

from collections.abc import AsyncIterator, Generator

import pytest
import pytest_asyncio

import qwen_portal


@pytest.fixture(autouse=True)
def no_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep LangSmith's client away, whatever the developer has set."""
    monkeypatch.setenv("LANGSMITH_TRACING", "false")


@pytest_asyncio.fixture
async def closing() -> AsyncIterator[None]:
    """Close the connections of the test's event loop before the loop ends."""
    yield
    await qwen_portal.aclose()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skip that the test's class does not list in ``lacks``, and a listed test that is not skipped."""
    report = yield
    lacks: frozenset[str] = getattr(getattr(item, "cls", None), "lacks", frozenset())
    listed = getattr(item, "originalname", item.name) in lacks
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if (skipped and not listed) or (listed and not skipped and report.when == "call"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: {'listed as lacking, but run' if listed else 'skipped, but not listed'}"
    return report
