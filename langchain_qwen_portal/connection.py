"""The connection fields of the two classes, as the core's client takes them, and the clients that are made of them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import SecretStr

from qwen_portal import AsyncPortalClient, PortalClient
from qwen_portal.environment import Kept
from qwen_portal.secrets import Secret
from qwen_portal.service.hosts import ArgumentUrl

_RETRIES = 2
# Where an object keeps its clients: in a slot, beside its fields, so that no copy, pickle or comparison has them.
KEPT = "_kept_clients"


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


class Clients:
    """The clients of one object: each is made when it is first needed, and anew once the environment has changed.

    Args:
        settings: From :func:`client_settings`.

    Attributes:
        settings: The same.
        sync: Returns the client for threads.
        for_loops: Returns the client for event loops.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.sync = Kept(partial(PortalClient, **settings))
        self.for_loops = Kept(partial(AsyncPortalClient, **settings))


def kept_clients(owner: object, settings: Mapping[str, Any]) -> Clients:
    """Return an object's clients, made anew if a field has changed; connections and tokens belong to the process.

    Args:
        owner: Has the slot :data:`KEPT`.
        settings: What its fields say now, from :func:`client_settings`.
    """
    kept: Clients | None = getattr(owner, KEPT, None)
    if kept is None or kept.settings != settings:
        kept = Clients(settings)
        # not by the class's own way of setting, which looks for fields
        object.__setattr__(owner, KEPT, kept)
    return kept
