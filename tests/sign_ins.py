"""Sign-ins without the device flow, which has tests of its own and takes longer than most of the others."""

from qwen_portal.emulator import Emulator
from qwen_portal.oauth import TokenResponse
from qwen_portal.secrets import Secret
from qwen_portal.service.plans import OAUTH
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential


def keep_sign_in(emulator: Emulator, label: str = "default") -> None:
    """Let a service issue tokens, and keep them as an account: what a sign-in leaves behind."""
    state = emulator.state
    with state.lock:
        life, ledger = state.settings.access_life, state.ledger
        ledger.new_device_code("", state.clock.now()).decision = "used"
        grant = ledger.new_grant()
        access = ledger.new_access_token(grant, state.clock.now() + life, refreshed=False)
        refresh = ledger.new_refresh_token(grant)
    tokens = TokenResponse(Secret(access.value), Secret(refresh.value), life, emulator.base_url)
    Session().accounts.signed_in(label, Credential.from_sign_in(tokens, plan=OAUTH))


def keep_tokens(label: str = "default", *, access: str = "access") -> None:
    """Keep a sign-in that no service has issued, for hosts that answer from a script."""
    tokens = TokenResponse(Secret(access), Secret("refresh"), 21600.0, "portal.qwen.ai")
    Session().accounts.signed_in(label, Credential.from_sign_in(tokens, plan=OAUTH))
