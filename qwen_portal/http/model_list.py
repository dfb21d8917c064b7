"""The models that a service lists for an account: ``GET /models``.

Source: docs/protocol.md, "List of models".
"""

from typing import Any

import httpx

from qwen_portal.account.record import Account
from qwen_portal.answers.fields import UnreadableError
from qwen_portal.errors import (
    QwenAPIError,
    QwenBadRequestError,
    QwenModelNotFoundError,
    QwenPlanNotForProgramsError,
    QwenQuotaExceededError,
)
from qwen_portal.http.exchange import Exchange
from qwen_portal.http.transport import send
from qwen_portal.requests.chat_request import PreparedRequest, request_headers
from qwen_portal.requests.endpoints import base_url
from qwen_portal.secrets import printable
from qwen_portal.settings import Settings
from qwen_portal.storage.credential import Credential

_RETRIES = 2
_LONGEST_ID = 120
_OK, _FORBIDDEN, _NOT_IMPLEMENTED = 200, 403, 501


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
    headers = request_headers(credential, stream=False)
    request = PreparedRequest(url, headers, body={}, model="", read=_read_list, method="GET")
    ids: list[str] = send(Exchange(request, auth, timeout, _RETRIES, account))["ids"]
    return ids


def has_no_list(error: QwenAPIError) -> bool:
    """Tell whether the answer to :func:`list_models` says that the service has no such list, and nothing of the key."""
    if error.kind is not None or isinstance(error, QwenPlanNotForProgramsError | QwenQuotaExceededError):
        return False
    is_unknown = isinstance(error, QwenModelNotFoundError | QwenBadRequestError)
    return is_unknown or error.status in {_OK, _FORBIDDEN, _NOT_IMPLEMENTED}


def _read_list(body: dict[str, Any]) -> dict[str, Any]:
    """Read the answer, OpenAI's shape.

    Raises:
        UnreadableError: It is no such list.
    """
    data = body.get("data")
    if not isinstance(data, list):
        raise UnreadableError("data", data)
    found = [entry.get("id") for entry in data if isinstance(entry, dict)]
    ids = (printable(name, limit=_LONGEST_ID) for name in found if isinstance(name, str) and name)
    return {"ids": list(dict.fromkeys(ids))}
