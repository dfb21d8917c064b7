"""What the LiteLLM tests share: LiteLLM's global state is put back, and its background work ends with each test."""

from collections.abc import Coroutine, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
from litellm.litellm_core_utils.thread_pool_executor import executor

import litellm_qwen_portal

_CALLBACKS = (
    "callbacks",
    "input_callback",
    "success_callback",
    "failure_callback",
    "_async_success_callback",
    "_async_failure_callback",
)

# LiteLLM looks at every attribute of a stream's last chunk, two that pydantic wants read from the class among them.
_LITELLMS_OWN = pytest.mark.filterwarnings(
    r"ignore:Accessing the 'model_\w*fields' attribute on the instance:pydantic.warnings.PydanticDeprecatedSince211",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let LiteLLM's own deprecations pass in this folder; every other warning is still an error."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(_LITELLMS_OWN)


@pytest.fixture(autouse=True)
def own_litellm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test LiteLLM's settings as they are after import."""
    for name in _CALLBACKS:
        monkeypatch.setattr(litellm, name, list(getattr(litellm, name)))
    monkeypatch.setattr(litellm, "suppress_debug_info", True)
    yield
    finish_logging()
    _drop_stray_worker()
    litellm_qwen_portal.register()


def _drop_stray_worker() -> None:
    # LiteLLM's sync bridges (responses) start its logging worker on an event loop that they then leave behind.
    task = GLOBAL_LOGGING_WORKER._worker_task
    if task is not None and not task.done():
        coroutine = task.get_coro()
        assert isinstance(coroutine, Coroutine)
        coroutine.close()
        GLOBAL_LOGGING_WORKER._worker_task = None


# What LiteLLM's logging threads were given to do; they are one pool for the process.
_LOGGING: set[Future[Any]] = set()
_submit = executor.submit


def _submit_and_remember(*args: Any, **kwargs: Any) -> Future[Any]:
    future: Future[Any] = _submit(*args, **kwargs)
    _LOGGING.add(future)
    return future


executor.submit = _submit_and_remember  # type: ignore[method-assign] # every version's pool is asked through it


def finish_logging() -> None:
    """Wait until LiteLLM's logging threads have nothing left to do."""
    while _LOGGING:
        done, late = wait(_LOGGING, timeout=30)
        assert not late, "LiteLLM's logging threads do not come to an end"
        _LOGGING.difference_update(done)
