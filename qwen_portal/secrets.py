"""Secrets that do not show themselves, text from servers made safe to print, and exceptions safe to look into."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

# Compiled when first used: nothing that lists accounts prints a server's text. Such a text may be made to take long, so
# each pattern looks at a character a fixed number of times: what one of its parts takes, the next does not begin with.

# Controls, halves of characters, and what is not seen or turns the direction of writing.
_CONTROL = (
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]+"
)
_BEARER_OR_KEY = r"(?i)\b(bearer\s+)\S+|\bsk-[\w-]{8,}"
# What an address must not carry into a message: https://user:password@host, ?api_key=value.
_USER_INFO = r"(?<=://)[^/?#\s'\"]*@"
_NAMES = "key|token|secret|passw|auth|signature|credential"
_SECRET_IN_QUERY = rf"(?i)([?&;](?=[^?&;=\s'\"]*?(?:{_NAMES}))[^?&;=\s'\"]*+=)[^&#\s'\"]+"
_ANSI = r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])"
# How a secret may be written: with blanks in it, or its characters as addresses, JSON and Python escape them.
_DISGUISE = rf"{_ANSI}|{_CONTROL}|\s+|(?:%(?:25)*|\\u00|\\x)([0-9a-fA-F]{{2}})"
# What belongs to a token, as it came or encoded for an address.
_WORD = r"[\w.~+/=%-]*"
# Of a long secret so much betrays it, in characters.
_LONG, _BEGINNING = 24, 12
MASK = "****"
_OURS = __name__.partition(".")[0]
# Of a server's text, in characters; far more than is ever shown.
_LOOKED_AT = 64 * 1024


class Secret:
    """A string that only shows itself when asked: ``reveal()``.

    It compares by value, is never truthy when empty, and refuses to be pickled, because a pickle is a file
    that somebody keeps.

    Example:
        >>> str(Secret("hunter2"))
        '****'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def wrapped(cls, value: "str | Secret | None") -> "Secret | None":
        """Wrap what a caller gave, if anything: what is no string, too, so that the error about it does not show it."""
        return value if value is None or isinstance(value, Secret) else cls(value)

    def reveal(self) -> str:
        """Return the secret itself; call it inside the expression that needs it, never into a local."""
        return self._value

    def fingerprint(self) -> str:
        """Return 12 hex digits that identify the secret without telling it."""
        import hashlib

        return hashlib.sha256(self._value.encode()).hexdigest()[:12]

    def __bool__(self) -> bool:
        """Tell whether there is a value at all."""
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        """Hash by value."""
        return hash(self._value)

    def __repr__(self) -> str:
        """Show the mask only."""
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        """Show the mask only."""
        return MASK

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        msg = "a Secret cannot be pickled; pickle the account's label and read the store again"
        raise TypeError(msg)


def printable(text: str, *, limit: int = 300, secrets: Iterable[Secret] = ()) -> str:
    """Make a server's text safe for a terminal, a log and an error message.

    Escape sequences, control and direction-changing characters go, secrets are masked (:func:`masked`), it is cut.

    Args:
        text: What the server sent.
        limit: Characters kept at most.
        secrets: Values that must not appear, whatever they look like.
    """
    known = list(dict.fromkeys(secret for secret in secrets if secret))
    # as it came, or what is cut off might be half of one; and again, for what is written otherwise
    text = _replaced(known, text)[:_LOOKED_AT]
    text = " ".join(re.sub(_CONTROL, " ", re.sub(_ANSI, "", text)).split())
    text = masked(text, secrets=known)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def reason(exc: Exception, *, secrets: Iterable[Secret] = ()) -> str:
    """Return the words of another library's error, safe to show: it may quote a server, which may quote us.

    Args:
        exc: What was raised.
        secrets: Values that must not appear, whatever they look like.
    """
    return printable(str(exc), limit=120, secrets=secrets) or type(exc).__name__


def masked(text: str, *, secrets: Iterable[Secret] = ()) -> str:
    """Mask what is secret in a text, and leave the rest of it as it is.

    Known secrets, what is shaped like a bearer or a key, and the credentials in an address are masked: a secret also
    with blanks or invisible characters in it, percent-encoded, or without its end.

    Args:
        text: Anybody's text.
        secrets: Values that must not appear, whatever they look like.
    """
    known = list(dict.fromkeys(secret for secret in secrets if secret))
    text = _replaced(known, text)
    for secret in known:
        text = _undisguised(secret, text)
    text = re.sub(_USER_INFO, f"{MASK}@", text)
    text = re.sub(_SECRET_IN_QUERY, rf"\1{MASK}", text)
    return re.sub(_BEARER_OR_KEY, lambda match: f"{match[1] or ''}{MASK}", text)


def _replaced(secrets: Iterable[Secret], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret.reveal(), MASK)
    return text


def _undisguised(secret: Secret, text: str) -> str:
    """Mask a secret that is written otherwise than it was sent, and every token with its long beginning."""
    beginning = _beginning(secret)
    if beginning not in re.sub(_DISGUISE, _meant, text):
        return text
    parts = [part for part in re.finditer(rf"{_DISGUISE}|(?P<plain>[\s\S])", text) if _meant(part)]
    bare = "".join(map(_meant, parts))
    kept, done, at = [], 0, bare.find(beginning)
    while at >= 0:
        alike = len(os.path.commonprefix([bare[at : at + len(secret.reveal())], secret.reveal()]))  # noqa: RUF071 - no paths
        if parts[at].start() >= done:
            kept.append(text[done : parts[at].start()])
            done = parts[at + alike - 1].end()
            done = _end_of_token(text, done)
        at = bare.find(beginning, at + alike)
    return MASK.join([*kept, text[done:]])


def _end_of_token(text: str, start: int) -> int:
    rest = re.compile(_WORD).match(text, start)
    return start if rest is None else rest.end()


def _beginning(secret: Secret) -> str:
    return secret.reveal() if len(secret.reveal()) < _LONG else secret.reveal()[:_BEGINNING]


def _meant(part: re.Match[str]) -> str:
    """Return the character that is meant, ``""`` for none."""
    if part[1] is None:
        return part.groupdict().get("plain") or ""
    meant = chr(int(part[1], 16))
    return meant if meant.isprintable() and meant != " " else ""


@contextmanager
def frames_emptied() -> Iterator[None]:
    """Empty the frames of whatever leaves the block, Ctrl-C and the exceptions of signal handlers included.

    Debuggers and error reporters show a frame's variables. What was being handled before the block is left alone, and
    so are our own frames, which keep secrets wrapped.
    """
    outer = sys.exception()
    try:
        yield
    except BaseException as exc:
        link: BaseException | None = exc
        while link is not None and link is not outer:
            _empty(link)
            link = link.__cause__ or link.__context__
        raise


def _empty(exc: BaseException) -> None:
    from traceback import walk_tb

    for frame, _ in walk_tb(exc.__traceback__):
        if str(frame.f_globals.get("__name__")).partition(".")[0] != _OURS:
            # it may still run
            with suppress(RuntimeError):
                frame.clear()
