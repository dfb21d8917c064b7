"""A proxy without a key serves programs on this machine, and no web page of another site."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from qwen_portal.cli.proxy_guard import ThisMachineOnly


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer whatever is asked."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"4"})
    else:
        await send({"type": f"{scope['type']} served"})


def ask(url: str, origins: Sequence[str] = (), **headers: str) -> httpx.Response:
    """Ask the guarded application."""

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(app=ThisMachineOnly(application, origins))
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.post(url, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return asyncio.run(post())


@pytest.mark.parametrize("url", ["http://127.0.0.1:4000", "http://localhost:4000", "http://[::1]:4000"])
def test_programs_are_served(url: str) -> None:
    """They ask by one of this machine's names, and as nobody's page."""
    assert ask(url).status_code == 200


@pytest.mark.parametrize("url", ["http://evil.example:4000", "http://127.0.0.1.evil.example:4000", "http://[x]:4000"])
def test_a_name_that_somebody_pointed_here_is_refused(url: str) -> None:
    """A page whose name leads here (DNS rebinding) would be of one origin with the answers."""
    assert ask("http://127.0.0.1:4000", host=url.removeprefix("http://")).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://evil.example", "content_type": "application/json"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://localhost:3000", "content_type": "text/plain"},
        {"origin": "http://localhost:3000", "content_type": "application/x-www-form-urlencoded; x=application/json"},
        {"origin": "http://127.0.0.1:8888", "content_type": "text/plain;charset=UTF-8"},
    ],
)
def test_a_page_of_another_site_is_refused(headers: dict[str, str]) -> None:
    """Even where it could not read the answer, it would be at the account's cost; the text says what to set."""
    answer = ask("http://127.0.0.1:4000", (), **headers)
    assert answer.status_code == 403
    assert "LITELLM_MASTER_KEY" in answer.json()["error"]["message"]


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:4001"])
def test_what_a_browser_asks_about_first_is_served(origin: str) -> None:
    """A page of this machine cannot send it, because its browser hears no; a program that names an origin can."""
    assert (
        ask("http://127.0.0.1:4000", origin=origin, content_type="application/json; charset=utf-8").status_code == 200
    )
    here = "http://127.0.0.1:4000"
    assert ask(here, origin=origin, content_type="application/json; charset=utf-8").status_code == 200
    assert ask(here, origin=origin, access_control_request_method="POST").status_code == 403


@pytest.mark.parametrize("origin", ["http://127.0.0.1:4000", "http://localhost:3000", "https://mine.example"])
def test_the_proxys_own_pages_and_those_that_the_user_named_are_served(origin: str) -> None:
    """LITELLM_CORS_ORIGINS has the others."""
    mine = ["https://mine.example", "http://localhost:3000"]
    assert ask("http://127.0.0.1:4000", mine, origin=origin, sec_fetch_site="cross-site").status_code == 200
    assert ask("http://127.0.0.1:4000", ["*"], origin="https://any.example").status_code == 200


@pytest.mark.parametrize(
    ("kind", "headers", "sent"),
    [
        ("websocket", [(b"host", b"evil.example")], ["websocket.close"]),
        ("websocket", [(b"host", b"localhost:4000")], ["websocket served"]),
        ("websocket", [(b"host", b"localhost:4000"), (b"origin", b"http://localhost:3000")], ["websocket.close"]),
        ("lifespan", None, ["lifespan served"]),
    ],
)
def test_a_websocket_is_guarded_too_and_the_start_is_not(kind: str, headers: Any, sent: list[str]) -> None:
    """Whatever kind of connection a page opens; the server's own messages pass."""
    seen: list[str] = []

    async def note(message: Any) -> None:
        seen.append(message["type"])

    async def nothing() -> Any:
        return {}

    scope = {"type": kind} | ({} if headers is None else {"headers": headers})
    asyncio.run(ThisMachineOnly(application)(scope, nothing, note))
    assert seen == sent
