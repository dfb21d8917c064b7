"""The models that an account's service says it offers, for the commands that ask."""

from typing import NamedTuple
from urllib.parse import urlsplit

from qwen_portal.account.record import Account, require_usable
from qwen_portal.auth import PortalAuth
from qwen_portal.errors import QwenAPIError
from qwen_portal.http.model_list import has_no_list, list_models
from qwen_portal.requests.endpoints import base_url
from qwen_portal.session import Session

# For one small request, retries included.
_SECONDS = 30.0


class Offer(NamedTuple):
    """What a service says of its models.

    Attributes:
        host: Who was asked.
        ids: Its list, fit to be printed; ``None`` where it publishes none.
    """

    host: str
    ids: list[str] | None


def offered(session: Session, account: Account) -> Offer:
    """Ask an account's service for its models.

    Raises:
        QwenError: It could not be asked, or refused.
    """
    credential = session.tokens.get(require_usable(account))
    auth = PortalAuth(account.label, session=session, ready=(account, credential))
    host = urlsplit(base_url(credential, session.settings)).netloc
    try:
        return Offer(host, list_models(account, credential, session.settings, auth, timeout=_SECONDS))
    except QwenAPIError as exc:
        if has_no_list(exc):
            return Offer(host, None)
        raise
