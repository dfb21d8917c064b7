"""The page on which a person approves or denies a sign-in."""

from html import escape

from starlette.responses import HTMLResponse, Response

from qwen_portal.emulator.ledger import DeviceCode
from qwen_portal.emulator.state import LogEntry, State

# Of a program's name, in characters.
_LONGEST = 120

_FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Qwen sign-in (emulator)</title>
<style>body{{font:16px system-ui;max-width:32rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}}
code{{font-size:1.4rem}}button{{font-size:1rem;padding:.6rem 1.2rem}}</style></head>
<body><h1>Qwen sign-in <small>(emulator)</small></h1>{content}</body></html>
"""

_FORM = """<p><b>{program}</b> asks to use your account.</p>
<p>Approve if you started this yourself and your terminal or notebook shows this code:</p>
<p><code>{user_code}</code></p>
<form method="post" action="/authorize"><input type="hidden" name="user_code" value="{user_code}">
<input type="hidden" name="client" value="{client}">
<button name="decision" value="approve">Approve</button> <button name="decision" value="deny">Deny</button></form>"""


def show(state: State, query: dict[str, str]) -> Response:
    """GET /authorize?user_code=…&client=…: the two buttons."""
    user_code, client = query.get("user_code", ""), query.get("client", "")
    if not user_code or not client:
        # The service's own words when the URL was cut at the "&".
        return _page("<p>user_code or client is null</p>", 400)
    code = _undecided(state, user_code)
    if code is None:
        return _page("<p>This code is unknown, has expired or was decided already.</p>", 404)
    # the client's name is in the address, which anybody can write; the program named itself when it asked
    named = _visible(code.program) or "A program without a name"
    return _page(_FORM.format(program=escape(named), user_code=escape(user_code), client=escape(client)))


def decide(state: State, entry: LogEntry) -> Response:
    """POST /authorize with user_code, client and decision ("approve" or "deny")."""
    form = entry.body if isinstance(entry.body, dict) else {}
    if not form.get("user_code") or not form.get("client"):
        return _page("<p>user_code or client is null</p>", 400)
    code = _undecided(state, form["user_code"])
    if code is None:
        return _page("<p>This code is unknown, has expired or was decided already.</p>", 404)
    if form.get("decision") not in {"approve", "deny"}:
        return _page("<p>decision must be approve or deny</p>", 400)
    code.decision = "approved" if form["decision"] == "approve" else "denied"
    return _page(f"<p>{code.decision.capitalize()}. You can close this page.</p>")


def _visible(text: str) -> str:
    """Leave out what is not seen, or turns the direction of writing."""
    return "".join(char for char in text if char.isprintable())[:_LONGEST]


def _undecided(state: State, user_code: str) -> DeviceCode | None:
    code = state.ledger.by_user_code(user_code)
    if code is None or code.decision != "pending" or code.expires_at <= state.clock.now():
        return None
    return code


def _page(content: str, status: int = 200) -> Response:
    return HTMLResponse(_FRAME.format(content=content), status)
