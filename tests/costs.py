"""What a call costs, in counts: settings read, clients and account lists made, files read, locks taken."""

from collections import Counter
from typing import Any

import filelock
import pytest

from qwen_portal import settings
from qwen_portal.account.registry import Accounts
from qwen_portal.base_client import BaseClient
from qwen_portal.storage import index
from qwen_portal.storage.stores.file import FileStore

# Calls until nothing is new any more: the first one notes in the index that its token works, and the second reads that.
WARM = 2


def counting(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count from now on, for as long as the test runs."""
    counted = Counter[str]()

    def count(owner: object, name: str, what: str) -> None:
        real: Any = getattr(owner, name)

        def noted(*args: Any, **kwargs: Any) -> Any:
            counted[what] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, noted)

    count(settings._Variables, "__init__", "settings")
    count(BaseClient, "__init__", "clients")
    count(Accounts, "__init__", "accounts")
    count(index, "read_private", "index")
    count(FileStore, "load", "store")
    count(filelock.FileLock, "acquire", "locks")
    return counted
