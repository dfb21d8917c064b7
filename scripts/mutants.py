"""Put each known fault into a copy of the tree and see that the named tests find it.

The faults stand in tests/mutants/mutants.toml. A test that stays green with its fault, or that fails without it,
proves nothing, and the exit code is 1.  Usage: mutants.py [NAME …]
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "tests" / "mutants" / "mutants.toml"
_PARTS = ("qwen_portal", "langchain_qwen_portal", "litellm_qwen_portal", "tests", "docs", "pyproject.toml")
# pytest's own codes: 0 is green, 1 is red; all others mean that it could not test.
_GREEN, _RED = 0, 1
_LONGEST = 60.0
# Two tries find what twenty find, once the fault is there for certain, and 8 s of a soak what a minute finds; what
# hangs is given up soon.
_FEW = {"TORTURE": "2", "PATIENCE": "20", "SOAK": "8"}


@dataclass(frozen=True)
class Mutant:
    """A fault.

    Attributes:
        name: What goes wrong.
        file: Where, relative to the root.
        search: Text that stands there once.
        replace: What takes its place.
        tests: Arguments for pytest.
    """

    name: str
    file: str
    search: str
    replace: str
    tests: list[str]


def mutants() -> list[Mutant]:
    """Read the table."""
    table = tomllib.loads(TABLE.read_text("utf-8"))
    return [Mutant(name, **entry) for name, entries in table.items() for entry in entries]


def put(mutant: Mutant, tree: Path) -> str:
    """Put a fault into a tree; return the file's text before.

    Raises:
        SystemExit: The text to replace does not stand there once: the code has changed, and the table must follow.
    """
    path = tree / mutant.file
    before = path.read_text("utf-8")
    if before.count(mutant.search) != 1:
        sys.exit(f"{mutant.name}: its text stands {before.count(mutant.search)} times in {mutant.file}, not once")
    path.write_text(before.replace(mutant.search, mutant.replace), "utf-8")
    return before


def run(tests: list[str], tree: Path, *, limit: float | None = None, quiet: bool = True) -> int:
    """Run tests in a tree; return pytest's exit code, red if they take longer than the limit, in seconds."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, **_FEW, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=quiet, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return _RED
    return done.returncode


def main(names: list[str]) -> int:
    """Try the faults, all or the named ones; print a table; return the exit code."""
    known = mutants()
    if unknown := set(names) - {mutant.name for mutant in known}:
        sys.exit(f"no such fault: {', '.join(sorted(unknown))}; there are: {', '.join(each.name for each in known)}")
    chosen = [mutant for mutant in known if not names or mutant.name in names]
    width = max(len(mutant.name) for mutant in chosen)
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for part in _PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, tree / part)
        every = sorted({test for mutant in chosen for test in mutant.tests})
        if run(every, tree, quiet=False) != _GREEN:
            sys.exit("the tests fail without any fault")
        for mutant in chosen:
            before, started = put(mutant, tree), time.monotonic()
            code = run(mutant.tests, tree, limit=_LONGEST)
            (tree / mutant.file).write_text(before, "utf-8")
            found = {_RED: "found", _GREEN: "SURVIVED"}.get(code, f"NOT TESTED (pytest: {code})")
            survivors += code != _RED
            print(f"{mutant.name:{width}}  {found:9}  {time.monotonic() - started:4.1f} s", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} faults were found")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
