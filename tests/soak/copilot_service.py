"""GitHub's address for Copilot's tokens, as LiteLLM's authenticator asks it: a long-lived token buys short ones."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from qwen_portal.emulator.scenarios import Place
from qwen_portal.emulator.state import State
from tests.soak.faults import REFRESHES
from tests.soak.workload import COPILOT_PATH


def with_copilot(app: ASGIApp, state: State, note: Callable[[int], None]) -> ASGIApp:
    """Answer that address too; a grant's refresh token stands for GitHub's, and is not spent.

    Args:
        app: Answers the other addresses.
        state: Where the tokens are kept; the faults of a refresh strike here as well.
        note: Told each status.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != COPILOT_PATH:
            await app(scope, receive, send)
            return
        with state.lock:
            response = _token(state, Request(scope).headers.get("authorization", ""))
        note(response.status_code)
        await response(scope, receive, send)

    return answer


def _token(state: State, authorization: str) -> Response:
    if any(state.scenarios.hits(name, Place.REFRESH) for name in REFRESHES):
        return PlainTextResponse("upstream connect error", 503)
    known = state.ledger.refresh_tokens.get(authorization.removeprefix("token "))
    if known is None:
        return JSONResponse({"message": "Bad credentials"}, 401)
    expires_at = state.clock.now() + state.settings.access_life
    token = state.ledger.new_access_token(known.grant, expires_at, refreshed=True)
    body: dict[str, Any] = {"token": token.value, "expires_at": int(expires_at)}
    return JSONResponse(body)
