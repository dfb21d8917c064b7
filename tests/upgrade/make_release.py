"""Make what a release leaves on disk and in a keyring, with tokens that are canaries; the README beside says how.

It uses only names that every release has, because the release that runs it is not the one it lies beside.
"""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

# Long over: whoever reads the fixtures must refresh every token first, and no day makes a difference.
_BEGIN, _STARTED = 1_760_000_000.0, time.monotonic()
time.time = lambda: _BEGIN + time.monotonic() - _STARTED

import keyring  # noqa: E402 - the clock stands before anything reads it
from keyring.backend import KeyringBackend  # noqa: E402

import qwen_portal  # noqa: E402
from qwen_portal import oauth  # noqa: E402
from qwen_portal.emulator import Emulator, ledger  # noqa: E402

_KEY = "sk-sp-CANARY"
_ODD = "../é & co"


class CardKeyring(KeyringBackend):
    """A keyring whose items are in a file; a process of the test's dies in it on demand.

    Attributes:
        deadly: Whether reading an item ends the process.
    """

    priority = 1.0

    def __init__(self, file: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._file = file
        self.deadly = False

    def _items(self) -> dict[str, dict[str, str]]:
        items: dict[str, dict[str, str]] = json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}
        return items

    def get_password(self, service: str, username: str) -> str | None:
        """Read an item."""
        if self.deadly:
            os._exit(0)
        return self._items().get(service, {}).get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Write an item."""
        items = self._items()
        items.setdefault(service, {})[username] = password
        self._file.write_text(json.dumps(items, indent=1, ensure_ascii=False), "utf-8")

    def delete_password(self, service: str, username: str) -> None:
        """Delete an item."""
        items = self._items()
        del items[service][username]
        self._file.write_text(json.dumps({name: kept for name, kept in items.items() if kept}, indent=1), "utf-8")


# The package takes no backend but those of the keyring library.
CardKeyring.__module__ = "keyring.backends.SecretService"


@contextmanager
def place(store: str, home: Path) -> Iterator[None]:
    """Let this process, as if it had begun just now, keep its accounts there."""
    os.environ["QWEN_PORTAL_STORE"], os.environ["QWEN_PORTAL_HOME"] = store, str(home)
    yield
    qwen_portal.close()


def sign_in(*labels: str) -> None:
    """Sign accounts in at the emulator."""
    for label in labels:
        qwen_portal.login(label, open_browser=False, show=lambda event: None)


def keep_key(emulator: Emulator) -> None:
    """Keep a key as an account; the emulator stands for its service, which some releases ask."""
    os.environ["QWEN_PORTAL_BASE_URL"] = emulator.base_url
    qwen_portal.login("key", plan="coding-intl", api_key=_KEY, show=lambda event: None)
    del os.environ["QWEN_PORTAL_BASE_URL"]


def refresh(label: str) -> None:
    """Renew an account's token."""
    qwen_portal.get_access_token(label, force_refresh=True)


def refresh_and_die(label: str, die: Callable[..., Any]) -> None:
    """Let a process end in the middle of a refresh.

    Args:
        label: The account.
        die: Stands for the request; it is called as that is.
    """
    child = os.fork()
    if not child:
        oauth.refresh = die
        with suppress(BaseException):
            refresh(label)
        os._exit(0)
    os.waitpid(child, 0)


def die_unsent(*_: object, **__: object) -> NoReturn:
    """End before the token is spent."""
    os._exit(0)


def answered(then: Callable[[], object]) -> Callable[..., Any]:
    """Return a request that is answered, and what happens before the answer is stored."""
    ask = oauth.refresh

    def request(*args: Any, **kwargs: Any) -> Any:
        answer = ask(*args, **kwargs)
        then()
        return answer

    return request


def make_home(home: Path, emulator: Emulator) -> None:
    """Make accounts in every state, in the file store."""
    with place("file", home):
        sign_in("over")
        emulator.revoke(refresh_too=True)
        with suppress(qwen_portal.QwenRefreshTokenInvalidError):
            refresh("over")
        sign_in("default", _ODD, "spent", "ended", "unsent", "lost", "rescued")
        keep_key(emulator)
        refresh("default")
        emulator.set_quota(0)
        with suppress(qwen_portal.QwenQuotaExceededError):
            chat("spent")
        emulator.set_quota(None)
        emulator.scenario("ended")
        with suppress(qwen_portal.QwenServiceEndedError):
            chat("ended")
        emulator.scenario("ended", on=False)
        refresh_and_die("unsent", die_unsent)
        refresh_and_die("lost", answered(lambda: os._exit(0)))
        refresh_and_keep_aside("rescued", home)
        qwen_portal.use("default")
    subprocess.run([sys.executable, "-m", "qwen_portal", "accounts", "rotate", "--mixed"], check=True)


