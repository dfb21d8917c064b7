"""What an older release left, put where this one finds it, before an emulator that remembers its tokens."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.emulator.ledger import RefreshToken
from qwen_portal.session import Session
from qwen_portal.storage.stores.keyring import KeyringStore
from tests.storage.fake_keyring import FakeKeyring

RELEASE = Path(__file__).parent / "release_0_1_0"
PLACES = {
    "file": ["over", "default", "../é & co", "spent", "ended", "unsent", "lost", "rescued", "key"],
    "keyring": ["default", "once", "half", "key"],
    "qwen-cli": ["shared"],
    "file:PATH": ["only"],
}
_HOMES = {"file": "home", "keyring": "keyring", "qwen-cli": "qwen-cli-home", "file:PATH": "one/unused"}


def restore(place: str, root: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put everything in a folder and choose one of the places; return its QWEN_PORTAL_HOME."""
    shutil.copytree(RELEASE, root)
    told = json.loads((root / "server.json").read_text("utf-8"))
    for path in [root, *root.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
        if path.is_file():
            text = path.read_text("utf-8")
            path.write_text(text.replace("@ROOT@", str(root)).replace("@EMULATOR@", emulator.url), "utf-8")
            # as old as they are: a lock made now would be a living program's
            os.utime(path, ns=(told["modified"],) * 2)
    shared = root / "qwen" / "oauth_creds.json"
    (root / "qwen" / "sign-in.json").rename(shared)
    folder = root / "qwen-cli-home" / "qwen-cli" / "OF-THE-FILE"
    folder.rename(folder.with_name(hashlib.sha256(str(shared).encode()).hexdigest()[:16]))
    _remember(emulator, told["alive"])
    home = root / _HOMES[place]
    monkeypatch.setenv("QWEN_HOME", str(root / "qwen"))
    monkeypatch.setenv("QWEN_PORTAL_HOME", str(home))
    monkeypatch.setenv("QWEN_PORTAL_STORE", f"file:{root}/one/token.json" if place == "file:PATH" else place)
    if place == "keyring":
        _open(home / "items.json")
    return home


def _remember(emulator: Emulator, alive: list[tuple[int, str]]) -> None:
    ledger = emulator.state.ledger
    with emulator.state.lock:
        grants = {number: ledger.new_grant() for number in range(1, max(number for number, _ in alive) + 1)}
        for number, token in alive:
            ledger.refresh_tokens[token] = RefreshToken(token, grants[number])
            ledger.issued.append(token)


def _open(items: Path) -> None:
    backend = FakeKeyring()
    for service, kept in json.loads(items.read_text("utf-8")).items():
        backend.items |= {(service, username): record for username, record in kept.items()}
    qwen_portal.close()
    accounts = Session().accounts
    accounts._stores["keyring"] = KeyringStore(accounts.index, backend)
