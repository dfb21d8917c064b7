"""What counting costs a call: eight processes of calls to a server of this machine, with the ledger on and off in turn.

Each process makes a block of calls with the ledger on, one with it off, and so on, so that whatever else the machine
does meets both alike; the medians of all calls are compared. Exits 1 if a call with the ledger on takes more than 5 %
longer, or if a row is missing.  Usage: usage.py [CALLS per process and side, 1,000 if not given]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from qwen_portal.emulator import Emulator
from qwen_portal.storage.usage_ledger import UsageLedger

PROCESSES, CALLS, BLOCK, LIMIT = 8, 1_000, 25, 1.05
CALLER = """
import json, os, sys, time
from pathlib import Path
import qwen_portal

counted, other = sys.argv[1:3]
calls, block = map(int, sys.argv[3:5])
clients = {}
for name in (counted, other):
    os.environ["QWEN_PORTAL_HOME"] = name
    clients[name] = qwen_portal.PortalClient()
milliseconds = {name: [] for name in clients}

def ask(name):
    began = time.perf_counter()
    clients[name].chat([{"role": "user", "content": "What is 2+2?"}])
    return (time.perf_counter() - began) * 1000

for name in clients:
    ask(name)
for _ in range(calls // block):
    for name in clients:
        milliseconds[name] += [ask(name) for _ in range(block)]
print(json.dumps([milliseconds[counted], milliseconds[other]]))
"""


def measure(folder: Path, calls: int) -> tuple[list[float], list[float]]:
    """Run the processes; return the milliseconds of all calls with the ledger on, and off."""
    homes = folder / "counted", folder / "not-counted"
    UsageLedger(homes[0]).switch(on=True)
    command = [sys.executable, "-c", CALLER, *map(str, homes), str(calls), str(BLOCK)]
    with Emulator() as service:
        environment = os.environ | {"QWEN_PORTAL_API_KEY": "sk-0", "QWEN_PORTAL_BASE_URL": service.base_url}
        running = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
        ]
        printed = [json.loads(process.communicate()[0]) for process in running]
    on, off = ([call for process in printed for call in process[side]] for side in (0, 1))
    return on, off


def main() -> int:
    """Measure, print, and tell whether the ledger is complete and within its limit."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    with tempfile.TemporaryDirectory() as folder:
        on, off = measure(Path(folder), calls)
        rows = len(UsageLedger(Path(folder) / "counted").rows(0.0))
    expected = PROCESSES * (calls // BLOCK * BLOCK + 1)
    slower = statistics.median(on) / statistics.median(off)
    print(f"{f'a call, {PROCESSES} processes of {calls:,}':46} {statistics.median(off):8.2f} ms")
    print(f"{'the same, counted':46} {statistics.median(on):8.2f} ms  {slower:5.3f} x")
    print(f"{'rows in the ledger':46} {rows:8,} of {expected:,}")
    return int(slower > LIMIT or rows != expected)


if __name__ == "__main__":
    sys.exit(main())
