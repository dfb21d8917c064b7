"""The ledger as these tests read and write it."""

from pathlib import Path
from typing import Any

import qwen_portal
from qwen_portal.session import Session
from qwen_portal.storage.usage_ledger import UsageLedger, UsageRow


def ledger() -> UsageLedger:
    """Return the ledger of this test's HOME."""
    return UsageLedger(Session().settings.home)


def switch_on() -> Path:
    """Begin to count; return the ledger's file."""
    ledger().switch(on=True)
    return ledger().path


def counted(*names: str) -> list[Any]:
    """Return what the ledger says of each request; of one field without a tuple around it."""
    rows = [tuple(row[name] for name in names) for row in qwen_portal.usage()]
    return [row[0] for row in rows] if len(names) == 1 else rows


def row(**known: Any) -> UsageRow:
    """Make a row."""
    standard: dict[str, Any] = {
        "time": 0.0,
        "account": "default",
        "plan": "oauth",
        "model": "coder-model",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "cached_tokens": 0,
        "reasoning_tokens": None,
        "milliseconds": 1.0,
        "first_milliseconds": None,
        "status": 200,
        "outcome": "ok",
        "on_quota": None,
    }
    return UsageRow(**(standard | known))
