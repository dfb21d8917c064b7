"""Danger: somebody between this machine and the service answers in its place, and is handed the bearer."""

from collections.abc import Iterator
from pathlib import Path

import litellm
import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenError
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import sign_in
from tests.leaks.roads import LITELLMS_OWN, ROADS, Road
from tests.real.tls_bridge import TlsBridge

pytestmark = LITELLMS_OWN
# What switches the check of certificates off in other software.
SWITCHES = {
    "SSL_VERIFY": "false",
    "PYTHONHTTPSVERIFY": "0",
    "REQUESTS_CA_BUNDLE": "",
    "CURL_CA_BUNDLE": "",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
}


@pytest.fixture
def stranger(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[TlsBridge]:
    """Put somebody before the service whom no authority vouches for, and switch off what can be switched off."""
    with TlsBridge(["localhost"], upstream_port=int(signed_in.url.rpartition(":")[2])) as bridge:
        for name, value in SWITCHES.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(litellm, "ssl_verify", False)
        monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"https://localhost:{bridge.port}/v1")
        monkeypatch.setenv("QWEN_PORTAL_OAUTH_URL", f"https://localhost:{bridge.port}")
        yield bridge


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
def test_who_has_no_certificate_gets_no_bearer(road: Road, stranger: TlsBridge, signed_in: Emulator) -> None:
    """There is nothing that switches the check off."""
    with pytest.raises(Exception, match=r"(?i)certificate|connection error"):
        road()
    assert stranger.asked == ["localhost"]
    assert signed_in.chats() == []


def test_who_has_no_certificate_gets_no_refresh_token(stranger: TlsBridge, signed_in: Emulator) -> None:
    """Nor does a sign-in begin there."""
    with pytest.raises(QwenError, match=r"(?i)certificate"):
        qwen_portal.get_access_token(force_refresh=True)
    with pytest.raises(QwenError, match=r"(?i)certificate"):
        sign_in(Session(), "other", show=lambda _: None)
    assert set(stranger.asked) == {"localhost"}
    assert signed_in.log() == []


def test_an_authority_that_the_user_names_is_believed(
    stranger: TlsBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one way to say that the stranger is none."""
    stranger.write_authority(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    assert qwen_portal.PortalClient().chat([{"role": "user", "content": "Hello"}])["choices"]
    assert qwen_portal.get_access_token(force_refresh=True)
