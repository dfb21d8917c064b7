"""ChatQwenPortal beside its peers: the same checks for each, in its own environment, by an emulator and scripted bytes.

``python benchmarks/peers.py --environments FOLDER [--only PEER …]`` prints a table and exits 1 if a peer holds a row
that we do not, or if an environment does not work. FOLDER has one for each peer, by the names in PEERS (``make peers``
makes them).
"""

import argparse
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_portal.emulator import Emulator

ROOT = Path(__file__).parents[1]
OURS = "qwen-portal"
# Label in the table; the environment is FOLDER/NAME.
PEERS = {
    OURS: "ChatQwenPortal",
    "openai": "ChatOpenAI",
    "deepseek": "ChatDeepSeek",
    "xai": "ChatXAI",
    "qwq": "ChatQwen",
    "litellm": "ChatLiteLLM",
}
SUITES = {"TestCoder": "standard suite, coder-model", "TestVision": "standard suite, vision-model"}
# Rows of a comparison that cannot apply, each with its reason.
NOT_APPLICABLE = {
    'loads(…, allowed_objects="all")': "a table inside langchain-core, closed to third parties; above it is by class",
    "a user's own http_client, root_client": "no SDK's client is used; address, proxy and timeout are settings",
    "OpenAI's Responses API, service tiers": "this class speaks chat completions; the options are refused by name",
    "audio and PDF input": "not a modality of these models",
    "reports about LiteLLM's own routes and logs": "another door's; tests/litellm has them",
    "base class": "how a model is built, not what it does",
    "standard tests in its repository, documentation": "facts about a repository, not behaviour; ours runs all of them",
}
SECONDS_A_ROW = 120
SECONDS_A_SUITE = 300


@dataclass(frozen=True)
class RowResult:
    """What came of one row for one model; ``holds`` is ``None`` where the row says nothing about it."""

    holds: bool | None
    detail: str


