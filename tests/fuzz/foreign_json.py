"""Fuzz target: JSON that others wrote: sign-in files, token answers, the qwen command's output, what stores hold.

The first byte chooses the reader.
"""

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import httpx

from qwen_portal.account.damaged import mark_damaged
from qwen_portal.account.registry import Accounts
from qwen_portal.answers.completions import whole_answer
from qwen_portal.answers.fields import UnreadableError
from qwen_portal.errors import QwenError
from qwen_portal.oauth.responses import token_response
from qwen_portal.quota.qwen_cli import _completion, chunks
from qwen_portal.secrets import Secret
from qwen_portal.sign_in.foreign_files import read_sign_ins
from qwen_portal.sign_in.importing import moves
from qwen_portal.storage.credential import Credential
from qwen_portal.untrusted_json import json_object, moment, token
from tests.canaries import ACCESS, REFRESH, assert_none_in
from tests.screens import assert_shows_itself

WORDS = (
    *(
        '{"access_token": "',
        '"refresh_token": "',
        '"expiry_date": 1',
        '"expires_in": 1',
        '"resource_url": "',
        '"label"',
    ),
    *(
        '"accounts": [{',
        '"token": {',
        '"activeAccountId"',
        '"exhaustedUntil"',
        '"id"',
        '"endpoint"',
        '"type": "result"',
    ),
    *(
        '"result": "',
        '"is_error": true',
        '"usage": {',
        '"input_tokens": 1',
        '"error": {',
        '"message"',
        '"type": "system"',
    ),
    *('"model"', '"v": 1', '"kind": "oauth"', '"plan"', '"generation"', '"choices": [{', '"message": {', '"content"'),
    *("null", "true", "1e999", "-1", "NaN", "\\ud800", "\ufeff", "9" * 400, "[[[[", "{{", ACCESS, REFRESH),
)
_PAIR = {"access_token": ACCESS, "refresh_token": REFRESH}
_ANSWER = {"choices": [{"message": {"content": "4"}, "finish_reason": "stop"}], "usage": {"total_tokens": 3}}
_RECORDS = [
    _PAIR | {"expiry_date": 1_700_000_000_000, "resource_url": "portal.qwen.ai", "token_type": "Bearer", "other": [1]},
    {"accounts": [{"id": "a", "label": "b", "token": _PAIR, "exhaustedUntil": 1e12}, {}], "activeAccountId": "a"},
    _PAIR | {"expires_in": 21600, "resource_url": "portal.qwen.ai"},
    [{"type": "system", "model": "qwen"}, {"type": "result", "result": "4", "usage": {"output_tokens": 1}}],
    _PAIR
    | {"v": 1, "kind": "oauth", "plan": "oauth", "issued_at": 1.5, "expires_at": 2.5, "generation": 3, "later": {}},
    {"version": 2, "active": "a", "accounts": {"a": {"kind": "oauth", "plan": "oauth", "store": "file"}}, "slots": {}},
    _ANSWER,
]


def check(data: bytes) -> None:
    """Read a text: what comes of it is usable, or an error of the package."""
    _READERS[data[0] % len(_READERS) if data else 0](data[1:])


def _sign_in_file(content: bytes) -> None:
    path = _place("oauth_creds.json", content)
    try:
        found = read_sign_ins(path)
    except QwenError as exc:
        assert_none_in(exc, [ACCESS, REFRESH])
        return
    assert found.logins
    json.dumps(found.rest)
    for login in found.logins:
        _usable(login.credential)
        assert login.exhausted_until is None or login.exhausted_until > 0
    for planned in moves(Accounts(_FOLDER / "empty", "memory"), found):
        assert_shows_itself(planned.label)


def _token_answer(content: bytes) -> None:
    request = httpx.Request("POST", "https://chat.qwen.ai/api/v1/oauth2/token")
    found = token_response(httpx.Response(200, content=content, request=request))
    if found is not None:
        _usable(Credential.from_sign_in(found, plan="oauth"))
        assert_shows_itself(found.resource_url or "")


def _printed_by_the_command(content: bytes) -> None:
    try:
        answer = _completion(content, 0)
    except QwenError as exc:
        assert_shows_itself(str(exc))
        return
    assert answer["choices"][0]["message"]["content"]
    json.dumps(list(chunks(answer)), ensure_ascii=False).encode()


def _kept_credential(content: bytes) -> None:
    try:
        credential = Credential.from_json(Secret(content.decode("utf-8", "replace")))
    except (QwenError, ValueError):
        # stores make errors of their own of the second
        return
    _usable(credential)


def _index(content: bytes) -> None:
    _place("accounts.json", content)
    with suppress(QwenError):
        accounts = Accounts(_FOLDER, "file")
        for account in mark_damaged(accounts, accounts.list()):
            account.cool_down("coder-model")


def _whole_answer(content: bytes) -> None:
    body = json_object(content.decode("utf-8", "replace"))
    for value in (body or {}).values():
        token(value)
        moment(value)
    with suppress(UnreadableError):
        json.dumps(whole_answer(body or {}), ensure_ascii=False).encode()


def _usable(credential: Credential) -> None:
    """Fail if a credential cannot be sent, kept or judged."""
    bearer = credential.access_token.reveal()
    assert not set(" \r\n\t") & set(bearer)
    httpx.Headers({"Authorization": f"Bearer {bearer}"})
    credential.state()
    credential.seconds_until_stale()
    again = Credential.from_json(Secret(credential.to_json()))
    assert again.to_json() == credential.to_json()


# One for all inputs; it goes away with this object.
_HELD = tempfile.TemporaryDirectory(prefix="qwen-portal-fuzz-")
_FOLDER = Path(_HELD.name)


def _place(name: str, content: bytes) -> Path:
    path = _FOLDER / name
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)
    return path


_READERS = (
    _sign_in_file,
    _sign_in_file,
    _token_answer,
    _printed_by_the_command,
    _kept_credential,
    _index,
    _whole_answer,
)
SEEDS = [bytes([place]) + json.dumps(record).encode() for place, record in enumerate(_RECORDS)]
