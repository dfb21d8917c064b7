"""The search for tokens in cassettes: those that are known, in each spelling, and whatever looks like one."""

import base64
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import yaml  # type: ignore[import-untyped]

from tests.cassettes.scrubbing import KEPT_OF_ANSWER, KEPT_OF_REQUEST, PLACEHOLDER, SECRET_FIELDS, token_shapes


class TokenLeftError(Exception):
    """A recording holds a token."""


def check(folder: Path, secrets: Iterable[str] = ()) -> None:
    """Look through every file of a folder.

    Raises:
        TokenLeftError: It names the files and what is wrong with them, without quoting a token.
    """
    secrets = list(secrets)
    found = [
        f"{path.relative_to(folder)}: {fault}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for fault in sorted(set(_faults(path, secrets)))
    ]
    if found:
        raise TokenLeftError("\n".join(found))


def spellings(secret: str) -> Iterator[str]:
    """Yield how a secret can be written: plain, in an address, in hexadecimal, in base64 at each of three places."""
    raw = secret.encode()
    yield secret
    yield quote(secret, safe="")
    yield raw.hex()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            # Cut to the characters that depend on the secret alone, and not on its neighbours.
            first, last = -(-8 * shift // 6), (8 * (shift + len(raw))) // 6
            yield encode(b"\0" * shift + raw).decode()[first:last]


def _faults(path: Path, secrets: list[str]) -> Iterator[str]:
    text = path.read_bytes().decode()
    # A YAML writer may fold a long line anywhere.
    whole = text + "".join(text.replace("\\\n", "").split())
    if any(spelling in whole for secret in secrets for spelling in spellings(secret)):
        yield "a token that was in use while recording"
    if any(token_shapes(text)):
        yield "something that has the shape of a token"
    if path.suffix == ".yaml":
        yield from _cassette_faults(text)


def _cassette_faults(text: str) -> Iterator[str]:
    if "!!binary" in text:
        yield "a body that is no text"
    for interaction in yaml.safe_load(text)["interactions"]:
        for side, kept in ("request", KEPT_OF_REQUEST), ("response", KEPT_OF_ANSWER):
            if extra := {name.lower() for name in interaction[side]["headers"]} - kept:
                yield f"headers of a {side} that are not kept: {', '.join(sorted(extra))}"
    yield from (
        f"a {field} that is no placeholder" for field, value in _fields(text) if not PLACEHOLDER.fullmatch(value)
    )


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield the value after each mention of a field that holds a secret, in a form or in JSON."""
    fields = "|".join(sorted(SECRET_FIELDS))
    for match in re.finditer(rf"\b({fields})(?:=|\\*\": ?\\*\")([^&\\\"\s]+)", text):
        yield match[1], match[2]