class Peer:
    """One model in its environment."""

    def __init__(self, name: str, folder: Path, home: Path) -> None:
        self._python = str(folder / name / "bin" / "python")
        kept = {key: value for key, value in os.environ.items() if not _foreign(key)}
        self._environment = kept | {
            "PEER": name,
            "PYTHONPATH": str(ROOT),
            "QWEN_PORTAL_HOME": str(home),
            "QWEN_PORTAL_STORE": "memory",
            # rows share a process: an account whose quota one of them spends serves the next one all the same
            "QWEN_PORTAL_QUOTA_COOLDOWN": "0.001",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LANGSMITH_TRACING": "false",
            "XAI_API_KEY": "sk-unused",  # its constructor looks for one, also where it is given another
        }

    def rows(self) -> list[tuple[str, str, dict[str, str]]]:
        """Name, title and environment of each row."""
        with Emulator() as emulator:
            done = self._run(["-m", "benchmarks.peer_checks"], emulator, {}, SECONDS_A_ROW)
        listed: list[tuple[str, str, dict[str, str]]] = json.loads(done.stdout)
        return listed

    def check(self, rows: list[tuple[str, str, dict[str, str]]]) -> dict[str, RowResult]:
        """Check all rows: those without an environment of their own in one process, unless one of them hangs."""
        held: dict[str, RowResult] = {}
        with Emulator() as emulator:
            together = [name for name, _, environment in rows if not environment]
            while together:
                held |= self._batch(together, emulator, {})
                together = together[together.index(list(held)[-1]) + 1 :]
            for name, _, environment in rows:
                if environment:
                    held |= self._batch([name], emulator, environment)
        return held

    def suites(self) -> dict[str, RowResult]:
        """Run LangChain's standard suite; a row for each model."""
        held = {}
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "-o", "filterwarnings="]
        with Emulator(resolved_models=True) as emulator:
            for name in SUITES:
                arguments = [*command, "--import-mode=importlib", "-rf", f"benchmarks/peer_suite.py::{name}"]
                done = self._run(arguments, emulator, {}, SECONDS_A_SUITE)
                counts = {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
                bad = counts.get("failed", 0) + counts.get("error", 0)
                detail = f"{counts.get('passed', 0)} of {counts.get('passed', 0) + bad}"
                held[name] = RowResult(done.returncode == 0, detail)
                sys.stderr.write("".join(re.findall(r"^FAILED.*\n", done.stdout, re.MULTILINE)))
        return held

    def _run(
        self, arguments: list[str], emulator: Emulator, environment: dict[str, str], seconds: int
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._python, *arguments],
            cwd=ROOT,
            env=self._environment | environment | {"PEER_URL": emulator.base_url},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def _batch(self, names: list[str], emulator: Emulator, environment: dict[str, str]) -> dict[str, RowResult]:
        """Check rows one after the other until one hangs; it is then the last in the answer."""
        process = subprocess.Popen(
            [self._python, "-W", "ignore", "-m", "benchmarks.peer_checks", *names],
            cwd=ROOT,
            env=self._environment | environment | {"PEER_URL": emulator.base_url},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_pump, args=(process, lines), daemon=True)
        reader.start()
        held: dict[str, RowResult] = {}
        begun = names[0]
        try:
            while len(held) < len(names):
                told: dict[str, Any] = json.loads(lines.get(timeout=SECONDS_A_ROW))
                begun = told["row"]
                if "holds" in told:
                    held[begun] = RowResult(told["holds"], told["detail"])
        except queue.Empty:
            held[begun] = RowResult(holds=False, detail=f"hung: no answer in {SECONDS_A_ROW} s")
        except json.JSONDecodeError:
            held[begun] = RowResult(holds=False, detail="the process ended")
        finally:
            process.kill()
            process.wait()
            reader.join()
        return held


def _pump(process: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith('{"row"'):
            lines.put(line)
    lines.put("")


def _foreign(name: str) -> bool:
    prefixes = ("QWEN_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "LC_", "DASHSCOPE_", "DEEPSEEK_", "XAI_", "PYTHON")
    return name.startswith(prefixes) or name.lower() in {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


def table(titles: dict[str, str], results: dict[str, dict[str, RowResult]]) -> str:
    """Write the table in Markdown: ours first, then theirs; what did not hold is explained below it."""
    lines = ["| | " + " | ".join(PEERS[name] for name in results) + " |", "|---" * (len(results) + 1) + "|"]
    for row, title in titles.items():
        cells = [_cell(held[row]) for held in results.values()]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    verdicts = [[each.holds for each in held.values() if each.holds is not None] for held in results.values()]
    counts = [f"{sum(verdict)} of {len(verdict)}" for verdict in verdicts]
    lines += ["| **held** | " + " | ".join(counts) + " |", ""]
    lines += [f"Not applicable: {title} — {reason}." for title, reason in NOT_APPLICABLE.items()]
    return "\n".join(lines)


def _cell(held: RowResult) -> str:
    short = held.detail if re.match(r"^[\d.]+ ", held.detail) else ""
    word = {True: "yes", False: "no", None: "n/a"}[held.holds]
    return f"{word}{f' ({short})' if short else ''}"


def reasons(titles: dict[str, str], results: dict[str, dict[str, RowResult]]) -> str:
    """List what each model answered where it does not hold a row."""
    return "\n".join(
        f"{PEERS[name]}: {titles[row]}: {each.detail or 'no'}"
        for name, held in results.items()
        for row, each in held.items()
        if not each.holds  # where it does not apply, too
    )


def main() -> int:
    """Compare, print, and tell whether a peer is ahead of us anywhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=Path, required=True, help="a folder with an environment per peer")
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--no-suite", action="store_true", help="leave LangChain's standard suite out")
    chosen = parser.parse_args()
    results: dict[str, dict[str, RowResult]] = {}
    with tempfile.TemporaryDirectory() as home:
        peers = {name: Peer(name, chosen.environments.absolute(), Path(home)) for name in chosen.only}
        rows = next(iter(peers.values())).rows()
        for name, peer in peers.items():
            print(f"{PEERS[name]} …", file=sys.stderr, flush=True)
            checked = peer.check(rows)
            suites = {} if chosen.no_suite else peer.suites()
            results[name] = suites | {row: checked[row] for row, _, _ in rows}
    titles = ({} if chosen.no_suite else SUITES) | {name: title for name, title, _ in rows}
    print(table(titles, results))
    print(reasons(titles, results), file=sys.stderr)
    ours = results.get(OURS, {})
    behind = [row for row in ours if not ours[row].holds and any(held[row].holds for held in results.values())]
    for row in behind:
        print(f"A peer is ahead: {titles[row]}", file=sys.stderr)
    broken = [name for name, held in results.items() if not any(each.holds for each in held.values())]
    for name in broken:
        print(f"{PEERS[name]} holds nothing: its environment does not work", file=sys.stderr)
    return 1 if behind or broken else 0


if __name__ == "__main__":
    sys.exit(main())
