"""The surroundings of this process: what a person can be asked for, what was tested, whether a variable changed."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

T = TypeVar("T")

_SECRET_ENDINGS = ("_KEY", "_KEYS", "_TOKEN", "_SECRET", "_PASSWORD", "_PASSWD", "_CREDENTIALS")
_SSH = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_CONTAINER = ("container", "KUBERNETES_SERVICE_HOST", "CODESPACES")
_CONTAINER_FILES = (Path("/.dockerenv"), Path("/run/.containerenv"))
_KERNEL = Path("/proc/sys/kernel/osrelease")
# The first version and the first minor version that the tests were not run with (see docs/litellm.md).
LITELLM_TESTED = (1, 91), (1, 111)
# The variables that a setting takes a path from.
_PATHS = ("QWEN_PORTAL_HOME", "QWEN_PORTAL_REQUEST_LOG", "HOME")


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


class Environment:
    """The variables as they were at one moment, and the working folder if one of them is a path that begins there.

    It shows nobody what was in them.
    """

    __slots__ = ("_folder", "_variables")

    def __init__(self) -> None:
        self._variables = dict(_variables())
        # asked for where it counts alone: the system call lets other threads run first, be they as long as they like
        self._folder = _folder() if any(_is_relative(os.environ.get(name)) for name in _PATHS) else None

    def is_unchanged(self) -> bool:
        """Tell whether all is as it was."""
        return self._variables == _variables() and (self._folder is None or self._folder == _folder())

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: the variables hold secrets."""
        raise TypeError("an Environment cannot be pickled")


def environment() -> Environment:
    """Return the environment: the same object until something in it changes, or :func:`forget` is called."""
    global _seen  # noqa: PLW0603 - one copy for the process, which all that is kept is compared by
    seen = _seen
    if seen is None or not seen.is_unchanged():
        seen = _seen = Environment()
    return seen


def forget() -> None:
    """Let everything be made anew that was kept for as long as the environment is the same."""
    global _seen  # noqa: PLW0603 - as above
    _seen = None


class Kept(Generic[T]):
    """What is made from the environment, and made anew once that has changed.

    Args:
        make: Makes it.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._kept: tuple[Environment, T] | None = None

    def __call__(self) -> T:
        """Return it."""
        # one tuple, read once and replaced as a whole: threads need no lock
        kept, now = self._kept, environment()
        if kept is not None and kept[0] is now:
            return kept[1]
        made = self._make()
        # else it may be half of the one and half of the other
        if now.is_unchanged():
            self._kept = now, made
        return made


_seen: Environment | None = None


def _variables() -> Mapping[Any, Any]:
    # as the process has them: to decode each costs forty times as much
    variables: Mapping[Any, Any] = getattr(os.environ, "_data", os.environ)
    return variables


def _is_relative(path: str | None) -> bool:
    return path is not None and path != "" and not path.startswith("~") and not Path(path).is_absolute()


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "removed"