def rewrite(path: Path, text: str) -> None:
    """Replace a file's text and nothing else: its time may be a credential's generation."""
    found = path.stat()
    path.write_text(text, "utf-8")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def chat(label: str) -> None:
    """Ask for an answer that no other account gives."""
    qwen_portal.PortalClient(account=label, on_quota="error").chat([{"role": "user", "content": "Hello"}])


def refresh_and_keep_aside(label: str, home: Path) -> None:
    """Let the store fail after the token is spent, so that the rescue takes the new one."""
    (file,) = [path for path in (home / "credentials").iterdir() if f'"label":"{label}"' in path.read_text("utf-8")]
    moved = file.with_name("moved")

    def block() -> None:
        file.rename(moved)
        file.mkdir()

    ask, oauth.refresh = oauth.refresh, answered(block)
    with suppress(qwen_portal.QwenStoreError):
        refresh(label)
    oauth.refresh = ask
    file.rmdir()
    moved.rename(file)


def make_keyring(home: Path, emulator: Emulator) -> None:
    """Make accounts in two slots each; one whose pointer a crash left behind."""
    backend = CardKeyring(home / "items.json")
    home.mkdir(mode=0o700)
    keyring.set_keyring(backend)
    with place("keyring", home):
        sign_in("default", "once", "half")
        for _ in range(2):
            refresh("default")
        refresh_and_die("half", answered(lambda: setattr(backend, "deadly", True)))
        keep_key(emulator)
        qwen_portal.use("default")


def make_qwen_cli(root: Path) -> None:
    """Make the qwen CLI's file with a field of the CLI's own, and what lies beside our index."""
    os.environ["QWEN_HOME"] = str(root / "qwen")
    with place("qwen-cli", root / "qwen-cli-home"):
        sign_in("shared")
        file = root / "qwen" / "oauth_creds.json"
        rewrite(file, json.dumps(json.loads(file.read_text("utf-8")) | {"scope": "of the CLI"}))
        refresh("shared")
        refresh_and_die("shared", die_unsent)
    (folder,) = (root / "qwen-cli-home" / "qwen-cli").iterdir()
    folder.rename(folder.with_name("OF-THE-FILE"))


def make_one_file(root: Path) -> None:
    """Make ``file:PATH`` and the folder of its state."""
    file = root / "one" / "token.json"
    with place(f"file:{file}", root / "one" / "unused"):
        sign_in("only")
        refresh("only")
        refresh_and_die("only", die_unsent)


def main(root: Path) -> None:
    """Make everything in a folder that is not there yet."""
    root.mkdir(mode=0o700)
    # In the emulator alone: what a client makes must stay as long as it is.
    numbers = itertools.count(1)
    vars(ledger)["secrets"] = SimpleNamespace(
        token_urlsafe=lambda _: f"CANARY-{next(numbers):03d}", choice=lambda letters: letters[0]
    )
    os.environ["QWEN_PORTAL_QUOTA_COOLDOWN"] = "1000000000"
    with Emulator(interval=1, approve_after_polls=0) as emulator:
        os.environ["QWEN_PORTAL_OAUTH_URL"] = emulator.url
        make_home(root / "home", emulator)
        make_keyring(root / "keyring", emulator)
        make_qwen_cli(root)
        make_one_file(root)
        alive = [
            [token.grant.number, token.value] for token in emulator.state.ledger.refresh_tokens.values() if token.alive
        ]
        for path in [path for path in root.rglob("*") if path.is_file()]:
            rewrite(path, path.read_text("utf-8").replace(str(root), "@ROOT@").replace(emulator.url, "@EMULATOR@"))
    # A repository keeps no times, and this one no file of this name.
    file = root / "qwen" / "oauth_creds.json"
    told = {"alive": alive, "modified": file.stat().st_mtime_ns}
    file.rename(file.with_name("sign-in.json"))
    (root / "server.json").write_text(f"{json.dumps(told)}\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
