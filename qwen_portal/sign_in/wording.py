"""Texts that all displays of a sign-in share: warnings, where an account is kept, a server's words made harmless."""

from qwen_portal.secrets import printable
from qwen_portal.sign_in.device_flow import LoginEvent

SERVICE_NOTE = (
    "Since 2026-04-16 Qwen's free tier lets you sign in but refuses every chat. "
    "API keys work: `qwen-portal login --plan studio-intl`"
)
PHISHING_NOTE = (
    "Continue only if you started this sign-in yourself; if a site or a person gave you the code, press Ctrl-C."
)
INSECURE_NOTE = (
    "Warning: the sign-in is kept in a plain file that only your user can read; it is not encrypted.",
    "Programs that run as you can read it. A keyring is safer: QWEN_PORTAL_STORE=keyring",
)


_TRIALS = {
    "works": "Its service takes the key.",
    "refused": "Its service refused the key, which is kept all the same:",
    "unknown": "The key could not be tried, and is kept all the same:",
    "unchecked": "The key was not tried.",
}


def ready(event: LoginEvent) -> str:
    """Say that an account is ready, and what is known of its key."""
    said = f"Account {clean(event.account)!r} is ready, kept in {place(event.store)}."
    return " ".join(filter(None, (said, _TRIALS.get(event.trial), clean(event.message))))


def place(store: str) -> str:
    """Say where a sign-in is kept."""
    kind, _, where = clean(store).partition(":")
    names = {"keyring": "the keyring", "file": "a file", "memory": "this process's memory, until it ends"}
    return f"the file {where}" if kind == "file" and where else names.get(kind, kind)


def warnings(store: str) -> tuple[str, ...]:
    """Return what a person should know of that place."""
    return INSECURE_NOTE if store.partition(":")[0] == "file" else ()


def minutes(seconds: float) -> str:
    """Say how long a code is good for."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"  # noqa: PLR2004 - two minutes


def clean(text: str) -> str:
    """Make a server's text harmless."""
    # The core has cleaned it already; whoever calls a display with events of their own may not have.
    return printable(text, limit=2000)
