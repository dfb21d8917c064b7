"""A client of the emulator that shares nothing with the project's own: plain HTTP calls, spelled out."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from qwen_portal.emulator import Emulator

CLIENT_ID = "f0304373b74a44d2b584a3fb70ca9e56"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()

Json = dict[str, Any]


class Person:
    """Somebody with an HTTP client in front of one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        # No certificates are needed on loopback, and loading them costs more than a test.
        self.http = httpx.Client(base_url=emulator.url, trust_env=False, verify=False, timeout=60)  # noqa: S501
        self.bearer = ""

    def device(self, host: str | None = None, **changes: str) -> httpx.Response:
        """Ask for a device code."""
        form = {
            "client_id": CLIENT_ID,
            "scope": "openid profile email model.completion",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        } | changes
        return self.http.post("/api/v1/oauth2/device/code", data=form, headers={"host": host} if host else None)

    def poll(self, code: str, host: str | None = None, **changes: str) -> httpx.Response:
        """Poll once."""
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "client_id": CLIENT_ID,
            "device_code": code,
            "code_verifier": VERIFIER,
        } | changes
        return self.http.post("/api/v1/oauth2/token", data=form, headers={"host": host} if host else None)

    def refresh(self, refresh_token: str, **changes: str) -> httpx.Response:
        """Refresh once."""
        form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": refresh_token} | changes
        return self.http.post("/api/v1/oauth2/token", data=form)

    def sign_in(self) -> Json:
        """Get a code, have it approved, and take the tokens."""
        device_code = self.device().json()["device_code"]
        self.emulator.approve()
        tokens: Json = self.poll(device_code).json()
        self.bearer = tokens["access_token"]
        return tokens

    def chat(self, prompt: str = "Hello", *, path: str = "/v1", key: str | None = None, **body: Any) -> httpx.Response:
        """One chat request."""
        return self.http.post(
            f"{path}/chat/completions",
            headers={"authorization": f"Bearer {key or self.bearer}"},
            json={"model": "coder-model", "messages": [{"role": "user", "content": prompt}]} | body,
        )

    def open_stream(self, prompt: str = "Hello") -> AbstractContextManager[httpx.Response]:
        """A stream that is read piece by piece."""
        body = {"model": "coder-model", "stream": True, "messages": [{"role": "user", "content": prompt}]}
        headers = {"authorization": f"Bearer {self.bearer}"}
        return self.http.stream("POST", "/v1/chat/completions", headers=headers, json=body)

    def say(self, prompt: str, **body: Any) -> str:
        """The text of an answer."""
        text: str = self.message(prompt, **body)["content"]
        return text

    def message(self, prompt: str = "Hello", **body: Any) -> Json:
        """The message of an answer."""
        answer = self.chat(prompt, **body)
        assert answer.status_code == 200, answer.text
        message: Json = answer.json()["choices"][0]["message"]
        return message

    def frames(self, prompt: str = "Hello", **body: Any) -> list[Json]:
        """The frames of a stream, [DONE] left out."""
        return frames_of(self.chat(prompt, stream=True, **body).text)


def frames_of(text: str) -> list[Json]:
    """The JSON frames of a stream's text."""
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.fixture
def person() -> Iterator[Person]:
    """Somebody in front of a fresh emulator, not signed in."""
    with Emulator() as emulator:
        someone = Person(emulator)
        yield someone
        someone.http.close()


@pytest.fixture
def member(person: Person) -> Person:
    """Somebody who has signed in; the log starts after that."""
    person.sign_in()
    person.emulator.clear_log()
    return person
