"""Which tests coverage.py measures: its tracer doubles the time of all Python, its own and that of others.

Of a test with many inputs the first ones show which lines it reaches; what hypothesis makes up is not for coverage.
"""

import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_INPUTS = 2
# What coverage.py tells the programs that a measured one starts.
_FOR_PROGRAMS = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
_UNMEASURED = pytest.StashKey[bool]()


def choose(items: list[pytest.Item]) -> None:
    """Note at each test whether it is measured."""
    seen = Counter[str]()
    for item in items:
        function = item.nodeid.partition("[")[0]
        seen[function] += 1
        is_made_up = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        item.stash[_UNMEASURED] = is_made_up or seen[function] > _INPUTS


@contextmanager
def measured_if_chosen(item: pytest.Item) -> Iterator[None]:
    """Let the tracer rest while a test runs that is not measured."""
    if not item.stash[_UNMEASURED]:
        yield
        return
    traced, traced_threads = sys.gettrace(), threading.gettrace()
    kept = {name: os.environ.pop(name) for name in _FOR_PROGRAMS if name in os.environ}
    # coverage.py's own stop and start look at every module that is loaded, which takes longer than most tests
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type] # typeshed lacks what threading.gettrace() may return
    try:
        yield
    finally:
        threading.settrace(traced_threads)  # type: ignore[arg-type]
        sys.settrace(traced)
        os.environ |= kept
