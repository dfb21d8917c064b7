"""The comparison with other chat models, our side of it; `make peers` has theirs."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_we_hold_every_row_of_the_comparison(tmp_path: Path) -> None:
    """A row that we do not hold is a promise of the README that is broken."""
    python = tmp_path / "qwen-portal" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    command = [sys.executable, "benchmarks/peers.py", "--environments", str(tmp_path)]
    done = subprocess.run(
        [*command, "--only", "qwen-portal", "--no-suite"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    held = re.search(r"\*\*held\*\* \| (\d+) of (\d+)", done.stdout)
    assert held is not None
    assert held[1] == held[2], done.stderr
    assert int(held[2]) > 50
