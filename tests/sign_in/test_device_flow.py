"""The sign-in a person goes through: what is shown, what is kept, and what every way out of it leaves behind."""

from pathlib import Path

import httpx
import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import (
    QwenError,
    QwenHostNotAllowedError,
    QwenLoginDeniedError,
    QwenLoginTimeoutError,
    QwenOAuthError,
    QwenStoreError,
)
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import LoginEvent, sign_in
from qwen_portal.sign_in.key_login import add_key
from tests.canaries import ACCESS, KEY, assert_none_in, assert_none_in_error
from tests.scripted import answering


def silent(event: LoginEvent) -> None:
    """Show nothing."""


def test_a_sign_in_shows_the_code_waits_and_keeps_the_tokens(emulator: Emulator) -> None:
    """Events come in order, and none of them holds a secret."""
    events: list[LoginEvent] = []
    pauses: list[float] = []
    account = sign_in(Session(), "work", show=events.append, sleep=pauses.append)
    assert [event.kind for event in events] == ["device_code", "pending", "pending", "success"]
    assert events[0].verification_uri.startswith(f"{emulator.url}/authorize?user_code={events[0].user_code}")
    assert (account.label, account.store, account.active) == ("work", "file", True)
    assert pauses == [2.0, 2.0, 2.0]
    assert_none_in(events, emulator.issued_tokens())
    assert qwen_portal.get_access_token() in emulator.issued_tokens()


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("denied", QwenLoginDeniedError),
        ("expired", QwenLoginTimeoutError),
        ("poll-401", QwenLoginTimeoutError),
        ("error-in-200", QwenOAuthError),
        ("firewall", QwenOAuthError),
        ("empty", QwenOAuthError),
    ],
)
def test_a_failed_sign_in_is_typed_and_leaves_nothing(
    scenario: str, expected: type[QwenError], emulator: Emulator, tmp_path: Path
) -> None:
    """The error says what happened, an event tells the screen, and no file holds half a sign-in."""
    emulator.scenario(scenario)
    events: list[LoginEvent] = []
    with pytest.raises(expected) as caught:
        sign_in(Session(), None, show=events.append, sleep=lambda _: None)
    assert type(caught.value) is expected
    assert (caught.value.kind == "firewall") is (scenario == "firewall")
    assert events[-1].kind == "error"
    assert qwen_portal.accounts() == []
    assert not list(tmp_path.rglob("credentials/*"))


@pytest.mark.parametrize("scenario", ["slow-down-429", "slow-down-400", "status-pending", "null-fields", "error-500"])
def test_a_poll_without_an_answer_is_asked_again(scenario: str, emulator: Emulator) -> None:
    """Every shape of "not yet" and a server that stumbles; slowing down adds five seconds (RFC 8628 §3.5)."""
    emulator.scenario(scenario, times=2, where="poll")
    pauses: list[float] = []
    sign_in(Session(), None, show=silent, sleep=pauses.append)
    assert pauses[:4] == ([2.0, 7.0, 12.0, 12.0] if "slow" in scenario else [2.0] * 4)


