"""Headers of any kind, as a service may send them: an answer or one of our errors comes of it, nothing else."""

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qwen_portal import PortalClient, QwenError
from tests.any_json import TRIED
from tests.reported import keep_key
from tests.scripted import answering
from tests.ways import HELLO

_PIECES = [
    *("Mon,", "01", "Jan", "2001", "00:00:00", "GMT", "+9999999999999999", "-0000", "99999999999999999999", "1e308"),
    *("-1", "nan", "inf", "0", "7", "gzip", "deflate", "br", "identity", ",", ";q=0", "chunked", "\xe9", "\t", "%00"),
]
values = st.lists(st.sampled_from(_PIECES), max_size=7).map(" ".join) | st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=30
)
names = st.sampled_from(["retry-after", "date", "content-length", "content-encoding", "content-type", "x-request-id"])


@pytest.fixture
def given_answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Response]]:
    """Let the host answer with what stands in the list."""
    keep_key()
    answers: list[httpx.Response] = []
    with answering(lambda request: answers.pop(), monkeypatch):
        yield answers


def test_headers_of_any_kind_are_no_foreign_error(given_answer: list[httpx.Response]) -> None:
    """A date beyond the calendar, a length that is none, an encoding that nobody asked for."""
    client = PortalClient(max_retries=0, on_quota="error")

    @TRIED
    @given(st.sampled_from([200, 400, 401, 403, 429, 503]), st.dictionaries(names, values, max_size=4))
    @example(503, {"retry-after": "Mon, 01 Jan 2001 00:00:00 +9999999999999999"})
    @example(503, {"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"})
    @example(429, {"retry-after": "1e308"})
    def ask(status: int, headers: dict[str, str]) -> None:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        given_answer[:] = [httpx.Response(status, headers=raw, stream=httpx.ByteStream(b'{"error": {"message": "x"}}'))]
        with pytest.raises(QwenError):
            client.chat(HELLO)

    ask()
