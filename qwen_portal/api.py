"""The package's plain functions: sign in and out, list and choose accounts, get a token."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qwen_portal.account.record import Account
from qwen_portal.secrets import Secret
from qwen_portal.service.plans import OAUTH
from qwen_portal.session import Session, forget
from qwen_portal.sign_in.device_flow import Cancellation, Show, sign_in
from qwen_portal.sign_in.key_login import add_key

if TYPE_CHECKING:
    import openai


def login(
    account: str | None = None,
    *,
    plan: str = OAUTH,
    api_key: str | None = None,
    open_browser: bool | None = None,
    show: Show | None = None,
) -> Account:
    """Sign in, or keep an API key; the account becomes the active one.

    A key's service is asked first, with one small request, whether it takes the key; where it cannot be asked, the key
    is kept untried. ``qwen-portal login --no-check`` asks nothing, and ``--force`` keeps a key that is refused.

    Args:
        account: Label to keep it under; ``"default"`` if not given.
        plan: ``"oauth"`` for the device sign-in, else the plan of ``api_key``.
        api_key: A key of that plan.
        open_browser: Whether to open the page; by default only where a person sits at a desktop's terminal.
        show: Told each LoginEvent; by default it is shown in the terminal or the notebook.

    Raises:
        QwenLoginDeniedError: The person refused.
        QwenLoginTimeoutError: Nobody confirmed in time.
        QwenOAuthError: The sign-in host refused.
        QwenAuthenticationError: The key's service refused it (QwenPlanNotForProgramsError: or programs of our kind).
        QwenStoreError: The sign-in could not be kept.
        QwenError: The plan and the key do not fit.

    Example:
        >>> qwen_portal.login("work")
        >>> qwen_portal.login("team", plan="studio-intl", api_key=key)
    """
    key, api_key = Secret.wrapped(api_key), None
    return _login(account, plan, key, _display(show, open_browser=open_browser), None)


def _display(show: Show | None, *, open_browser: bool | None) -> Show:
    from qwen_portal.sign_in.display import default_display

    return show if show is not None else default_display(open_browser=open_browser)


def _login(account: str | None, plan: str, key: Secret | None, show: Show, stop: Cancellation | None) -> Account:
    if plan == OAUTH and key is None:
        return sign_in(Session(), account, show=show, cancellation=stop)
    given = key if key is not None else Secret("")
    return add_key(Session(), account, plan=plan, api_key=given, show=show, cancellation=stop)


async def alogin(
    account: str | None = None,
    *,
    plan: str = OAUTH,
    api_key: str | None = None,
    open_browser: bool | None = None,
    show: Show | None = None,
) -> Account:
    """Do what :func:`login` does without blocking the event loop; ``show`` is called in another thread.

    Cancelling it ends the sign-in: nothing is asked any more and nothing is kept, even if the person approves later.
    """
    key, api_key = Secret.wrapped(api_key), None
    display, stop, done = _display(show, open_browser=open_browser), Cancellation(), Future[Account]()
    done.set_running_or_notify_cancel()

    def work() -> None:
        try:
            done.set_result(_login(account, plan, key, display, stop))
        except BaseException as exc:  # noqa: BLE001 - carried to the caller
            done.set_exception(exc)

    # A thread of its own: with the loop's executor the end of asyncio.run would wait for a poll that nobody needs.
    threading.Thread(target=work, name="qwen-portal-login", daemon=True).start()
    try:
        return await asyncio.wrap_future(done)
    except asyncio.CancelledError:
        stop.cancel()
        raise


def logout(account: str | None = None) -> Account:
    """Remove an account's credential here; the service has no known way to revoke it.

    Args:
        account: Label; the active account if not given.

    Returns:
        What was removed.

    Raises:
        QwenTokenNotAvailableError: There is no such account.
        QwenStoreError: The store failed; the account is still there.
    """
    accounts = Session().accounts
    return accounts.remove(accounts.choose(account).label)


def accounts() -> list[Account]:
    """List the accounts, a key from the environment first; no secret is read."""
    return Session().list()


def use(account: str) -> None:
    """Make an account the active one.

    Raises:
        QwenTokenNotAvailableError: There is no such account.
    """
    Session().accounts.use(account)


def get_access_token(account: str | None = None, *, force_refresh: bool = False) -> str:
    """Return a valid access token, or the account's API key.

    Args:
        account: Label; the active account if not given.
        force_refresh: Refresh even if the token still serves.

    Raises:
        QwenTokenNotAvailableError: Nobody is signed in.
        QwenRefreshTokenInvalidError: The refresh token is dead.
        QwenTokenExpiredError: The token expired and could not be renewed just now.
        QwenStoreError: The store failed.
    """
    session = Session()
    chosen = session.choose(account)
    credential = session.tokens.get(chosen)
    if force_refresh and chosen.kind == OAUTH:
        credential = session.tokens.get(chosen, refused=credential)
    return credential.access_token.reveal()


async def aget_access_token(account: str | None = None, *, force_refresh: bool = False) -> str:
    """Do what :func:`get_access_token` does without blocking the event loop."""
    session = Session()
    chosen = session.choose(account)
    credential = await session.tokens.aget(chosen)
    if force_refresh and chosen.kind == OAUTH:
        credential = await session.tokens.aget(chosen, refused=credential)
    return credential.access_token.reveal()


@contextmanager
def keep_alive(account: str | None = None) -> Iterator[None]:
    """Refresh an account's token ahead of time for as long as the block runs, so that no request waits for it.

    Args:
        account: Label; the active account if not given.

    Raises:
        QwenTokenNotAvailableError: Nobody is signed in.

    Example:
        >>> with qwen_portal.keep_alive():
        ...     serve_for_days()
    """
    session = Session()
    with session.tokens.keep_alive(session.choose(account)):
        yield


def usage(days: float = 7, account: str | None = None) -> list[dict[str, Any]]:
    """Return what was used on this machine, if counting is on (``qwen-portal usage --on``): a row per request.

    Args:
        days: How far back, in days.
        account: Label; all accounts if not given.

    Returns:
        One dict per request, oldest first: ``time`` (seconds since the epoch), ``account`` and ``plan`` (``None`` for
        the qwen command; of a key that is not kept the account is ``"env"`` or ``"api_key="``), ``model`` (the name
        that was sent), ``prompt_tokens``, ``completion_tokens``, ``cached_tokens``, ``reasoning_tokens`` (each
        ``None`` if nobody said), ``milliseconds``, ``first_milliseconds`` (until a stream's first content),
        ``status`` (HTTP), ``outcome`` (``"ok"``, ``"closed"`` for a stream left early, ``"cancelled"``, or the
        error's class) and ``on_quota``.

    Raises:
        QwenStoreError: The ledger cannot be read.
        QwenError: ``days`` is no number above 0, or ``account`` no label.

    Example:
        >>> pandas.DataFrame(qwen_portal.usage(days=30)).groupby("model")["completion_tokens"].sum()
    """
    from qwen_portal.storage.index import check_label
    from qwen_portal.storage.usage_ledger import UsageLedger, days_ago
    from qwen_portal.storage.write_behind import flush

    since, label = days_ago(days), None if account is None else check_label(account)
    flush()
    return [row._asdict() for row in UsageLedger(Session().settings.home).rows(since, label)]


def close() -> None:
    """Stop background work, close the connections of all threads, forget what is cached; again it does nothing."""
    from qwen_portal.http.open_responses import stop_closing
    from qwen_portal.http.pools import close_sync_pool
    from qwen_portal.storage.write_behind import flush

    flush()
    stop_closing()
    close_sync_pool()
    forget()


async def aclose() -> None:
    """Close the running event loop's connections too; calling it again does nothing."""
    from qwen_portal.http.pools import close_async_pool
    from qwen_portal.storage.write_behind import flush

    await close_async_pool()
    # it waits for a disk
    await asyncio.to_thread(flush)
    close()


def openai_client(account: str | None = None, **kw: Any) -> "openai.OpenAI":
    """Make OpenAI's own client for an account: its bearer on each request, its host, and the cap on ``max_tokens``.

    It never changes account, so a spent quota is its ``openai.RateLimitError``. Answers are read by OpenAI's SDK: it
    takes a stream that is cut off for one that ended, which :class:`PortalClient` does not. What it sends is not
    counted by ``qwen-portal usage``.

    Args:
        account: Account label; the environment's key or the active account if not given.
        kw: What ``openai.OpenAI`` takes, such as ``timeout`` (seconds; QWEN_PORTAL_TIMEOUT if not given) and
            ``max_retries``.

    Raises:
        QwenError: The extra ``openai`` is missing, there is no such account, or an argument would lead the account's
            requests somewhere else. Later, from within a call: what keeps its request from being sent.

    Example:
        >>> client = qwen_portal.openai_client()
        >>> client.chat.completions.create(model="coder-model", messages=[{"role": "user", "content": "Hello"}])
    """
    from qwen_portal.openai_sdk import open_client

    return open_client(account, kw)


def async_openai_client(account: str | None = None, **kw: Any) -> "openai.AsyncOpenAI":
    """Make OpenAI's async client for an account; like OpenAI's own, it belongs to one event loop.

    Args:
        account: As for :func:`openai_client`.
        kw: What ``openai.AsyncOpenAI`` takes.

    Raises:
        QwenError: As for :func:`openai_client`.
    """
    from qwen_portal.openai_sdk import open_async_client

    return open_async_client(account, kw)
