"""A service's own list of models: the request, the answer however odd, the errors."""

import contextlib
import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_portal.auth import PortalAuth
from qwen_portal.errors import (
    QwenAPIError,
    QwenAuthenticationError,
    QwenConnectionError,
    QwenModelNotFoundError,
    QwenPlanNotForProgramsError,
)
from qwen_portal.http.model_list import list_models
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.any_json import TRIED
from tests.scripted import Handler, answering

KEY = "sk-" + "k" * 32
ESCAPE = "\x1b[2Jqwen\u202eodd"


def listed(plan: str = "studio") -> list[str]:
    """Ask for the list with a key of that plan."""
    credential = Credential.from_key(Secret(KEY), plan=plan)
    session = Session()
    account = session.accounts.signed_in("it", credential)
    auth = PortalAuth("it", session=session, ready=(account, credential))
    return list_models(account, credential, session.settings, auth, timeout=30.0)


def saying(body: Any, status: int = 200) -> Handler:
    """Answer everything with this JSON."""
    return lambda request: httpx.Response(status, json=body)


def test_the_list_is_asked_for_at_the_plans_address_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GET without a body, with the headers of every request of a key."""
    with answering(saying({"object": "list", "data": [{"id": "qwen3.7-plus"}]}), monkeypatch) as asked:
        assert listed("studio:llm-1@us-east-1") == ["qwen3.7-plus"]
    (request,) = asked
    assert request.method == "GET"
    assert str(request.url) == "https://llm-1.us-east-1.maas.aliyuncs.com/compatible-mode/v1/models"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["user-agent"].startswith("qwen-portal/")
    assert request.content == b""


def test_what_is_no_id_is_left_out_and_the_rest_can_be_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, in the service's order; no control character reaches a terminal."""
    data = [
        {"id": "b"},
        {"id": "a"},
        {"id": "b"},
        {"id": 3},
        {"id": ""},
        {},
        "c",
        None,
        {"id": ESCAPE},
        {"id": "x" * 999},
    ]
    with answering(saying({"data": data}), monkeypatch):
        first, second, odd, long = listed()
    assert (first, second) == ("b", "a")
    assert odd.isprintable()
    assert "\u202e" not in odd
    assert len(long) == 120


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (
            {"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}},
            401,
            QwenAuthenticationError,
        ),
        ({"error": "Coding Plan is currently only available for Coding Agents"}, 405, QwenPlanNotForProgramsError),
        ({"error": {"message": "Not found", "code": "model_not_found"}}, 404, QwenModelNotFoundError),
        ({"choices": []}, 200, QwenAPIError),
        ([], 200, QwenAPIError),
    ],
)
def test_what_is_no_list_is_the_error_that_it_would_be_of_a_chat(
    body: Any, status: int, error: type[QwenAPIError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused key is explained, and a plan for other clients names those for programs."""
    with answering(saying(body, status), monkeypatch), pytest.raises(error) as caught:
        listed()
    assert KEY not in str(caught.value)


def test_a_host_that_cannot_be_reached_is_a_connection_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the repeats that every request gets."""

    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there", request=request)

    monkeypatch.setattr("qwen_portal.http.retry._FIRST", 0.0)
    with answering(down, monkeypatch) as asked, pytest.raises(QwenConnectionError):
        listed()
    assert len(asked) == 3


@settings(TRIED, max_examples=150)
@given(
    body=st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["data", "id", "error"]), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_any_json_is_a_list_or_an_error_of_ours(body: Any) -> None:
    """Whatever a service sends in place of a list, nothing else comes out."""
    with (
        pytest.MonkeyPatch.context() as patch,
        answering(lambda request: httpx.Response(200, content=json.dumps(body).encode()), patch),
    ):
        patch.setattr("qwen_portal.http.retry._FIRST", 0.0)
        with contextlib.suppress(QwenAPIError):
            assert all(name.isprintable() for name in listed())
