"""An emulator that does not keep a sign-in waiting."""

import pytest

from qwen_portal.emulator import Emulator


@pytest.fixture
def emulator(emulator: Emulator) -> Emulator:
    """Let clients poll often; the pace is the sign-in's own and is tested there."""
    emulator.configure(interval=0.01, approve_after_polls=1)
    return emulator
