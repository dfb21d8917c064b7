"""A kernel for the notebooks: the running Python, cut off from the network and from the developer's settings."""

import json
import sys
from pathlib import Path

import pytest

from tests.children import loopback_only


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the running Python the kernel, in a home of its own and without a way to the network."""
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    for name, folder in {
        "HOME": "home",
        "IPYTHONDIR": "ipython",
        "JUPYTER_PATH": "jupyter",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "QWEN_PORTAL_HOME": "state",
    }.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("PYTHONPATH", loopback_only()["PYTHONPATH"])
