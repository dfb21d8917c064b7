"""A process that kills itself (kill -9) at a chosen step of a refresh."""

import signal

from tests.login_never_lost.accounts import end_token
from tests.login_never_lost.programs import Program

# Kills itself before or after the n-th call of a function, which stands for a step of the transaction.
_VICTIM = """
import importlib, os, signal, sys
import qwen_portal

module, path, moment, nth = sys.argv[1:]
owner = importlib.import_module(module)
*outer, name = path.split(".")
for each in outer:
    owner = getattr(owner, each)
step, calls = getattr(owner, name), []

def deadly(*args, **kwargs):
    calls.append(name)
    fatal = len(calls) == int(nth)
    if fatal and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = step(*args, **kwargs)
    if fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(owner, name, deadly)
qwen_portal.get_access_token()
"""

# Module, function, before or after, which call.
Step = tuple[str, str, str, int]
# The steps that all stores share, in the order of the transaction.
BEGIN = ("qwen_portal.storage.refresh_journal", "Journal.begin")
POST = ("qwen_portal.oauth", "refresh")
INDEX = ("qwen_portal.account.registry", "Accounts._enter")
CLEAR = ("qwen_portal.storage.refresh_journal", "Journal.clear")
STORY = "was ended in the middle of the refresh"


def refresh_and_die(module: str, path: str, moment: str, nth: int) -> int:
    """Let a process refresh until it kills itself; return its pid."""
    end_token()
    with Program(_VICTIM, module, path, moment, str(nth)) as victim:
        assert victim.end() == (-signal.SIGKILL, "", "")
        return victim.process.pid
