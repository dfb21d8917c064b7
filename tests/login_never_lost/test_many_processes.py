"""Danger: processes, threads and tasks that refresh one account at the same moment."""

from qwen_portal.emulator import Emulator
from tests.login_never_lost.crowd import one_refresh_each_round


def test_eight_processes_of_16_threads_and_100_tasks_make_one_refresh(signed_in: Emulator) -> None:
    """928 callers with one token whose time is over: all are served, the refresh token is spent once."""
    one_refresh_each_round(signed_in, (16, 100))


def test_fifty_tokens_in_a_row_lose_no_sign_in(signed_in: Emulator) -> None:
    """Each token ends as soon as everybody used it: one refresh for each, and at the end the sign-in lives."""
    one_refresh_each_round(signed_in, *[(2, 4)] * 50)
