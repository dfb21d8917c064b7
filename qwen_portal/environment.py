"""The surroundings of this process: what a person can be asked for, which other package was tried with this one."""

import os
from pathlib import Path

_SECRET_ENDINGS = ("_KEY", "_KEYS", "_TOKEN", "_SECRET", "_PASSWORD", "_PASSWD", "_CREDENTIALS")
_SSH = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_CONTAINER = ("container", "KUBERNETES_SERVICE_HOST", "CODESPACES")
_CONTAINER_FILES = (Path("/.dockerenv"), Path("/run/.containerenv"))
_KERNEL = Path("/proc/sys/kernel/osrelease")
# The first version and the first minor version that the tests were not run with (see docs/litellm.md).
LITELLM_TESTED = (1, 91), (1, 111)


def without_secrets(*, needed: str | None = None) -> dict[str, str]:
    """Return the environment for a program that is to have no secret of ours, nor of anybody else's, such as a browser.

    Args:
        needed: How the names of the secrets begin that the program works with; by default it has none.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().endswith(_SECRET_ENDINGS) or (needed is not None and name.startswith(needed))
    }


def is_ssh() -> bool:
    """Tell whether the person sits at another machine."""
    return any(os.environ.get(name) for name in _SSH)


def is_container() -> bool:
    """Tell whether this is a container, such as Docker's, Podman's or a Codespace."""
    return any(os.environ.get(name) for name in _CONTAINER) or any(path.exists() for path in _CONTAINER_FILES)


def is_wsl() -> bool:
    """Tell whether this is Linux inside Windows."""
    try:
        return "microsoft" in _KERNEL.read_text("ascii", errors="replace").lower()
    except OSError:
        return False


def is_tested_litellm(version: str) -> bool:
    """Tell whether the tests were run with a LiteLLM like this.

    Args:
        version: Such as ``"1.106.2"``.
    """
    release = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    return LITELLM_TESTED[0] <= release < LITELLM_TESTED[1]