def test_nobody_confirms_in_time(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends when the code does, without another poll."""
    emulator.scenario("pending")
    now = [0.0]
    monkeypatch.setattr("qwen_portal.sign_in.device_flow.time.monotonic", lambda: now[0])

    def pass_time(seconds: float) -> None:
        now[0] += 100

    with pytest.raises(QwenLoginTimeoutError):
        sign_in(Session(), None, show=silent, sleep=pass_time)
    assert now[0] == 900


def test_an_interrupted_sign_in_leaves_the_old_one(signed_in: Emulator) -> None:
    """Ctrl-C in the wait changes nothing that was kept before."""
    before = qwen_portal.get_access_token()

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sign_in(Session(), None, show=silent, sleep=interrupt)
    assert qwen_portal.get_access_token() == before


def test_a_bad_resource_url_keeps_the_tokens_and_names_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sign-in ends with the host's name; naming that host makes the stored sign-in usable."""
    answers = [
        {"device_code": "d", "user_code": "u", "verification_uri": "https://chat.qwen.ai/authorize"},
        {"access_token": ACCESS, "refresh_token": "r", "expires_in": 60, "resource_url": "portal.example"},
    ]
    with (
        answering(lambda request: httpx.Response(200, json=answers.pop(0)), monkeypatch),
        pytest.raises(QwenHostNotAllowedError, match=r"portal\.example") as caught,
    ):
        sign_in(Session(), None, show=silent, sleep=lambda _: None)
    assert "kept" in caught.value.message
    assert_none_in_error(caught.value)
    assert qwen_portal.get_access_token() == ACCESS
    monkeypatch.setenv("QWEN_PORTAL_ALLOWED_HOSTS", "portal.example")
    with answering(lambda request: httpx.Response(200, json={"choices": [{}]}), monkeypatch) as asked:
        qwen_portal.PortalClient().chat([{"role": "user", "content": "x"}])
    assert str(asked[0].url) == "https://portal.example/v1/chat/completions"


@pytest.mark.parametrize("name", ["verification_uri", "verification_uri_complete"])
def test_a_page_elsewhere_is_never_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign-in host that names another host's page is refused before anything is displayed."""
    body = {"device_code": "d", "user_code": "u", "verification_uri": "https://chat.qwen.ai/authorize"}
    answers = [body | {name: "https://qwen.ai.evil.example/authorize"}, {"error": "access_denied"}]
    events: list[LoginEvent] = []
    with (
        answering(lambda request: httpx.Response(200, json=answers.pop(0)), monkeypatch),
        pytest.raises(QwenHostNotAllowedError),
    ):
        sign_in(Session(), None, show=events.append, sleep=lambda _: None)
    assert [event.kind for event in events] == ["error"]


def test_a_store_that_cannot_keep_says_so_before_the_browser(tmp_path: Path, emulator: Emulator) -> None:
    """A person is not sent through a sign-in whose result would be lost."""
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(QwenStoreError):
        sign_in(Session(), None, show=silent, sleep=lambda _: None)
    assert emulator.log() == []


def test_a_key_becomes_an_account_without_a_request(emulator: Emulator) -> None:
    """Keys are kept like sign-ins and used as they are."""
    account = add_key(Session(), "team", plan="coding-intl", api_key=Secret(KEY), show=silent, check=False)
    assert (account.kind, account.plan.name, account.expires_at) == ("key", "coding-intl", None)
    assert qwen_portal.get_access_token("team", force_refresh=True) == KEY
    assert emulator.log() == []


@pytest.mark.parametrize(
    ("plan", "key", "match"),
    [
        ("oauth", KEY, "takes a sign-in"),
        ("nonsense", KEY, "no plan named"),
        ("coding", "sk-other", "begin with 'sk-sp-'"),
        ("coding", "", "empty"),
        ("coding", "sk-sp-with space", "characters"),
    ],
)
def test_a_key_that_cannot_be_right_is_refused(plan: str, key: str, match: str) -> None:
    """A wrong plan or prefix is caught before the key is kept, and the error does not show the key."""
    with pytest.raises(QwenError, match=match) as caught:
        add_key(Session(), None, plan=plan, api_key=Secret(key), show=silent)
    assert_none_in_error(caught.value)
    assert qwen_portal.accounts() == []


@pytest.mark.parametrize(("label", "whose"), [("env", "in QWEN_PORTAL_API_KEY"), ("api_key=", "passes as api_key=")])
def test_the_labels_of_keys_that_are_not_kept_are_taken(label: str, whose: str) -> None:
    """They stand for the key in the environment and for that of a call."""
    with pytest.raises(QwenError, match=whose):
        add_key(Session(), label, plan="coding", api_key=Secret(KEY), show=silent)


async def test_the_async_twin_signs_in_too(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait happens in another thread."""
    monkeypatch.setattr("qwen_portal.sign_in.device_flow.time.sleep", lambda seconds: None)
    monkeypatch.setattr("qwen_portal.sign_in.device_flow.sign_in.__kwdefaults__", {"sleep": lambda seconds: None})
    account = await qwen_portal.alogin("work", show=silent)
    assert account.label == "work"
    assert await qwen_portal.aget_access_token() in emulator.issued_tokens()
