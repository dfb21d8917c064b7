"""Put each known fault into a copy of the tree and see that the named tests find it.

The faults stand in tests/mutants/mutants.toml. A test that stays green with its fault, or that fails without it,
proves nothing, and the exit code is 1. Each core has a copy of its own.  Usage: mutants.py [NAME …]
"""

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "tests" / "mutants" / "mutants.toml"
_PARTS = ("qwen_portal", "langchain_qwen_portal", "litellm_qwen_portal", "tests", "docs", "pyproject.toml")
# pytest's own codes: 0 is green, 1 is red; all others mean that it could not test.
_GREEN, _RED = 0, 1
# In seconds. With a fault that stops everything nobody waits long, with another the machine may be busy.
_STILL, _LONGEST, _WHOLE = 60.0, 300.0, 3600.0
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
        hangs: Whether the fault lets them stand still, so that they are given up.
    """

    name: str
    file: str
    search: str
    replace: str
    tests: list[str]
    hangs: bool = False


def mutants() -> list[Mutant]:
    """Read the table."""
    table = tomllib.loads(TABLE.read_text("utf-8"))
    return [Mutant(name, **entry) for name, entries in table.items() for entry in entries]


def check(mutant: Mutant) -> None:
    """See that the text to replace stands there once.

    Raises:
        SystemExit: The code has changed, and the table must follow.
    """
    times = (ROOT / mutant.file).read_text("utf-8").count(mutant.search)
    if times != 1:
        sys.exit(f"{mutant.name}: its text stands {times} times in {mutant.file}, not once")


def run(tests: list[str], tree: Path, limit: float) -> int | None:
    """Run tests in a tree; return pytest's exit code, ``None`` if they take longer than the limit, in seconds."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, **_FEW, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, timeout=limit, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return None


def tried(mutant: Mutant, trees: "queue.SimpleQueue[Path]") -> str:
    """Try a fault in a tree that is free; return ``"found"``, or what else came of it."""
    tree = trees.get()
    path = tree / mutant.file
    before = path.read_text("utf-8")
    path.write_text(before.replace(mutant.search, mutant.replace), "utf-8")
    code = run(mutant.tests, tree, _STILL if mutant.hangs else _LONGEST)
    path.write_text(before, "utf-8")
    trees.put(tree)
    if code == _RED or (code is None and mutant.hangs):
        return "found"
    return "SURVIVED" if code == _GREEN else f"NOT TESTED (pytest: {code or 'no end'})"


def copied(folder: Path) -> Path:
    """Copy what the tests need into a new folder, and return it."""
    folder.mkdir()
    for part in _PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    return folder


def main(names: list[str]) -> int:
    """Try the faults, all or the named ones; print a table; return the exit code."""
    known = mutants()
    if unknown := set(names) - {mutant.name for mutant in known}:
        sys.exit(f"no such fault: {', '.join(sorted(unknown))}; there are: {', '.join(each.name for each in known)}")
    chosen = [mutant for mutant in known if not names or mutant.name in names]
    for mutant in chosen:
        check(mutant)
    width = max(len(mutant.name) for mutant in chosen)
    cores, found = os.cpu_count() or 1, 0
    trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(cores) as pool:
        for number in range(cores):
            trees.put(copied(Path(folder, str(number))))
        started = time.monotonic()
        every = sorted({test for mutant in chosen for test in mutant.tests})
        if run(["-n", str(min(cores, len(every))), *every], Path(folder, "0"), _WHOLE) != _GREEN:
            sys.exit("the tests fail without any fault")
        attempts = {pool.submit(tried, mutant, trees): mutant for mutant in chosen}
        for attempt in as_completed(attempts):
            found += attempt.result() == "found"
            print(f"{attempts[attempt].name:{width}}  {attempt.result()}", flush=True)
    print(f"{found} of {len(chosen)} faults were found, in {time.monotonic() - started:.0f} s")
    return int(found < len(chosen))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
