"""The emulated sign-in host: what it hands out, what it refuses, how its scenarios bend it."""

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from .conftest import Person

DEAD = {"error": "invalid_request", "error_description": "Invalid refresh token or client_id"}


def test_a_code_approves_itself_after_the_second_poll(person: "Person") -> None:
    """Two polls are pending, the third brings the tokens."""
    code = person.device().json()
    answers = [person.poll(code["device_code"]) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 200]
    assert answers[0].json()["error"] == "authorization_pending"
    assert answers[2].json()["token_type"] == "Bearer"
    assert answers[2].json()["expires_in"] == 21_600


def test_the_device_answer_has_the_documented_fields(person: "Person") -> None:
    """The complete URI carries user_code and client, and there is no interval unless set."""
    code = person.device().json()
    assert re.fullmatch(r"[A-Z0-9_]{8}", code["user_code"])
    assert code["verification_uri"] == f"{person.emulator.url}/authorize"
    assert code["verification_uri_complete"].endswith(f"/authorize?user_code={code['user_code']}&client=qwen-code")
    assert code["expires_in"] == 900
    assert "interval" not in code
    person.emulator.configure(interval=7)
    assert person.device().json()["interval"] == 7


def test_urls_follow_the_host_header(person: "Person") -> None:
    """A client that asked chat.qwen.ai is sent to portal.qwen.ai, another one back to the emulator."""
    code = person.device(host="chat.qwen.ai").json()
    assert code["verification_uri"] == "https://chat.qwen.ai/authorize"
    person.emulator.approve()
    assert person.poll(code["device_code"], host="chat.qwen.ai").json()["resource_url"] == "portal.qwen.ai"
    assert person.sign_in()["resource_url"] == person.emulator.base_url


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_id": "somebody-else"}, "invalid_client"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": "openid model.completion admin"}, "invalid_scope"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_a_bad_device_request_is_refused(person: "Person", change: dict[str, str], error: str) -> None:
    """Client id, scope, challenge and method are all checked."""
    answer = person.device(**change)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_json_body_is_no_form(person: "Person") -> None:
    """The sign-in host takes forms only."""
    answer = person.http.post("/api/v1/oauth2/device/code", json={"client_id": "x"})
    assert answer.json()["error"] == "invalid_request"
    answer = person.http.post("/api/v1/oauth2/token", json={"grant_type": "refresh_token"})
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"client_id": "somebody-else"}, "invalid_grant"),
        ({"device_code": "unknown"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_bad_poll_is_refused_and_leaves_the_code_usable(person: "Person", change: dict[str, str], error: str) -> None:
    """A wrong verifier, client, code or grant type gets no token and spoils nothing."""
    code = person.device().json()["device_code"]
    person.emulator.approve()
    answer = person.poll(code, **change)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert person.poll(code).status_code == 200


def test_a_code_works_once(person: "Person") -> None:
    """The second use of a device code is expired_token."""
    code = person.device().json()["device_code"]
    person.emulator.approve()
    assert person.poll(code).status_code == 200
    assert person.poll(code).json()["error"] == "expired_token"


def test_a_code_expires_by_the_emulators_clock(person: "Person") -> None:
    """After expires_in seconds a code is dead, without anyone waiting."""
    code = person.device().json()["device_code"]
    person.emulator.advance(901)
    assert person.poll(code).json()["error"] == "expired_token"


def test_without_auto_approval_a_person_decides(person: "Person") -> None:
    """A code stays pending until the newest or the named one is approved or denied."""
    person.emulator.configure(auto_approve=False)
    first, second = person.device().json(), person.device().json()
    for _ in range(5):
        assert person.poll(first["device_code"]).json()["error"] == "authorization_pending"
    person.emulator.deny(first["user_code"])
    person.emulator.approve()
    assert person.poll(first["device_code"]).json()["error"] == "access_denied"
    assert person.poll(second["device_code"]).status_code == 200
    with pytest.raises(ValueError, match="no undecided sign-in"):
        person.emulator.approve(first["user_code"])


@pytest.mark.parametrize(("decision", "status"), [("approve", 200), ("deny", 400)])
def test_the_page_decides(person: "Person", decision: str, status: int) -> None:
    """The two buttons of the authorize page do what they say, once."""
    person.emulator.configure(auto_approve=False)
    code = person.device().json()
    page = person.http.get(code["verification_uri_complete"])
    assert code["user_code"] in page.text
    form = {"user_code": code["user_code"], "client": "qwen-code", "decision": decision}
    assert person.http.post("/authorize", data=form).status_code == 200
    assert person.http.post("/authorize", data=form).status_code == 404
    assert person.poll(code["device_code"]).status_code == status


@pytest.mark.parametrize("query", ["", "?user_code=ABCDEFGH", "?client=qwen-code"])
def test_the_page_needs_user_code_and_client(person: "Person", query: str) -> None:
    """A URL cut at the ampersand shows the service's own words."""
    page = person.http.get(f"/authorize{query}")
    assert page.status_code == 400
    assert "user_code or client is null" in page.text


def test_the_page_says_who_asks_and_fits_a_phone(person: "Person") -> None:
    """The program by the name that it gave itself, as text, and without what turns the direction of writing."""
    # headers are bytes, of which a browser makes text
    person.http.headers["User-Agent"] = "qwen-portal/1.0 <b>\x9b"
    code = person.device().json()
    page = person.http.get(code["verification_uri_complete"]).text
    assert "<b>qwen-portal/1.0 &lt;b&gt;" in page
    assert "\x9b" not in page
    assert "terminal or notebook" in page
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page


def test_the_page_escapes_what_it_shows(person: "Person") -> None:
    """A client name with markup in it stays text."""
    code = person.device().json()["user_code"]
    page = person.http.get("/authorize", params={"user_code": code, "client": "<script>x</script>"})
    assert "<script>" not in page.text


def test_a_refresh_rotates_both_tokens_and_kills_the_used_one(person: "Person") -> None:
    """The used refresh token is dead at once, with the service's words; the new pair works."""
    old = person.sign_in()
    new = person.refresh(old["refresh_token"]).json()
    assert new["access_token"] != old["access_token"]
    assert new["refresh_token"] != old["refresh_token"]
    again = person.refresh(old["refresh_token"])
    assert (again.status_code, again.json()) == (400, DEAD)
    assert person.refresh(new["refresh_token"]).status_code == 200


def test_a_refresh_needs_the_client_id(person: "Person") -> None:
    """A wrong client id gets the same answer as a dead token, and spends nothing."""
    token = person.sign_in()["refresh_token"]
    assert person.refresh(token, client_id="somebody-else").json() == DEAD
    assert person.refresh(token).status_code == 200


def test_a_revocation_can_include_refresh_tokens(person: "Person") -> None:
    """Revoking everything leaves only a new sign-in."""
    token = person.sign_in()["refresh_token"]
    person.emulator.revoke(refresh_too=True)
    assert person.refresh(token).json() == DEAD


@pytest.mark.parametrize(
    ("scenario", "status", "body"),
    [
        ("pending", 400, {"error": "authorization_pending"}),
        ("slow-down-429", 429, {"error": "slow_down"}),
        ("slow-down-400", 400, {"error": "slow_down"}),
        ("denied", 400, {"error": "access_denied"}),
        ("expired", 400, {"error": "expired_token"}),
        ("poll-401", 401, {"error": "invalid_grant"}),
        ("status-pending", 200, {"status": "pending"}),
        ("null-fields", 200, {"access_token": None, "refresh_token": None, "expires_in": None}),
    ],
)
def test_a_poll_scenario_answers_once_and_then_the_sign_in_succeeds(
    person: "Person",
    scenario: str,
    status: int,
    body: dict[str, Any],
) -> None:
    """Each poll scenario has its documented shape and spoils nothing."""
    code = person.device().json()["device_code"]
    person.emulator.approve()
    person.emulator.scenario(scenario, times=1)
    answer = person.poll(code)
    assert answer.status_code == status
    assert body.items() <= answer.json().items()
    assert person.emulator.log()[-1].scenario == scenario
    assert person.poll(code).status_code == 200


def test_an_oauth_error_can_hide_in_a_200(person: "Person") -> None:
    """On each of the three sign-in calls status 200 can carry an error."""
    person.emulator.scenario("error-in-200", times=1)
    assert (person.device().status_code, person.emulator.log()[-1].scenario) == (200, "error-in-200")
    tokens = person.sign_in()
    person.emulator.scenario("error-in-200", times=1, where="refresh")
    answer = person.refresh(tokens["refresh_token"])
    assert (answer.status_code, answer.json()) == (200, DEAD)
    person.emulator.scenario("error-in-200", where="poll")
    assert person.poll("whatever").json()["error"] == "ACCESS_DENIED"


@pytest.mark.parametrize("where", ["device", "poll", "refresh"])
def test_the_firewall_answers_with_its_page(person: "Person", where: str) -> None:
    """The firewall's page is a 200 in HTML with its telling meta names, on any sign-in call."""
    tokens = person.sign_in()
    person.emulator.scenario("firewall", where=where)
    calls: dict[str, Callable[[], httpx.Response]] = {
        "device": partial(person.device),
        "poll": partial(person.poll, "x"),
        "refresh": partial(person.refresh, tokens["refresh_token"]),
    }
    answer = calls[where]()
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/html")
    assert answer.text.startswith("<!doctypehtml>")
    assert "aliyun_waf_aa" in answer.text


def test_an_empty_answer_has_no_body(person: "Person") -> None:
    """The scenario "empty" is a 200 without content."""
    person.emulator.scenario("empty")
    assert (person.device().status_code, person.device().content) == (200, b"")


def test_resource_url_can_be_missing_or_take_many_forms(person: "Person") -> None:
    """The two resource_url scenarios touch nothing else of the token answer."""
    person.emulator.scenario("no-resource-url", times=1)
    assert set(person.sign_in()) == {"access_token", "refresh_token", "token_type", "expires_in"}
    person.emulator.scenario("resource-url-forms")
    url = person.emulator.url
    forms = {person.sign_in()["resource_url"] for _ in range(4)}
    assert forms == {url, f"{url}/", f"{url}/v1", f"{url}/v1/"}


def test_a_refresh_can_keep_the_refresh_token(person: "Person") -> None:
    """Without a new refresh token in the answer the old one stays good."""
    token = person.sign_in()["refresh_token"]
    for scenario in ("refresh-keeps-token", "null-fields"):
        person.emulator.scenario(scenario, times=1)
        answer = person.refresh(token).json()
        assert answer["access_token"]
        assert answer.get("refresh_token") is None
    assert person.refresh(token).json()["refresh_token"] != token


def test_a_gateway_error_can_hit_the_refresh_without_spending_the_token(person: "Person") -> None:
    """Chat scenarios can be pointed at the refresh; the token is as good afterwards."""
    token = person.sign_in()["refresh_token"]
    for scenario, status in (("error-500", 500), ("gateway-504", 504), ("html-502", 502), ("burst", 429)):
        person.emulator.scenario(scenario, times=1, where="refresh")
        assert person.refresh(token).status_code == status
    assert person.refresh(token).status_code == 200
