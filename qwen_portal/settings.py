"""Settings from the environment; a keyword argument always wins over its variable.

``.env.example`` lists the variables with their defaults.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from qwen_portal.environment import Kept
from qwen_portal.errors import QwenError, QwenHostNotAllowedError
from qwen_portal.secrets import Secret, printable
from qwen_portal.service.hosts import ArgumentUrl, origin, user_url
from qwen_portal.untrusted_json import token

CLIENT_ID = "f0304373b74a44d2b584a3fb70ca9e56"
OAUTH_URL = "https://chat.qwen.ai"

CONNECT_TIMEOUT = 10.0
CHUNK_TIMEOUT = 120.0
SIGN_IN_TIMEOUT = 15.0
REFRESH_TIMEOUT = 8.0
# A year; sockets and event loops fail on far more.
_LONGEST = 31_536_000.0

STRATEGIES: tuple[str, ...] = ("switch", "degrade", "cli")
PLACES = "auto, keyring, file, file:PATH, qwen-cli or memory"
# What other programs' switches take, and nobody means as the name of a folder.
_SWITCHES = {"true", "false", "yes", "no", "on", "off"}
_PLACES = {"auto", "keyring", "file", "qwen-cli", "memory"}


# A named tuple, as in `plans`: quicker to define than a dataclass.
class Settings(NamedTuple):
    """What the user chose, checked once.

    Attributes:
        account: Account label, or ``None`` for the active one.
        store: ``auto``, ``keyring``, ``file``, ``file:PATH``, ``qwen-cli`` or ``memory``.
        home: Folder for the account index, locks and the file store.
        oauth_url: Sign-in host.
        base_url: Chat base URL that overrides every account's own, or ``None``.
        client_id: OAuth client id.
        api_key: A key used as it is and never stored, or ``None``.
        plan: The plan of ``api_key``, or ``None``.
        key_is_argument: Whether ``api_key`` came as an argument, not from the environment.
        allowed_hosts: Further ``host[:port]`` entries a bearer may go to.
        timeout: Seconds for one whole answer.
        on_quota: What to try in turn when a quota is used up, of STRATEGIES; nothing for ``error``.
        quota_cooldown: Seconds that an exhausted account is left alone.
        qwen_cli: The qwen command for the strategy ``cli``, or ``None`` for the one on PATH.
        request_log: Folder that gets a file per request, or ``None``.
        argued: Which of ``base_url`` and ``plan`` came as arguments without a key, and say what the environment does
            not: no secret of the user's goes to an address on their word alone.
    """

    home: Path
    account: str | None = None
    store: str = "auto"
    oauth_url: str = OAUTH_URL
    base_url: str | None = None
    client_id: str = CLIENT_ID
    api_key: Secret | None = None
    plan: str | None = None
    key_is_argument: bool = False
    allowed_hosts: tuple[str, ...] = ()
    timeout: float = 600.0
    on_quota: tuple[str, ...] = ("switch", "degrade")
    quota_cooldown: float = 1800.0
    qwen_cli: str | None = None
    request_log: Path | None = None
    argued: frozenset[str] = frozenset()

    @property
    def trusted(self) -> frozenset[str]:
        """Origins and ``host[:port]`` entries that the user named."""
        named = {origin(self.oauth_url)} if self.oauth_url != OAUTH_URL else set()
        if self.base_url is not None and "base_url" not in self.argued:
            named.add(origin(self.base_url))
        return frozenset(named | set(self.allowed_hosts))


class _Variables:
    """The environment; it does not show itself. Empty variables count as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __call__(self, name: str, *aliases: str) -> str | None:
        return next((value for key in (name, *aliases) if (value := self._environ.get(key, "").strip())), None)

    def secret(self, name: str) -> Secret | None:
        return Secret(self._environ[name].strip()) if self(name) else None


