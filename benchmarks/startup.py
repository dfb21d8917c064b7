"""How long `qwen-portal --help` and `qwen-portal status` take, in units of a bare `python -c pass`.

The three commands run in turn, ten times each after one round that warms the caches; the medians are compared.
Exits 1 if one takes more than five times the bare interpreter. Run it with the interpreter that qwen-portal is
installed for: its bytecode is then on the disk, as it is for a user.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 10
LIMIT = 5.0
SCRIPT = Path(sys.executable).with_name("qwen-portal")
PROGRAM = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "qwen_portal"]
BARE = "python -c pass"
COMMANDS = {
    BARE: [sys.executable, "-c", "pass"],
    "qwen-portal --help": [*PROGRAM, "--help"],
    "qwen-portal status": [*PROGRAM, "status"],
}
KEY = "sk-sp-0"


def fresh_user(home: Path) -> dict[str, str]:
    """Return the environment of a user who keeps one key; nothing says where, so the default place is looked up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QWEN_", "XDG_"))}
    environment = kept | {"HOME": str(home)}
    login = [*PROGRAM, "login", "--plan", "coding-intl", "--api-key-stdin", "--insecure-storage"]
    subprocess.run(login, input=KEY, env=environment, check=True, capture_output=True, text=True)
    return environment


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Run a command and return how long it took."""
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> int:
    """Measure, print the ratios, and tell whether they are within the limit."""
    with tempfile.TemporaryDirectory() as home:
        environment = fresh_user(Path(home))
        rounds = [
            {name: seconds(command, environment) for name, command in COMMANDS.items()} for _ in range(ROUNDS + 1)
        ]
    medians = {name: statistics.median(each[name] for each in rounds[1:]) for name in COMMANDS}
    for name, median in medians.items():
        print(f"{name:20} {median * 1000:6.1f} ms  {median / medians[BARE]:5.2f} x")
    return int(max(medians.values()) > LIMIT * medians[BARE])


if __name__ == "__main__":
    sys.exit(main())
