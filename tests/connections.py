"""What a pool has open."""

from typing import Any


def busy(pool: Any) -> list[Any]:
    """Return the connections that are neither idle nor closed."""
    return [each for each in pool._transport._pool.connections if not (each.is_idle() or each.is_closed())]
