"""What becomes of a request and of its answer before they are written down."""

import gzip
import json
from typing import Any

import pytest
from vcr.request import Request  # type: ignore[import-untyped]

from tests.cassettes.scrubbing import Scrubber

HOST = "http://127.0.0.1:41234"
TOKENS = {"access_token": "at+1/x==", "refresh_token": 'rt"2', "expires_in": 3600, "resource_url": f"{HOST}/v1"}


def answer(body: Any, **headers: str) -> dict[str, Any]:
    """Make an answer as vcrpy hands it over."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return {"status": {"code": 200, "message": "OK"}, "headers": named, "body": {"string": content}}


def body(scrubbed: dict[str, Any]) -> str:
    """Return what is written of an answer's body."""
    return str(scrubbed["body"]["string"].decode())


def request(text: str, path: str = "/api/v1/oauth2/token", **headers: str) -> Request:
    """Make a request as vcrpy hands it over."""
    return Request("POST", f"{HOST}{path}", text, headers)


def test_tokens_of_an_answer_become_placeholders() -> None:
    """Access and refresh token go, the rest of the answer stays as it was."""
    written = body(Scrubber().answer(answer(TOKENS)))
    assert json.loads(written) == {
        "access_token": "access-token-1",
        "refresh_token": "refresh-token-1",
        "expires_in": 3600,
        "resource_url": "https://portal.qwen.ai/v1",
    }


def test_form_carries_the_placeholder_of_the_answer_before_it() -> None:
    """The same token has the same placeholder, also where a form spells it with percent signs."""
    scrubber = Scrubber()
    scrubber.answer(answer(TOKENS))
    sent = scrubber.request(request("grant_type=refresh_token&refresh_token=rt%222"))
    assert sent.body == b"grant_type=refresh_token&refresh_token=refresh-token-1"


def test_next_tokens_get_the_next_numbers() -> None:
    """Rotation can be seen in the cassette."""
    scrubber = Scrubber()
    scrubber.answer(answer({"access_token": "at-one", "refresh_token": "rt-one"}))
    assert json.loads(body(scrubber.answer(answer({"access_token": "at-two", "refresh_token": "rt-two"})))) == {
        "access_token": "access-token-2",
        "refresh_token": "refresh-token-2",
    }
    assert scrubber.secrets == {"at-one", "rt-one", "at-two", "rt-two"}


def test_token_from_nowhere_is_number_zero() -> None:
    """A replayed request with a token that no answer gave does not match one that was given."""
    assert Scrubber().request(request("refresh_token=unheard-of")).body == b"refresh_token=refresh-token-0"


def test_secret_is_masked_wherever_it_stands() -> None:
    """The user code goes from the address that repeats it, the bearer from an error that quotes it."""
    scrubber = Scrubber()
    codes = {"user_code": "AB_12345", "page": f"{HOST}/authorize?user_code=AB_12345"}
    assert body(scrubber.answer(answer(codes))) == json.dumps(
        {"user_code": "user-code-1", "page": "https://chat.qwen.ai/authorize?user_code=user-code-1"}
    )
    scrubber.request(request("{}", "/v1/chat/completions", authorization="Bearer abc123"))
    assert body(scrubber.answer(answer({"error": "abc123 is dead"}))) == '{"error": "access-token-0 is dead"}'


def test_secret_in_an_address_is_masked() -> None:
    """A query is scrubbed as a form is."""
    assert Scrubber().request(request("", "/v1?api_key=k123")).uri == "https://portal.qwen.ai/v1?api_key=api-key-0"


def test_only_a_few_headers_are_kept() -> None:
    """Authorization, cookies and all that names a machine are not."""
    sent = Scrubber().request(request("", Authorization="Bearer x", Cookie="c", Accept="a", Host="h"))
    assert dict(sent.headers) == {"Accept": "a"}
    got = Scrubber().answer(answer({}, Set_Cookie="c", Content_Type="application/json", Server="s"))
    assert got["headers"] == {"content-type": ["application/json"]}


def test_packed_answer_is_unpacked_and_scrubbed() -> None:
    """A token does not hide in a compressed body."""
    packed = gzip.compress(b'{"access_token": "hidden"}')
    written = Scrubber().answer(answer(packed, content_encoding="gzip"))
    assert body(written) == '{"access_token": "access-token-1"}'
    assert written["headers"] == {}


def test_answer_that_is_no_text_is_not_recorded() -> None:
    """What nobody can look through is an error, not a recording."""
    with pytest.raises(UnicodeDecodeError):
        Scrubber().answer(answer(b"\xff\xfe\x00"))


def test_unknown_tokens_go_by_their_shape() -> None:
    """Keys, bearers, JWTs and long opaque words go; pictures and ids stay."""
    harmless = "data:image/png;base64," + "A" * 60
    text = f"Bearer {'b' * 24} sk-{'c' * 20} eyJ{'d' * 10}.e.f {'g' * 43} {harmless}"
    assert body(Scrubber().answer(answer(text.encode()))) == f"scrubbed scrubbed scrubbed scrubbed {harmless}"


def test_what_differs_between_two_recordings_is_evened_out() -> None:
    """Ids are numbered as they come, and every answer was made on the same day."""
    ids = [f"{number:08x}-aaaa-4bbb-8ccc-dddddddddddd" for number in (7, 8)]
    scrubber = Scrubber()
    texts = [f'{{"id":"chatcmpl-{each}","created":{time}}}' for time, each in enumerate([*ids, ids[0]])]
    assert [body(scrubber.answer(answer(text.encode(), x_request_id=ids[1]))) for text in texts] == [
        f'{{"id":"chatcmpl-00000000-0000-4000-8000-00000000000{number}","created":1700000000}}' for number in (1, 2, 1)
    ]
