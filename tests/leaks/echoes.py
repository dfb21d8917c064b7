"""A service that repeats in its answers what it was told in confidence."""

import json
from collections.abc import Callable

from qwen_portal.oauth import TokenResponse
from qwen_portal.secrets import Secret
from qwen_portal.service.plans import OAUTH
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.canaries import ACCESS, REFRESH

# Gives the content type and the body of an answer that repeats a text.
Echo = Callable[[str], tuple[str, bytes]]

ECHOES: dict[str, Echo] = {
    "json": lambda told: ("application/json", json.dumps({"error": told, "error_description": told}).encode()),
    "json of another shape": lambda told: ("application/json", json.dumps([{"note": {told: [told]}}]).encode()),
    "html": lambda told: ("text/html", f"<!doctype html><p>{told}</p>".encode()),
    "a megabyte": lambda told: ("text/plain", f"{told} ".encode() * 40_000),
    "no text": lambda told: ("application/octet-stream", b"\xff\xfe\x00" + told.encode()),
    "events": lambda told: ("text/event-stream", f"data: {json.dumps({'error': told})}\n\n".encode()),
}


def keep_canaries() -> None:
    """Keep a sign-in whose tokens are canaries."""
    tokens = TokenResponse(Secret(ACCESS), Secret(REFRESH), 3600, None)
    Session().accounts.signed_in("default", Credential.from_sign_in(tokens, plan=OAUTH))
