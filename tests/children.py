"""Processes that tests start: what they get to see."""

import os
from pathlib import Path


def loopback_only() -> dict[str, str]:
    """Return the environment of a child that reaches this machine and no other."""
    guard = Path(__file__).parent / "loopback_only"
    inherited = os.environ.get("PYTHONPATH")
    # An empty entry would be the child's working folder.
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(guard), inherited] if inherited else [str(guard)])}
