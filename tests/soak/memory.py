"""The process's memory: what is resident, and what is in use of it, as glibc counts."""

import ctypes
import os
import sys
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEBI = 1024 * 1024
# By default glibc gives hundreds of threads eight arenas for each core, and each thread a cache of what it has freed,
# which counts as in use. Both go on filling for an hour, and that would hide a leak.
TUNABLES = "glibc.malloc.arena_max=2:glibc.malloc.tcache_count=0"


class _MallInfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


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
