"""Checks of the machine: versions, the variables of the network, a ``.env`` that others load."""

import contextlib
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from qwen_portal._version import __version__
from qwen_portal.doctor.finding import Finding, State
from qwen_portal.environment import LITELLM_TESTED, is_tested_litellm

_DOORS = ("langchain-core", "langchain-openai", "litellm", "openai")
# Two releases that were somebody else's, and the file by which one ran in every program (BerriAI/litellm#24512).
_EVIL_VERSIONS, _EVIL_FILE = {"1.82.7", "1.82.8"}, "litellm_init.pth"


def versions() -> Iterator[Finding]:
    """Name the versions that a bug report needs."""
    doors = [f"{name} {version}" for name in _DOORS if (version := _installed(name)) is not None]
    python = f"Python {platform.python_version()} on {sys.platform}"
    yield Finding("versions", "ok", ", ".join([f"qwen-portal {__version__}", python, *doors]))


def litellm() -> Iterator[Finding]:
    """Look whether the LiteLLM that is installed is one that was tried with this package."""
    version = _installed("litellm")
    if any((Path(folder) / _EVIL_FILE).is_file() for folder in sys.path) or version in _EVIL_VERSIONS:
        text = "a release that was not its makers' own is or was installed; it sends secrets of this machine away"
        yield Finding("litellm", "fail", text, f"Remove it and {_EVIL_FILE}, and renew every secret that was here.")
    elif version is not None and not is_tested_litellm(version):
        lowest, below = (".".join(map(str, part)) for part in LITELLM_TESTED)
        text = f"{version} is outside the tested range, {lowest} to below {below}"
        yield Finding("litellm", "warn", text, f'If it fails, run: `pip install "litellm>={lowest},<{below}"`.')


def network() -> Iterator[Finding]:
    """Look at this machine's variables about proxies and certificates: one that is wrong keeps everything from Qwen."""
    # `qwen-portal status` imports this module's neighbours, and has no time for the HTTP library
    from qwen_portal.http.network import variables

    for variable in variables():
        if not variable.problem:
            yield Finding(variable.name, "ok", variable.text)
        else:
            state: State = "fail" if variable.stops_everything else "warn"
            yield Finding(variable.name, state, f"{variable.text}: {variable.problem}", variable.remedy)


def dotenv() -> Iterator[Finding]:
    """Look for settings of ours in a file that others load, and may have written."""
    file = Path(".env")
    text = ""
    with contextlib.suppress(OSError):
        if file.is_file():
            text = file.read_text("utf-8", errors="replace")
    names = sorted(set(re.findall(r"^\s*(?:export\s+)?(QWEN_[A-Z_]+)\s*=", text, re.MULTILINE)))
    if names:
        said = f"sets {', '.join(names)}, and who loads it, as LiteLLM does when it is imported, takes that for yours"
        yield Finding("./.env", "warn", said, "Set LITELLM_MODE=PRODUCTION if you did not write it.")


def _installed(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
