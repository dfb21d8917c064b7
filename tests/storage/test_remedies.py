"""Without a keyring, or with a locked one, the error names what helps at this place."""

import sys
from pathlib import Path

import pytest

from qwen_portal import environment
from qwen_portal.errors import QwenStoreUnavailableError
from qwen_portal.storage.stores.remedies import silent, too_long, unlock, without_keyring


@pytest.fixture(autouse=True)
def _desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sit at a Linux desktop."""
    for name in (*environment._SSH, *environment._CONTAINER, "PYTHON_KEYRING_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(environment, "_CONTAINER_FILES", ())
    monkeypatch.setattr(environment, "_KERNEL", Path("/nowhere"))
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.fixture
def wsl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in Linux inside Windows."""
    kernel = tmp_path / "osrelease"
    kernel.write_text("5.15.153.1-microsoft-standard-WSL2\n")
    monkeypatch.setattr(environment, "_KERNEL", kernel)


def test_a_desktop_is_unlocked_by_its_session() -> None:
    """The usual case, and the file store for whoever wants no keyring."""
    assert "Log in to the desktop session" in unlock()
    assert "QWEN_PORTAL_STORE=file" in unlock()
    assert "--insecure-storage" in without_keyring()


@pytest.mark.parametrize("place", ["desktop", "container", "wsl", "ssh", "named backend"])
def test_the_option_of_login_is_named_at_every_place(
    place: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has just typed `login` needs no variable, and the variable serves other commands."""
    if place == "container":
        monkeypatch.setattr(environment, "_CONTAINER_FILES", (tmp_path,))
    elif place == "wsl":
        request.getfixturevalue("wsl")
    elif place == "ssh":
        monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 5000 192.0.2.2 22")
    elif place == "named backend":
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "some.Backend")
    for hint in (without_keyring(), unlock(), silent(), too_long(), QwenStoreUnavailableError("").hint):
        assert "`qwen-portal login --insecure-storage`, or QWEN_PORTAL_STORE=file, keeps" in hint


def test_a_container_keeps_the_sign_in_on_a_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the engine's mark or by a variable; a key needs no place."""
    monkeypatch.setattr(environment, "_CONTAINER_FILES", (tmp_path,))
    assert "QWEN_PORTAL_STORE=file:PATH" in without_keyring()
    assert "QWEN_PORTAL_API_KEY" in without_keyring()
    monkeypatch.setattr(environment, "_CONTAINER_FILES", ())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert "volume" in without_keyring()


@pytest.mark.usefixtures("wsl")
def test_wsl_has_no_keyring_of_its_own() -> None:
    """It names WSL, so that nobody looks for a locked desktop."""
    assert "WSL" in without_keyring()
    assert "QWEN_PORTAL_STORE=file" in without_keyring()
    assert "gnome-keyring-daemon --unlock" in unlock()


def test_over_ssh_nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux the daemon takes the password, on macOS the security command."""
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 5000 192.0.2.2 22")
    assert "gnome-keyring-daemon --unlock" in unlock()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "security unlock-keychain" in unlock()
    monkeypatch.delenv("SSH_CONNECTION")
    assert "Keychain Access" in unlock()


def test_a_backend_that_was_named_is_the_first_suspect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever set PYTHON_KEYRING_BACKEND hears of it wherever they are."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "some.Backend")
    assert without_keyring().startswith("PYTHON_KEYRING_BACKEND is 'some.Backend'")
