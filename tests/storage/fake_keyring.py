"""A keyring backend in memory, as strict as the strictest platform, that fails at the points where real ones do."""

from collections.abc import Callable

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

Act = Callable[[], object]
Keep = Callable[[str], str | None]


class FakeKeyring(KeyringBackend):
    """Items by service and user; an overwrite deletes first, as on macOS.

    Attributes:
        items: What it holds.
        at: What happens at a point of a call: ``get``, ``set``, ``deleted`` (an overwrite has removed the old item and
            not written the new one), ``delete``. It may raise, or wait.
        keep: Turns what is written into what is kept; ``None`` keeps nothing, without a word.
        limit: Most characters of an item; 1,280 on Windows.
    """

    # Never chosen by keyring itself, which knows every backend class of the process.
    priority = -1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.items: dict[tuple[str, str], str] = {}
        self.at: dict[str, Act] = {}
        self.keep: Keep = str
        self.limit = 1280

    def get_password(self, service: str, username: str) -> str | None:
        """Read an item."""
        self._reach("get")
        return self.items.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Write an item."""
        self._reach("set")
        if len(password.encode("utf-16-le")) > 2 * self.limit:
            raise OSError(1783, "The stub received bad data")
        if self.items.pop((service, username), None) is not None:
            self._reach("deleted")
        kept = self.keep(password)
        if kept is not None:
            self.items[service, username] = kept

    def delete_password(self, service: str, username: str) -> None:
        """Delete an item."""
        self._reach("delete")
        if self.items.pop((service, username), None) is None:
            raise PasswordDeleteError("No such password!")

    def _reach(self, point: str) -> None:
        self.at.get(point, bool)()
