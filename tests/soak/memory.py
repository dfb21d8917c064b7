"""The process's memory: what is resident, and what is in use of it, as glibc counts."""

import ctypes
import os
import sys
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEBI = 1024 * 1024
_M_ARENA_MAX, _ARENAS = -8, 2


class _MallInfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def use_few_arenas() -> None:
    """Let all threads allocate from two arenas, as MALLOC_ARENA_MAX=2 does.

    By default glibc gives hundreds of threads eight for each core, and the free memory in them goes on growing for an
    hour: the resident memory would show that, and hide a leak.
    """
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def resident() -> float:
    """Return the resident memory in MiB."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE / _MEBI


def allocated() -> float:
    """Return what malloc has handed out and not got back, in MiB; Python's small objects are counted as blocks."""
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = _MallInfo2
    info = ask()
    return float(info.uordblks + info.hblkhd) / _MEBI


def blocks() -> int:
    """Return how many small objects Python has allocated, in thousands."""
    return sys.getallocatedblocks() // 1000
