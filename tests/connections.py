"""What a pool's connections are doing, for tests that watch them."""

import time
from collections.abc import Callable
from typing import Any


def busy(pool: Any) -> list[Any]:
    """Return the connections of a client of httpx that are neither idle nor closed."""
    return [each for each in pool._transport._pool.connections if not (each.is_idle() or each.is_closed())]


def until(holds: Callable[[], object], seconds: float = 30.0) -> bool:
    """Wait for what another thread does; tell whether it came."""
    limit = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > limit:
            return False
        time.sleep(0.005)
    return True
