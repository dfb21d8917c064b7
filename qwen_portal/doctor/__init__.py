"""A check of what stands between this machine and an answer: each thing that can be wrong is looked at once.

A finding is safe to paste into a bug report: no secret, no label, no name of the user's folder.
"""

from collections.abc import Callable, Iterator
from functools import partial

from qwen_portal.doctor import accounts, machine, service
from qwen_portal.doctor.finding import Finding, State, failed, without_home, without_labels
from qwen_portal.session import Session

__all__ = ["Finding", "State", "examine"]


def examine() -> Iterator[Finding]:
    """Look at everything, one finding after the other; the sign-in host is asked for one device code.

    A check that fails is a finding like any other.

    Example:
        >>> from qwen_portal.doctor import examine
        >>> next(examine()).name
        'versions'
    """
    for name, look in (
        ("versions", machine.versions),
        ("litellm", machine.litellm),
        ("network", machine.network),
        ("./.env", machine.dotenv),
    ):
        yield from _looked(name, look)
    try:
        session = Session()
    except Exception as exc:  # noqa: BLE001 - as below
        yield failed("settings", exc)
        return
    yield Finding("settings", "ok", f"read; store {without_home(session.settings.store)}")
    for finding in _kept_and_asked(session):
        yield without_labels(session, finding)


def _kept_and_asked(session: Session) -> Iterator[Finding]:
    yield from _looked("folder", partial(accounts.folder, session))
    kept = list(_looked("store", partial(accounts.store, session)))
    yield from kept
    if all(finding.state != "fail" for finding in kept):
        yield from _looked("accounts", partial(accounts.accounts, session))
    yield from _looked("damaged files", partial(accounts.damaged_files, session))
    yield from _looked("usage ledger", partial(accounts.ledger, session))
    yield from _looked("other programs", partial(service.elsewhere, session))
    yield from _looked("sign-in host", partial(service.sign_in_host, session))


def _looked(name: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield what a check finds, and what kept it from looking on."""
    try:
        yield from look()
    except Exception as exc:  # noqa: BLE001 - whatever is wrong here is what a diagnosis is for
        yield failed(name, exc)
