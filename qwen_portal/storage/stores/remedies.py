"""Remedies for a keyring that is missing or locked: they differ from place to place."""

import os
import sys

from qwen_portal.environment import is_container, is_ssh, is_wsl

_FILE = (
    "`qwen-portal login --insecure-storage`, or QWEN_PORTAL_STORE=file, keeps the sign-in in a file only you can read"
)


def without_keyring() -> str:
    """Say how a sign-in can be kept where no keyring can be used."""
    named = os.environ.get("PYTHON_KEYRING_BACKEND")
    if named:
        return f"PYTHON_KEYRING_BACKEND is {named!r}: unset it; or else {_FILE}."
    if is_container():
        return (
            f"A container has no keyring of its own: {_FILE}, QWEN_PORTAL_STORE=file:PATH in one on a volume, and an "
            "API key in QWEN_PORTAL_API_KEY needs no place at all."
        )
    if is_wsl():
        return (
            f"WSL starts no keyring: {_FILE}. The Windows Credential Manager serves Python programs that run on "
            "Windows itself."
        )
    return f"{_FILE}; QWEN_PORTAL_STORE=memory keeps it for this process alone."


def silent() -> str:
    """Say what helps where a keyring does not answer."""
    return (
        "It may be waiting for its password in a window you cannot see: unlock it, or restart the keyring service; or "
        f"else {_FILE}."
    )


def too_long() -> str:
    """Say where a record goes that is longer than a keyring takes."""
    return f"Files have room for it: {_FILE}."


def unlock() -> str:
    """Say how a locked keyring is opened."""
    if sys.platform == "darwin":
        how = "Run `security unlock-keychain`" if is_ssh() else "Unlock the login keychain in Keychain Access"
    elif is_ssh() or is_container() or is_wsl():
        how = "Nobody can be asked for its password here: run `gnome-keyring-daemon --unlock` in this D-Bus session"
    else:
        how = "Log in to the desktop session, or unlock it in the desktop's password manager"
    return f"{how}; or else {_FILE}."
