"""The comparison with other chat models, our side of it; `make peers` has theirs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _environment(folder: Path, script: str) -> None:
    """Make an environment whose Python is a script."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_we_hold_every_row_and_a_broken_environment_is_no_peer_that_we_beat(tmp_path: Path) -> None:
    """A row that we do not hold breaks a promise; a peer that cannot even start has been compared with nothing."""
    _environment(tmp_path / "qwen-portal", f'exec "{sys.executable}" "$@"')
    _environment(tmp_path / "openai", "exit 1")
    command = [sys.executable, "benchmarks/peers.py", "--environments", str(tmp_path), "--no-suite"]
    done = subprocess.run(
        [*command, "--only", "qwen-portal", "openai"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    held = re.search(r"\*\*held\*\* \| (\d+) of (\d+) \| 0 of", done.stdout)
    assert held is not None, done.stderr
    assert held[1] == held[2], done.stderr
    assert int(held[2]) > 70
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("ChatOpenAI holds nothing: its environment does not work")
