"""The emulator's state between two requests: settings, clock, log, scenarios, tokens, quota."""

import threading
import time
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from qwen_portal.emulator.ledger import Grant, Ledger
from qwen_portal.emulator.scenarios import Place, Switchboard

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Settings:
    """How the emulated service is set up.

    Attributes:
        auto_approve: Whether a device code approves itself; otherwise the page or a control call decides.
        approve_after_polls: Pending answers before a code approves itself.
        device_expires_in: Life of a device code, in seconds.
        interval: Seconds between polls as told to the client; None leaves the field out, as the service did.
        access_life: Life of an access token, in seconds.
        quota: Chats per account and day; None for no limit.
        spare_tokens: A chat for at most this many tokens is answered although the quota is used up, as where a quota
            counts tokens; 0 for none.
        quota_zone: Hours east of UTC of the midnight at which the daily count starts again.
        strict: Keep the scenario "strict" on all the time.
        resolved_models: Whether `model` in answers is the model behind the alias, as the service sends it.
        retry_after: Seconds in the Retry-After header of a plain 429; None leaves it out, as the service does.
        input_limit: Longest prompt, in the emulator's tokens.
        default_output: Tokens at which an answer is cut, with "stop", when the request names no max_tokens.
        frame_delay: Seconds between two frames of a stream.
    """

    auto_approve: bool = True
    approve_after_polls: int = 2
    device_expires_in: int = 900
    interval: int | None = None
    access_life: float = 21_600
    quota: int | None = None
    spare_tokens: int = 0
    quota_zone: int = 0
    strict: bool = False
    # The service answers with the resolved name (docs/protocol.md). langchain-tests' model override only asks that the
    # answer's name contain the requested one, which ids that are no alias (qwen3-coder-plus) fulfil on the true wire.
    resolved_models: bool = True
    retry_after: int | None = None
    input_limit: int = 983_616
    default_output: int = 2_048
    frame_delay: float = 0

    def changed(self, changes: dict[str, Any]) -> "Settings":
        """A copy with some settings changed.

        Raises:
            ValueError: A name is not a setting; the text lists them.
        """
        known = {each.name for each in fields(self)}
        if unknown := sorted(set(changes) - known):
            message = f"unknown settings {', '.join(unknown)}; there are: {', '.join(sorted(known))}"
            raise ValueError(message)
        return replace(self, **changes)


class Clock:
    """The emulator's own time, so that tokens and codes expire without anyone waiting."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds since the epoch as the emulator sees it."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Jump ahead (or back, if negative)."""
        self._ahead += seconds


@dataclass
class LogEntry:
    """One request to the emulated service; control calls are not logged.

    Attributes:
        n: 1 for the first request since the start or the last reset.
        time: Seconds since the epoch by the emulator's clock.
        method: GET, POST, …
        path: Without the query.
        host: The Host header.
        headers: Names in lower case.
        body: Parsed JSON, the form as a dict, the raw text if it is neither, None if there is none.
        place: Where the request belongs in the protocol.
        status: The status answered; None while unanswered, or when the connection was dropped instead.
        account: Number of the sign-in that the bearer belongs to; None for keys, dead tokens and sign-in calls.
        above_cap: Whether the body asked for more output tokens than the model's cap.
        scenario: The scenario that shaped the answer, if one did.
        finished: Whether the whole answer was sent; False for a stream that the client left or a scenario broke.
    """

    n: int
    time: float
    method: str
    path: str
    host: str
    headers: dict[str, str]
    body: Any
    place: Place
    status: int | None = None
    account: int | None = None
    above_cap: bool = False
    scenario: str | None = None
    finished: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON data."""
        return asdict(self)


@dataclass
class State:
    """The whole memory of one emulator.

    `lock` is held while a request is answered and while a test looks or changes something from its own thread.
    """

    initial: Settings = field(default_factory=Settings)
    initial_scenarios: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.ledger = Ledger()
        self.scenarios = Switchboard()
        self.reset()

    def reset(self) -> None:
        """Back to the moment of the start; only the list of issued tokens survives."""
        self.settings = self.initial
        self.clock = Clock()
        self.log: list[LogEntry] = []
        self.ledger.forget()
        self.key_grants: dict[str, Grant] = {}
        self.seen_prefixes: set[str] = set()
        self.scenarios.clear()
        for name in self.initial_scenarios:
            self.scenarios.switch_on(name)

    def switch_on(self, name: str, times: int | None = None, where: str | None = None) -> None:
        """Turn a scenario on (see Switchboard.switch_on)."""
        self.scenarios.switch_on(name, times, where)
        if name == "revoked":
            self.ledger.revoke(refresh_too=False)

    def hits(self, name: str, entry: LogEntry) -> bool:
        """Whether a scenario shapes the answer to this request; noted in the log."""
        if not self.scenarios.hits(name, entry.place):
            return False
        entry.scenario = name
        return True

    def grant_of_key(self, key: str) -> Grant:
        """The quota record of an API key."""
        return self.key_grants.setdefault(key, Grant(number=0))

    def use_quota(self, grant: Grant, tokens: Any) -> bool:
        """Count one chat for at most that many tokens against the account's daily quota; False if it is spent."""
        today = int((self.clock.now() + self.settings.quota_zone * 3600) // SECONDS_PER_DAY)
        if grant.day != today:
            grant.day, grant.used = today, 0
        limit = grant.limit if grant.limit is not None else self.settings.quota
        if limit is not None and grant.used >= limit:
            return isinstance(tokens, int) and tokens <= self.settings.spare_tokens
        grant.used += 1
        return True

    def set_quota(self, limit: int | None, account: int | None = None) -> None:
        """Set the daily limit, of one account or of all, and start counting again.

        Raises:
            ValueError: No sign-in has this number.
        """
        if account is None:
            self.settings = replace(self.settings, quota=limit)
            chosen = [*self.ledger.grants, *self.key_grants.values()]
        else:
            chosen = [grant for grant in self.ledger.grants if grant.number == account]
            if not chosen:
                message = f"no account {account}; there are {len(self.ledger.grants)} sign-ins so far"
                raise ValueError(message)
        for grant in chosen:
            grant.limit, grant.used = (limit if account is not None else None), 0
