"""Qwen's portal for Python: sign in once, then use its models from LangChain, LiteLLM or plain Python.

The public names are loaded when they are first used, so that importing the package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

from qwen_portal._version import __version__

if TYPE_CHECKING:
    from qwen_portal import oauth
    from qwen_portal.account.record import Account
    from qwen_portal.api import (
        accounts,
        aclose,
        aget_access_token,
        alogin,
        async_openai_client,
        close,
        get_access_token,
        keep_alive,
        login,
        logout,
        openai_client,
        usage,
        use,
    )
    from qwen_portal.auth import PortalAuth
    from qwen_portal.client import AsyncPortalClient, PortalClient
    from qwen_portal.errors import (
        QwenAPIError,
        QwenAuthenticationError,
        QwenBadRequestError,
        QwenConnectionError,
        QwenContentFilterError,
        QwenContextLengthError,
        QwenError,
        QwenHostNotAllowedError,
        QwenLoginDeniedError,
        QwenLoginTimeoutError,
        QwenModelNotFoundError,
        QwenOAuthError,
        QwenPlanNotForProgramsError,
        QwenQuotaExceededError,
        QwenRateLimitError,
        QwenRefreshTokenInvalidError,
        QwenServerError,
        QwenServiceEndedError,
        QwenStoreError,
        QwenStoreLockedError,
        QwenStoreUnavailableError,
        QwenStreamError,
        QwenTimeoutError,
        QwenTokenExpiredError,
        QwenTokenNotAvailableError,
    )
    from qwen_portal.sign_in.device_flow import LoginEvent

_HOMES = {
    "accounts": "api",
    "aclose": "api",
    "aget_access_token": "api",
    "alogin": "api",
    "async_openai_client": "api",
    "close": "api",
    "get_access_token": "api",
    "keep_alive": "api",
    "login": "api",
    "logout": "api",
    "openai_client": "api",
    "usage": "api",
    "use": "api",
    "Account": "account.record",
    "AsyncPortalClient": "client",
    "LoginEvent": "sign_in.device_flow",
    "PortalAuth": "auth",
    "PortalClient": "client",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name == "oauth":
        return importlib.import_module("qwen_portal.oauth")
    if name in __all__:
        value = getattr(importlib.import_module(f"qwen_portal.{_HOMES.get(name, 'errors')}"), name)
        globals()[name] = value
        return value
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "Account",
    "AsyncPortalClient",
    "LoginEvent",
    "PortalAuth",
    "PortalClient",
    "QwenAPIError",
    "QwenAuthenticationError",
    "QwenBadRequestError",
    "QwenConnectionError",
    "QwenContentFilterError",
    "QwenContextLengthError",
    "QwenError",
    "QwenHostNotAllowedError",
    "QwenLoginDeniedError",
    "QwenLoginTimeoutError",
    "QwenModelNotFoundError",
    "QwenOAuthError",
    "QwenPlanNotForProgramsError",
    "QwenQuotaExceededError",
    "QwenRateLimitError",
    "QwenRefreshTokenInvalidError",
    "QwenServerError",
    "QwenServiceEndedError",
    "QwenStoreError",
    "QwenStoreLockedError",
    "QwenStoreUnavailableError",
    "QwenStreamError",
    "QwenTimeoutError",
    "QwenTokenExpiredError",
    "QwenTokenNotAvailableError",
    "__version__",
    "accounts",
    "aclose",
    "aget_access_token",
    "alogin",
    "async_openai_client",
    "close",
    "get_access_token",
    "keep_alive",
    "login",
    "logout",
    "oauth",
    "openai_client",
    "usage",
    "use",
]