def load_settings(
    *,
    store: str | None = None,
    base_url: str | None = None,
    client_id: str | None = None,
    timeout: float | None = None,
    api_key: Secret | None = None,
    plan: str | None = None,
    on_quota: str | Iterable[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Read the settings; empty variables count as unset.

    Args:
        store: Overrides QWEN_PORTAL_STORE.
        base_url: Overrides QWEN_PORTAL_BASE_URL; an :class:`ArgumentUrl` names no host that a secret may go to.
        client_id: Overrides QWEN_PORTAL_CLIENT_ID.
        timeout: Overrides QWEN_PORTAL_TIMEOUT, in seconds.
        api_key: Overrides QWEN_PORTAL_API_KEY.
        plan: Overrides QWEN_PORTAL_PLAN.
        on_quota: Overrides QWEN_PORTAL_ON_QUOTA; names in a list, or separated by commas.
        environ: The environment to read.

    Raises:
        QwenError: A variable has a value it cannot have; the message names it.
        QwenHostNotAllowedError: An address is malformed or not https.
    """
    for name, value in (("store", store), ("base_url", base_url), ("client_id", client_id), ("plan", plan)):
        _check_text(name, value)
    env = _Variables(environ)
    # a frame of an error is shown with what it has, and this has every secret of the user's
    del environ
    configure_logging(env("QWEN_PORTAL_LOG"))
    token_path = env("QWEN_TOKEN_PATH")
    argued = _argued(base_url, plan, env) if api_key is None else frozenset()
    base_url = base_url or env("QWEN_PORTAL_BASE_URL")
    key = api_key or env.secret("QWEN_PORTAL_API_KEY")
    named_home, log = env("QWEN_PORTAL_HOME"), env("QWEN_PORTAL_REQUEST_LOG")
    home = Path(named_home).expanduser().absolute() if named_home else default_home()
    oauth_url = env("QWEN_PORTAL_OAUTH_URL")
    return Settings(
        home=home,
        account=env("QWEN_PORTAL_ACCOUNT"),
        store=_place(store or env("QWEN_PORTAL_STORE") or (f"file:{token_path}" if token_path else "auto")),
        oauth_url=_url("QWEN_PORTAL_OAUTH_URL", oauth_url) if oauth_url else OAUTH_URL,
        base_url=_url("QWEN_PORTAL_BASE_URL (or base_url=)", base_url) if base_url else None,
        client_id=client_id or env("QWEN_PORTAL_CLIENT_ID", "QWEN_OAUTH_CLIENT_ID") or CLIENT_ID,
        api_key=_key(key) if key else None,
        plan=plan or env("QWEN_PORTAL_PLAN"),
        key_is_argument=bool(api_key),
        allowed_hosts=_hosts(env("QWEN_PORTAL_ALLOWED_HOSTS") or ""),
        timeout=_seconds("QWEN_PORTAL_TIMEOUT", timeout if timeout is not None else env("QWEN_PORTAL_TIMEOUT"), 600.0),
        on_quota=_strategies(on_quota if on_quota is not None else env("QWEN_PORTAL_ON_QUOTA") or "switch,degrade"),
        quota_cooldown=_seconds("QWEN_PORTAL_QUOTA_COOLDOWN", env("QWEN_PORTAL_QUOTA_COOLDOWN"), 1800.0),
        qwen_cli=env("QWEN_CLI_PATH"),
        request_log=_log_folder(log, home) if log else None,
        argued=argued,
    )


_own = Kept(load_settings)


def own_settings() -> Settings:
    """Return the settings that the environment alone makes; they are read anew only once it has changed.

    Raises:
        QwenError: As for :func:`load_settings`.
    """
    return _own()


def _check_text(name: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise QwenError(f"{name} is {value!r:.60}.", hint="It takes a text.")


def _argued(base_url: str | None, plan: str | None, env: _Variables) -> frozenset[str]:
    own_url, own_plan = env("QWEN_PORTAL_BASE_URL"), env("QWEN_PORTAL_PLAN")
    named = {
        "base_url": not isinstance(base_url, ArgumentUrl) or _same_host(base_url, own_url),
        "plan": plan is None or _same_host(plan, own_plan) or _same_host(plan, own_url),
    }
    return frozenset(name for name, is_named in named.items() if not is_named)


def _same_host(argument: str, own: str | None) -> bool:
    if own is None or argument == own:
        return own is not None
    return "://" in argument and "://" in own and origin(user_url(argument)) == origin(user_url(own))


def default_home() -> Path:
    """Return the platform's folder for a program's state."""
    # On Linux this is what platformdirs answers, without the time its import takes, which every `status` would pay.
    on_linux = sys.platform == "linux"
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    state = named if named.is_absolute() else Path(os.environ.get("HOME", "")) / ".local" / "state"
    if on_linux and state.is_absolute():
        return state / "qwen-portal"
    from platformdirs import user_state_path

    return user_state_path("qwen-portal", appauthor=False)


def configure_logging(level: str | None) -> None:
    """Show the ``qwen_portal`` logger, and only that, on stderr at QWEN_PORTAL_LOG's level.

    Raises:
        QwenError: The level is none of debug, info, warning.
    """
    if level is None:
        return
    import logging

    if level.lower() not in {"debug", "info", "warning"}:
        msg = f"QWEN_PORTAL_LOG is {printable(level, limit=60)!r}."
        raise QwenError(msg, hint="It takes debug, info or warning.")
    logger = logging.getLogger("qwen_portal")
    logger.setLevel(level.upper())
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)


def _url(name: str, value: str) -> str:
    """Read an address; the error about it names the variable."""
    try:
        return user_url(value)
    except QwenHostNotAllowedError as exc:
        exc.message = f"{name}: {exc.message[0].lower()}{exc.message[1:]}"
        raise


def _log_folder(value: str, home: Path) -> Path | None:
    if value in {"0", "1"}:
        return home / "logs" if value == "1" else None
    if value.lower() in _SWITCHES or value.isdecimal():
        raise QwenError(
            f"QWEN_PORTAL_REQUEST_LOG is {printable(value, limit=60)!r}.",
            hint=f"It takes a folder, or 1 for {home / 'logs'}; nothing is no log. A folder of that name is ./{value}.",
        )
    return Path(value).expanduser().absolute()


def _place(name: str) -> str:
    if name not in _PLACES and not name.startswith("file:"):
        raise QwenError(
            f"There is no store named {printable(name, limit=120)!r}.", hint=f"QWEN_PORTAL_STORE takes {PLACES}."
        )
    return name


def check_seconds(name: str, value: str | float) -> float:
    """Read a number of seconds.

    Raises:
        QwenError: It is none, not above 0, or more than the system's clocks count.
    """
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if not 0 < seconds <= _LONGEST:
        msg = f"{name} is {printable(str(value), limit=60)!r}."
        raise QwenError(msg, hint=f"It takes a number of seconds above 0, at most {_LONGEST:,.0f}.")
    return seconds


def _seconds(name: str, value: str | float | None, default: float) -> float:
    return default if value is None else check_seconds(name, value)


def _strategies(value: str | Iterable[str]) -> tuple[str, ...]:
    try:
        entries = value.split(",") if isinstance(value, str) else list(value)
        names = tuple(dict.fromkeys(name.strip().lower() for name in entries))
    except (TypeError, AttributeError):
        names = ()
    if names == ("error",):
        return ()
    if not names or set(names) - set(STRATEGIES):
        msg = f"QWEN_PORTAL_ON_QUOTA (or on_quota=) is {printable(str(value), limit=120)!r}."
        raise QwenError(msg, hint=f"It takes any of {', '.join(STRATEGIES)} in the order to try them, or error alone.")
    return names


def _key(key: Secret) -> Secret:
    # A line break would be refused by the HTTP library, in an error that quotes the whole header.
    if token(key.reveal()) is None:
        raise QwenError("The API key holds characters that no key has.", hint="Copy it again.")
    return key


def _hosts(value: str) -> tuple[str, ...]:
    entries = [entry.strip().lower() for entry in value.split(",") if entry.strip()]
    for entry in entries:
        if "/" in entry:
            msg = f"QWEN_PORTAL_ALLOWED_HOSTS holds {printable(entry, limit=120)!r}."
            raise QwenError(msg, hint="It takes host or host:port entries, separated by commas.")
        _url("QWEN_PORTAL_ALLOWED_HOSTS", entry)
    return tuple(entries)
