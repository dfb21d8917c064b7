"""API keys as accounts: one is kept after its service was asked, once, whether it takes the key.

Source: docs/protocol.md, "Plans", "List of models" and "Chat errors".
"""

from qwen_portal.account.api_keys import check_key, key_plan
from qwen_portal.account.record import Account, new_label
from qwen_portal.auth import PortalAuth
from qwen_portal.errors import (
    QwenAPIError,
    QwenAuthenticationError,
    QwenError,
    QwenPlanNotForProgramsError,
)
from qwen_portal.http.exchange import Exchange
from qwen_portal.http.model_list import has_no_list, list_models
from qwen_portal.http.transport import send
from qwen_portal.requests.chat_request import RequestBuilder
from qwen_portal.secrets import Secret
from qwen_portal.service.models import CODER
from qwen_portal.service.plans import Plan
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import Cancellation, LoginEvent, Show
from qwen_portal.storage.credential import Credential
from qwen_portal.untrusted_json import token

# For one small request, retries included: a person waits for it.
_SECONDS = 20.0
_RETRIES = 1


def add_key(
    session: Session,
    label: str | None,
    *,
    plan: str,
    api_key: Secret,
    show: Show,
    check: bool = True,
    force: bool = False,
    cancellation: Cancellation | None = None,
) -> Account:
    """Keep an API key as an account.

    Args:
        session: Settings, accounts and tokens.
        label: Account label; ``"default"`` if not given.
        plan: A plan that takes keys, or an https URL.
        api_key: The key.
        show: Told the outcome.
        check: Whether the service is asked, with one small request, if it takes the key.
        force: Whether a key that the service refuses is kept all the same.
        cancellation: Ends this from another thread, until the key is being kept.

    Raises:
        QwenAuthenticationError: The service refused the key.
        QwenStoreError: The key could not be kept.
        QwenError: The plan takes no keys, the key is known to be of another plan, or this was cancelled.
    """
    name, found = check_ready(session, label, plan)
    if token(api_key.reveal()) is None:
        raise QwenError("The API key is empty or holds characters that no key has.", hint="Paste it again.")
    check_key(api_key, found)
    credential = Credential.from_key(api_key, plan=found.name)
    result, why = "unchecked", ""
    if check:
        try:
            result, why = _checked(session, name, credential, found, force=force)
        except QwenAuthenticationError as exc:
            show(LoginEvent("error", trial="refused", message=str(exc)))
            raise
    if cancellation is not None:
        cancellation.keep()
    account = session.accounts.signed_in(name, credential)
    show(LoginEvent("success", account=account.label, store=account.store, trial=result, message=why))
    return account


def check_ready(session: Session, label: str | None, plan: str) -> tuple[str, Plan]:
    """Find out whether a key of a plan could be kept, before a person is asked for one.

    Args:
        session: Settings, accounts and tokens.
        label: Account label; ``"default"`` if not given.
        plan: A plan that takes keys, or an https URL.

    Returns:
        The label that it is to be kept under, and the plan.

    Raises:
        QwenStoreError: It could not be kept; the hint says what helps.
        QwenError: The plan takes no keys, or the label is none.
    """
    found, name = key_plan(plan), new_label(label)
    session.accounts.check_place(name)
    return name, found


def _checked(session: Session, label: str, credential: Credential, plan: Plan, *, force: bool) -> tuple[str, str]:
    """Return what the service said, as an event has it, and why."""
    try:
        why = ask_service(session, label, credential, plan)
    except QwenAuthenticationError as exc:
        if force:
            return "refused", exc.message
        exc.message += " It is not kept."
        raise
    return ("unknown", why) if why else ("works", "")


def ask_service(session: Session, label: str, credential: Credential, plan: Plan) -> str:
    """Ask a plan's service whether it takes a key: for its list of models, or for a token of an answer.

    Args:
        session: Settings.
        label: What the account is to be called, for messages.
        credential: The key.
        plan: Its plan.

    Returns:
        Why the service could not be asked; empty if it takes the key.

    Raises:
        QwenAuthenticationError: It refuses the key, or programs of our kind.
    """
    account = Account(label, "key", plan, active=False, store="")
    try:
        # a plan for few clients may show its list to all
        if not plan.for_programs or not _lists_models(session, account, credential):
            _chat(session, account, credential)
    except QwenError as exc:
        if _is_refused(exc):
            raise
        return exc.message
    return ""


def _is_refused(error: QwenError) -> bool:
    return isinstance(error, QwenPlanNotForProgramsError) or error.kind == "key"


def _lists_models(session: Session, account: Account, credential: Credential) -> bool:
    """Tell whether the service lists its models for this key; ``False`` says nothing about the key."""
    auth = PortalAuth(account.label, session=session, ready=(account, credential))
    try:
        list_models(account, credential, session.settings, auth, timeout=_SECONDS)
    except QwenAPIError as exc:
        if has_no_list(exc):
            return False
        raise
    return True


def _chat(session: Session, account: Account, credential: Credential) -> None:
    builder = RequestBuilder(session.settings, session.warned)
    question = [{"role": "user", "content": "Hello"}]
    request = builder.chat(credential, question, model=CODER, stream=False, params={"max_tokens": 1})
    auth = PortalAuth(account.label, session=session, ready=(account, credential))
    send(Exchange(request, auth, _SECONDS, _RETRIES, account, recorder=session.recorder))
