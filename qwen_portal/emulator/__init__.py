"""An emulator of the Qwen portal: both hosts of docs/protocol.md on 127.0.0.1, for tests, demos and recordings.

It shares no code with the rest of qwen_portal, so that it can judge the client: the caps, the client id and the list of
accepted fields are its own.
"""

try:
    from qwen_portal.emulator.scenarios import SCENARIOS, Place, Scenario, UnknownScenarioError
    from qwen_portal.emulator.server import Emulator, serve
    from qwen_portal.emulator.state import LogEntry, Settings
except ModuleNotFoundError as missing:
    if missing.name not in {"starlette", "uvicorn", "h11"}:
        raise
    hint = 'the emulator needs its extra: pip install "qwen-portal[emulator]"'
    raise ModuleNotFoundError(hint, name=missing.name) from missing

__all__ = ["SCENARIOS", "Emulator", "LogEntry", "Place", "Scenario", "Settings", "UnknownScenarioError", "serve"]
