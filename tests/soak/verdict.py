"""The verdict on a soak: its figures, and which of them must be nought."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Verdict:
    """What a run comes to.

    Attributes:
        workload: What was soaked.
        seed: Of all dice.
        seconds: That it asked.
        workers: How many asked at once.
        left: How the calls were left that did not fail.
        errors: The kinds of errors of those that failed.
        injected: The faults, by kind.
        statuses: What the service answered, by place.
        tokens: How many access tokens it issued.
        ended: How many of them expired or were revoked.
        lost: The sign-ins that were lost.
        hung: The workers that stood still, and what they were doing.
        open_streams: Requests, or connections in use, that were left when everything was dropped.
        open_connections: Connections that were left when everything was closed.
        descriptors: How many more were open at the end than at the start.
        canaries: Where a token stood in the open.
        undue: Errors that the faults should not have led to.
        rss: Resident memory in MiB: medians of the second sixth and of the last third, after 5 minutes, at the end.
        is_flat: Whether the memory came to rest.
    """

    workload: str
    seed: int
    seconds: float
    workers: int
    left: Mapping[str, int]
    errors: Mapping[str, int]
    injected: Mapping[str, int]
    statuses: Mapping[str, int]
    tokens: int
    ended: int
    lost: list[str]
    hung: list[str]
    open_streams: int
    open_connections: int
    descriptors: int
    canaries: list[str]
    undue: Mapping[str, int]
    rss: dict[str, float]
    is_flat: bool
    missed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        noughts = {
            "lost sign-ins": len(self.lost),
            "hung workers": len(self.hung),
            "open streams": self.open_streams,
            "open connections": self.open_connections,
            "descriptors": max(0, self.descriptors),
            "secrets in the open": len(self.canaries),
            "undue errors": sum(self.undue.values()),
        }
        self.missed = [f"{name}: {number}" for name, number in noughts.items() if number]
        if not self.is_flat:
            self.missed.append(f"memory grew: {self.rss}")

    def __str__(self) -> str:
        """Tell all of it."""
        calls = sum(self.left.values()) + sum(self.errors.values())
        lines = [
            f"{self.workload}: {self.seconds:.0f} s, {self.workers} at once, seed {self.seed}",
            f"  {calls} calls: {_listed(self.left)}; failed: {_listed(self.errors)}",
            f"  {sum(self.injected.values())} faults: {_listed(self.injected)}",
            f"  answers: {_listed(self.statuses)}",
            f"  {self.tokens} tokens, of which {self.ended} ended",
            f"  memory (MiB): {_listed(self.rss)}",
            *(f"  lost: {each}" for each in self.lost[:5]),
            *(f"  hung: {each}" for each in self.hung[:5]),
            *(f"  in the open: {each}" for each in self.canaries[:5]),
            *(f"  undue: {each} ({number})" for each, number in list(self.undue.items())[:5]),
            f"  {'MISSED: ' + '; '.join(self.missed) if self.missed else 'nothing lost, hung or leaked'}",
        ]
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """Keep it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")


def _listed(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {figure:g}" for name, figure in sorted(figures.items())) or "none"
