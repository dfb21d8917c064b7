"""A peer: msal-extensions' token cache, one for each account, around a refresh; the chat goes over httpx.

MSAL itself speaks to Microsoft's hosts alone. So the refresh is by hand, in the way that its cache offers: look it up,
take the library's lock, look again, refresh, add the answer.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msal_extensions import (  # type: ignore[import-untyped]
    CrossPlatLock,
    FilePersistence,
    LockError,
    PersistedTokenCache,
)

from tests.soak.peer_httpx import CLIENT_ID, Httpx, RefreshError, Tokens, refresh
from tests.soak.workload import SignIn

_ACCESS, _REFRESH = PersistedTokenCache.CredentialType.ACCESS_TOKEN, PersistedTokenCache.CredentialType.REFRESH_TOKEN


class CachedTokens:
    """The tokens in one PersistedTokenCache for each account, which all threads share.

    Args:
        url: The sign-in host.
        sign_ins: The accounts.
        home: A folder.
    """

    def __init__(self, url: str, sign_ins: Sequence[SignIn], home: Path) -> None:
        self._url = url
        self._home = home
        self._caches = {
            each.label: PersistedTokenCache(FilePersistence(str(home / f"{each.label}.json"))) for each in sign_ins
        }
        for each in sign_ins:
            self._add(each.label, each._asdict())

    def get(self, label: str, refused: str | None = None) -> str:
        """Return an access token; a refresh is made under a lock file of the account's."""
        known = self._find(label, refused)
        if known is None:
            with CrossPlatLock(str(self._home / f"{label}.lockfile")):
                known = self._find(label, refused)
                if known is None:
                    known = self._add(label, refresh(self._url, self._refresh_token(label)))
        return known

    def _refresh_token(self, label: str) -> str:
        found = self._caches[label].search(_REFRESH, query={"home_account_id": self._account(label)})
        for entry in found:
            return str(entry["secret"])
        raise RefreshError("the cache has no refresh token of this account any more")

    def _find(self, label: str, refused: str | None) -> str | None:
        # the cache itself leaves out what has expired
        found = self._caches[label].search(_ACCESS, query={"home_account_id": self._account(label)})
        return next((str(each["secret"]) for each in found if each["secret"] != refused), None)

    def _add(self, label: str, tokens: dict[str, Any]) -> str:
        answer = {
            "access_token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"],
            "expires_in": int(tokens["expires_in"]),
            "token_type": "Bearer",
        }
        uid, tenant = self._account(label).split(".")
        self._caches[label].add(
            {
                "client_id": CLIENT_ID,
                "scope": ["model.completion"],
                "token_endpoint": "https://login.example/tenant/oauth2/v2.0/token",
                "response": {**answer, "client_info": _encoded(uid, tenant)},
            }
        )
        return str(answer["access_token"])

    def _account(self, label: str) -> str:
        return f"{label}.tenant"


def _encoded(uid: str, tenant: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"uid": uid, "utid": tenant}).encode()).decode().rstrip("=")


class Msal(Httpx):
    """Chat over httpx with the tokens of msal-extensions."""

    def tokens(self, url: str, sign_ins: Sequence[SignIn], home: Path) -> Tokens:
        """Open the place for tokens."""
        return CachedTokens(url, sign_ins, home)

    def is_due(self, error: BaseException) -> bool:
        """Whether an error is one that the library raises on purpose, or httpx."""
        return isinstance(error, LockError) or super().is_due(error)
