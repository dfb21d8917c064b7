"""The interface of what is soaked: ways to ask, and how it tells what became of its sign-ins and connections."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

# Seconds for one whole answer, retries included.
ANSWER_SECONDS = 20.0
# Where LiteLLM's authenticator of GitHub Copilot asks the soak's service.
COPILOT_PATH = "/copilot_internal/v2/token"


class Question(NamedTuple):
    """A request.

    Attributes:
        account: Whose; ``None`` leaves it to the package, where that can choose.
        prompt: The user's message.
    """

    account: str | None
    prompt: str


class SignIn(NamedTuple):
    """What a sign-in at the soak's service brought."""

    label: str
    access_token: str
    refresh_token: str
    expires_in: float


Way = Callable[[Question], Iterator[Any]]
AsyncWay = Callable[[Question], Awaitable[AsyncIterator[Any]]]


class Workload(Protocol):
    """A program under soak.

    Attributes:
        ways: Ways to ask in a thread, by name; each returns a stream, or an iterator of one whole answer.
        async_ways: The same for event loops.
    """

    ways: Mapping[str, Way]
    async_ways: Mapping[str, AsyncWay]

    def is_due(self, error: BaseException) -> bool:
        """Whether an error is one that the faults may lead to: of a kind that is promised, and true."""

    def ask_anew(self, label: str) -> None:
        """Refresh an account's token now."""

    def busy(self) -> int:
        """How many connections of all pools are in use."""

    def close(self) -> None:
        """Close what threads share."""

    async def aclose(self) -> None:
        """Close what the running event loop has."""


class Whole:
    """A whole answer as an async iterator of one."""

    def __init__(self, answer: Any) -> None:
        self._answers = iter([answer])

    def __aiter__(self) -> "Whole":
        """Return itself."""
        return self

    async def __anext__(self) -> Any:
        """Return the answer, once."""
        for answer in self._answers:
            return answer
        raise StopAsyncIteration
