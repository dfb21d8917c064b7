"""Recording the cassettes: ``python -m tests.cassettes.record`` in the checkout, or ``make record``."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import qwen_portal
from qwen_portal import Account
from qwen_portal.emulator import Emulator
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import sign_in
from tests.cassettes.leaks import check
from tests.cassettes.scrubbing import Scrubber
from tests.cassettes.stories import ASKING, SIGNING_IN
from tests.cassettes.tape import CASSETTES, recording

_FOREIGN = ("QWEN_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "LC_")
# What the emulator does in a story; else it behaves.
_STAGES: dict[str, dict[str, Any]] = {
    "sign_in/device_flow": {"approve_after_polls": 1},
    "sign_in/denied": {"scenarios": ["denied"]},
    "sign_in/renewal": {"scenarios": ["revoked"]},
}
# These need a service that misbehaves.
_EMULATOR_ONLY = frozenset({"sign_in/denied", "sign_in/renewal"})


def record_emulator(folder: Path) -> frozenset[str]:
    """Record every story from the emulator, each from a new one.

    Args:
        folder: Where the cassettes go; nothing else may be in it.

    Returns:
        Every token that the emulator issued meanwhile.

    Raises:
        TokenLeftError: A cassette holds one of them, or something that looks like one.
    """
    issued: set[str] = set()
    for name in [*SIGNING_IN, *ASKING]:
        stage = {"approve_after_polls": 0} | _STAGES.get(name, {})
        with Emulator(**stage) as emulator, _own_home(emulator):
            if name in ASKING:
                _sign_in_silently()
            scrubber = _record(name, folder)
            issued |= scrubber.secrets | set(emulator.issued_tokens())
    check(folder, issued)
    _write_source(folder, "the emulator of this package", "oauth")
    return frozenset(issued)


def record_service(folder: Path) -> None:
    """Record from the service that the environment names: with its key, or with a sign-in that a person confirms.

    Args:
        folder: Where the cassettes go; nothing else may be in it.

    Raises:
        TokenLeftError: A cassette holds a token or the key, or something that looks like one.
    """
    key = os.environ.get("QWEN_PORTAL_API_KEY", "")
    secrets = {key} if key else set()
    with _own_home():
        for name in ASKING if key else [*SIGNING_IN, *ASKING]:
            if name not in _EMULATOR_ONLY:
                secrets |= _record(name, folder, sign_in_quietly=False).secrets
        plan = qwen_portal.accounts()[0].plan.name
    check(folder, secrets)
    _write_source(folder, "the real service", plan)


def _record(name: str, folder: Path, *, sign_in_quietly: bool = True) -> Scrubber:
    scrubber = Scrubber()
    with recording(folder / f"{name}.yaml", scrubber):
        if name in SIGNING_IN:
            SIGNING_IN[name](_sign_in_silently if sign_in_quietly else qwen_portal.login)
        else:
            ASKING[name]()
    return scrubber


def _sign_in_silently() -> Account:
    return sign_in(Session(), None, show=lambda event: None, sleep=lambda seconds: None)


@contextmanager
def _own_home(emulator: Emulator | None = None) -> Iterator[None]:
    """Keep away from the user's sign-ins and, for the emulator, from the user's settings."""
    with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ):
        if emulator is not None:
            for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
                del os.environ[name]
            os.environ["QWEN_PORTAL_OAUTH_URL"] = emulator.url
        os.environ.update(
            QWEN_PORTAL_HOME=home,
            QWEN_PORTAL_STORE="file",
            LANGSMITH_TRACING="false",
            # LiteLLM would fetch its price table when it is imported.
            LITELLM_LOCAL_MODEL_COST_MAP="True",
        )
        try:
            yield
        finally:
            qwen_portal.close()


def _write_source(folder: Path, service: str, plan: str) -> None:
    source = {
        "recorded_from": service,
        "version": qwen_portal.__version__,
        "date": datetime.now(UTC).date().isoformat(),
        "plan": plan,
    }
    (folder / "source.json").write_text(json.dumps(source, indent=2) + "\n", "utf-8")


def main() -> int:
    """Record, look for tokens, and only then replace the cassettes in the checkout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--service",
        action="store_true",
        help="record from the real service: with QWEN_PORTAL_API_KEY and QWEN_PORTAL_PLAN, else with a new sign-in",
    )
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if wanted.service:
            record_service(folder)
        else:
            record_emulator(folder)
        shutil.copytree(folder, CASSETTES, dirs_exist_ok=True)
    sys.stderr.write(f"Recorded into {CASSETTES}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
