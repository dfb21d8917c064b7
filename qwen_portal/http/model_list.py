"""The models that a service lists for an account: ``GET /models``.

Source: docs/protocol.md, "List of models".
"""

from typing import Any

import httpx

from qwen_portal.account.record import Account
from qwen_portal.answers.error_responses import is_web_page
from qwen_portal.http.exchange import Exchange
from qwen_portal.http.transport import send
from qwen_portal.requests.chat_request import ChatRequest, request_headers
from qwen_portal.requests.endpoints import base_url
from qwen_portal.secrets import printable
from qwen_portal.settings import Settings
from qwen_portal.storage.credential import Credential

_OK = 200
_RETRIES = 2
_LONGEST_ID = 120


def list_models(
    account: Account, credential: Credential, settings: Settings, auth: httpx.Auth, *, timeout: float
) -> list[str]:
    """Ask an account's service which models it offers.

    Args:
        account: Whose bearer it is.
        credential: The account's credential; it decides the host.
        settings: The user's settings.
        auth: Puts the bearer on.
        timeout: Seconds, retries included.

    Returns:
        Ids, in the service's order, each once; fit to be printed.

    Raises:
        QwenAPIError: Typed by what happened; a service that has no such list answers 404 or the like.
        QwenHostNotAllowedError: The account's host is not one that a bearer may go to.
    """
    url = f"{base_url(credential, settings)}/models"
    request = ChatRequest(url, request_headers(credential, stream=False), {"stream": False}, model="")
    ids: list[str] = send(_ModelList(request, auth, timeout, _RETRIES, account))["ids"]
    return ids


class _ModelList(Exchange):
    """An exchange whose answer is a list of models."""

    method = "GET"

    def parse_response(self, response: httpx.Response) -> dict[str, Any]:
        self.note_headers(response)
        ids = _ids(response)
        if ids is None:
            raise self.refused(response)
        return {"ids": ids}


def _ids(response: httpx.Response) -> list[str] | None:
    """Read the answer, OpenAI's shape; ``None`` if it is no such list."""
    if response.status_code != _OK or is_web_page(response.headers, response.content):
        return None
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return None
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        return None
    found = [entry.get("id") for entry in data if isinstance(entry, dict)]
    return list(dict.fromkeys(printable(name, limit=_LONGEST_ID) for name in found if isinstance(name, str) and name))
