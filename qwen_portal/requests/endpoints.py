"""Addresses of an account's requests, and the last look at one before a bearer is attached."""

import contextlib

from qwen_portal.errors import QwenHostNotAllowedError
from qwen_portal.secrets import printable
from qwen_portal.service.hosts import check_oauth_host, origin, portal_url
from qwen_portal.service.plans import PORTAL_BASE_URL, find_plan
from qwen_portal.settings import Settings
from qwen_portal.storage.credential import Credential


def base_url(credential: Credential, settings: Settings) -> str:
    """Return the chat base URL: the user's, else the account's own.

    Raises:
        QwenHostNotAllowedError: The server, or an argument, named a host that this credential must not go to.
    """
    if settings.base_url is not None:
        if "base_url" in settings.argued:
            _check_argument(settings.base_url, credential, settings)
        return settings.base_url
    plan = find_plan(credential.plan)
    if plan.is_oauth:
        return portal_url(credential.resource_url or PORTAL_BASE_URL, trusted=settings.trusted)
    return plan.base_url


def _check_argument(url: str, credential: Credential, settings: Settings) -> None:
    """Refuse an address that came as data, for a secret that did not come with it and may not go there anyway."""
    plan = find_plan(credential.plan)
    with contextlib.suppress(QwenHostNotAllowedError):
        if plan.is_oauth:
            check_oauth_host(url, trusted=settings.trusted)
            return
        if origin(url) == origin(plan.base_url):
            return
    raise QwenHostNotAllowedError(
        f"base_url={printable(url, limit=120)!r} came without api_key=: a sign-in, or a key that you keep, never goes "
        "to an address that an argument names.",
        hint="Pass api_key= too, or set QWEN_PORTAL_BASE_URL if you trust the address.",
    )


def check_destination(credential: Credential, url: str, settings: Settings) -> None:
    """Refuse a request whose bearer would reach a host that it is not meant for.

    Raises:
        QwenHostNotAllowedError: An OAuth bearer for a host that is neither Qwen's nor named by the user, or a key
            for another host than its plan's.
    """
    if credential.kind == "oauth":
        check_oauth_host(origin(url), trusted=settings.trusted)
    elif origin(url) != origin(base_url(credential, settings)):
        msg = f"The key of this account is for {origin(base_url(credential, settings))}, not {origin(url)}."
        raise QwenHostNotAllowedError(msg, hint="Name the address in QWEN_PORTAL_BASE_URL if you trust it.")
