"""Danger: a program forks, as gunicorn and multiprocessing do, before, between and during refreshes."""

import os
import signal
import sys

import pytest

from qwen_portal.emulator import Emulator
from qwen_portal.session import Session
from tests.login_never_lost.accounts import (
    LABEL,
    answers_held,
    await_refreshes,
    end_token,
    next_process,
    refreshes,
    stored,
)
from tests.login_never_lost.programs import Program

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork"),
    # Python 3.12 warns of what this test proves to be harmless: forking with threads. The programs below say so too.
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]

_WARM = """
import os, signal, sys, threading, warnings
import qwen_portal
from qwen_portal.session import Session

warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
before = qwen_portal.get_access_token()

def child(act):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(int(os.environ.get("PATIENCE", "100")))
            code = 0 if act() else 2
        finally:
            os._exit(code)
    return pid

def code_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def test_children_of_a_warm_program_refresh_once(signed_in: Emulator) -> None:
    """Four workers are forked with a token in memory whose time is over: one refresh serves them and their parent."""
    with Program(f"""{_WARM}
print("warm", flush=True)
sys.stdin.readline()
children = [child(lambda: qwen_portal.get_access_token() != before) for _ in range(4)]
print([code_of(each) for each in children], qwen_portal.get_access_token(), flush=True)
""") as parent:
        assert parent.hear() == "warm"
        end_token()
        parent.say("go")
        assert parent.hear() == f"[0, 0, 0, 0] {stored().access_token.reveal()}"
        assert parent.end()[0] == 0
    assert refreshes(signed_in) == 1
    assert next_process()


def test_a_child_forked_in_the_middle_of_a_refresh_takes_what_its_parent_got(signed_in: Emulator) -> None:
    """It inherits neither the flight nor the lock: it waits for the parent's lock, and makes no refresh of its own."""
    with Program(f"""{_WARM}
print("warm", flush=True)
sys.stdin.readline()
asking = threading.Thread(target=qwen_portal.get_access_token)
asking.start()
sys.stdin.readline()
worker = child(lambda: qwen_portal.get_access_token() != before)
print("forked", flush=True)
print(code_of(worker), flush=True)
asking.join()
""") as parent:
        assert parent.hear() == "warm"
        end_token()
        with answers_held(signed_in):
            parent.say("go")
            await_refreshes(signed_in, 1)
            parent.say("fork")
            assert parent.hear() == "forked"
        assert parent.hear() == "0"
        assert parent.end()[0] == 0
    assert refreshes(signed_in) == 1
    assert next_process()


def test_a_child_does_not_hold_its_parents_lock(signed_in: Emulator) -> None:
    """The parent is killed while it holds the account and a child of it lives: the account is free at once."""
    with Program(f"""{_WARM}
with Session().accounts.locked("{LABEL}"):
    worker = child(lambda: sys.stdin.readline())
    print(worker, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
""") as parent:
        worker = int(parent.hear())
        assert parent.process.wait(60) == -signal.SIGKILL
        try:
            os.kill(worker, 0)
            with Session().accounts.locked(LABEL):
                os.kill(worker, 0)
        finally:
            parent.say("end")
    assert next_process()


def test_locks_that_threads_hold_at_the_fork_do_not_stop_the_child(signed_in: Emulator) -> None:
    """Whatever a thread of the parent is in the middle of: the child serves itself."""
    with Program(f"""{_WARM}
from qwen_portal import session
from qwen_portal.http import pools
from qwen_portal.storage.stores import keyring

held = [session._lock, pools._lock, keyring._one_call, Session().tokens._gate]
ready, done = threading.Event(), threading.Event()

def hold():
    for lock in held:
        lock.acquire()
    ready.set()
    done.wait()
    for lock in held:
        lock.release()

holder = threading.Thread(target=hold)
holder.start()
ready.wait()
worker = child(lambda: qwen_portal.get_access_token(force_refresh=True) != before)
print(code_of(worker), flush=True)
done.set()
holder.join()
""") as parent:
        assert parent.hear() == "0"
        assert parent.end()[0] == 0
    assert refreshes(signed_in) == 1


def test_a_client_made_before_the_fork_serves_the_child(signed_in: Emulator) -> None:
    """The token is revoked after the fork: parent and child meet a 401 each, and one of them refreshes."""
    with Program(f"""{_WARM}
client = qwen_portal.PortalClient()
ask = lambda: client.chat([{{"role": "user", "content": "Hello"}}])["choices"]
ask()
worker = child(lambda: sys.stdin.readline() and ask())
print("forked", flush=True)
code = code_of(worker)
print(code, bool(ask()), flush=True)
""") as parent:
        assert parent.hear() == "forked"
        signed_in.revoke()
        parent.say("go")
        assert parent.hear() == "0 True"
        assert parent.end()[0] == 0
    assert refreshes(signed_in) == 1


def test_the_memory_store_is_the_childs_own(emulator: Emulator) -> None:
    """Each process forgets its own sign-in, and no lock of the parent's index is waited for."""
    with Program(f"""
import os; os.environ["QWEN_PORTAL_STORE"] = "memory"
from tests.login_never_lost.accounts import sign_in_as; sign_in_as("{LABEL}")
{_WARM}
worker = child(lambda: qwen_portal.get_access_token() == before)
print(code_of(worker), flush=True)
""") as parent:
        assert parent.hear() == "0"
        assert parent.end()[0] == 0


def test_a_sign_in_in_memory_is_refreshed_by_its_own_process_alone(signed_in: Emulator) -> None:
    """A child goes on with the access token, and cannot spend the refresh token that its parent needs."""
    with Program(f"""import os; os.environ["QWEN_PORTAL_STORE"] = "memory"
from tests.login_never_lost.accounts import sign_in_as
sign_in_as("default")
{_WARM}
def may_not_refresh():
    assert qwen_portal.get_access_token() == before
    try:
        qwen_portal.get_access_token(force_refresh=True)
    except qwen_portal.QwenTokenExpiredError:
        return True

print(code_of(child(may_not_refresh)), qwen_portal.get_access_token(force_refresh=True) != before, flush=True)
""") as parent:
        assert parent.hear() == "0 True"
        assert parent.end() == (0, "", "")
    assert refreshes(signed_in) == 1
