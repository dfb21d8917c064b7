"""The verdict of a soak: each figure that must be nought is told when it is not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.soak.verdict import Verdict
from tests.soak.watch import Sample, Watch

GOOD = Verdict(
    workload="ours",
    seed=1,
    seconds=60.0,
    workers=200,
    left={"read to its end": 1000},
    errors={"QwenTimeoutError": 3},
    injected={"cut (chat)": 12},
    statuses={"chat 200": 1000},
    tokens=40,
    ended=34,
    lost=[],
    hung=[],
    open_streams=0,
    open_connections=0,
    descriptors=0,
    canaries=[],
    undue={},
    rss={"end": 300.0},
    is_flat=True,
)


def test_a_run_in_which_nothing_was_lost_passes() -> None:
    """Errors that the faults lead to are no failure."""
    assert GOOD.missed == []
    assert str(GOOD).endswith("nothing lost, hung or leaked")


@pytest.mark.parametrize(
    "change",
    [
        {"lost": ["account-1: over"]},
        {"hung": ["thread 1: stream"]},
        {"open_streams": 1},
        {"open_connections": 1},
        {"descriptors": 1},
        {"canaries": ["a log record"]},
        {"undue": {"KeyError: 'x'": 1}},
        {"is_flat": False},
    ],
    ids=lambda change: str(*change),
)
def test_each_figure_alone_fails_a_run(change: dict[str, Any]) -> None:
    """None is weighed against another."""
    assert len(replace(GOOD, **change).missed) == 1


def test_a_descriptor_less_than_before_is_no_failure() -> None:
    """What was open before the run may have been closed in it."""
    assert replace(GOOD, descriptors=-1).missed == []


def samples(growth: float) -> list[Sample]:
    """Make the looks at a run of half an hour: a start that takes memory, then so many MiB more a minute."""
    return [
        Sample(seconds, 200, 200, 200, 210, 120, 300, 300 + min(seconds, 240) / 10 + growth * seconds / 60, 90, 1800)
        for seconds in map(float, range(1800))
    ]


@pytest.mark.parametrize(("growth", "is_flat"), [(0.0, True), (0.3, True), (1.5, False)])
def test_memory_that_goes_on_growing_is_not_flat(growth: float, is_flat: bool) -> None:
    """What is taken at the start does not count; a leak does."""
    watch = Watch.__new__(Watch)
    watch.samples = samples(growth)
    assert watch.is_flat() is is_flat


def test_the_figures_are_kept(tmp_path: Path) -> None:
    """docs/reliability.md is written from them."""
    GOOD.write(tmp_path / "figures.json")
    assert '"workers": 200' in (tmp_path / "figures.json").read_text("utf-8")
