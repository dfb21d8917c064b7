"""The connection fields of the two classes, as the core's client takes them."""

from typing import Any

from pydantic import SecretStr

from qwen_portal.secrets import Secret
from qwen_portal.service.hosts import ArgumentUrl

_RETRIES = 2


def client_settings(
    *, api_key: SecretStr | str | None, base_url: str | None, max_retries: int | None, **others: Any
) -> dict[str, Any]:
    """Return the keyword arguments of a client.

    Args:
        api_key: A key given in Python.
        base_url: Where that key goes.
        max_retries: Repeats of a request that failed in passing; 2 if not given.
        **others: ``account``, ``on_quota``, ``plan``, ``store`` and ``timeout``, as the client has them.
    """
    return {
        **others,
        "api_key": Secret.wrapped(api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key),
        # a manifest, or a run's configuration, is data, and data may come from anybody
        "base_url": ArgumentUrl(base_url) if base_url else None,
        "max_retries": _RETRIES if max_retries is None else max_retries,
    }
