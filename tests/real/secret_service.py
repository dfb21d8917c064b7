"""A Secret Service of one test's own: a D-Bus session and a keyring daemon that can be locked, hung and ended."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

_PATIENCE = 10.0
_PASSWORD = "ci-only"
# What would lead to the user's own session, or to a window that nobody answers.
_FOREIGN = ("DBUS_SESSION_BUS_ADDRESS", "GNOME_KEYRING_CONTROL", "DISPLAY", "WAYLAND_DISPLAY")


def plain_environment(home: Path) -> dict[str, str]:
    """Return an environment with that HOME and without any D-Bus session."""
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _FOREIGN and not (name.startswith("XDG_") and name.endswith("_HOME"))
    }
    return kept | {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}


def owner_of_the_service() -> str:
    """Return the keyring daemon's name on this session's bus; another daemon would have another."""
    question = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"]
    question += ["org.freedesktop.DBus.GetNameOwner", "string:org.freedesktop.secrets"]
    return subprocess.run(question, capture_output=True, text=True, check=False).stdout.rpartition("string")[2].strip()


class SecretService:
    """A D-Bus session with gnome-keyring, both children of this process.

    Args:
        home: HOME of the session; its keyring outlives the daemon.
        unlocked: Whether the daemon starts with its password, as after a login to the desktop.
    """

    def __init__(self, home: Path, *, unlocked: bool = True) -> None:
        self.environment = plain_environment(home)
        self._bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._bus.stdout is not None
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = self._bus.stdout.readline().strip()
        self._daemon = self._start(unlocked=unlocked)

    def restart(self, *, unlocked: bool) -> None:
        """End the daemon and start another one on the same keyring."""
        self._end_daemon()
        self._daemon = self._start(unlocked=unlocked)

    def hang(self) -> None:
        """Let the daemon take requests and answer none."""
        self._daemon.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End the hanging."""
        self._daemon.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        """Return the running service."""
        return self

    def __exit__(self, *_: object) -> None:
        """End both processes."""
        self._end_daemon()
        self._bus.terminate()
        self._bus.communicate()

    def _start(self, *, unlocked: bool) -> subprocess.Popen[bytes]:
        daemon = subprocess.Popen(
            [
                "gnome-keyring-daemon",
                "--foreground",
                "--components=secrets",
                *(["--unlock"] if unlocked else []),
            ],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert daemon.stdin is not None
        with daemon.stdin:
            daemon.stdin.write(_PASSWORD.encode())
        self._await_owner(present=True)
        return daemon

    def _end_daemon(self) -> None:
        self.resume()
        self._daemon.terminate()
        self._daemon.wait(_PATIENCE)
        self._await_owner(present=False)

    def _await_owner(self, *, present: bool) -> None:
        """Ask the bus, never the service itself: a call to an absent service would start a second daemon."""
        question = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"]
        question += ["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"]
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            answer = subprocess.run(question, env=self.environment, capture_output=True, text=True, check=True)
            if ("true" in answer.stdout) == present:
                return
            time.sleep(0.02)
        raise AssertionError(f"the keyring daemon is {'not ' if present else 'still '}on its bus after {_PATIENCE} s")
