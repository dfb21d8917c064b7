"""The models that an account's service says it offers, for the commands that ask."""

from qwen_portal.account.record import Account, require_usable
from qwen_portal.auth import PortalAuth
from qwen_portal.http.model_list import list_models
from qwen_portal.session import Session

# For one small request, retries included.
_SECONDS = 30.0


def offered(session: Session, account: Account) -> list[str]:
    """Ask the service; its ids are fit to be printed.

    Raises:
        QwenError: It could not be asked, or gives no list.
    """
    credential = session.tokens.get(require_usable(account))
    auth = PortalAuth(account.label, session=session, ready=(account, credential))
    return list_models(account, credential, session.settings, auth, timeout=_SECONDS)
