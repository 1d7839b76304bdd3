"""A worker keeps the memory that it freed: the arrays of one block are the next one's.

The C library gives large freed arrays back to the system at once, and every new one costs a page fault for each 4 KiB:
a third of the time of a large product. What is kept is what the largest run held, up to a limit.
"""

from __future__ import annotations

import ctypes
from typing import Final

__all__ = ["keep_freed_memory"]

# parameters of mallopt(3), glibc's malloc.h
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGEST: Final = 64 << 20
"""Bytes of an array that is still taken from the heap."""
_KEPT: Final = 256 << 20
"""Free bytes at the top of the heap above which it shrinks."""


def keep_freed_memory() -> None:
    """Tune this process's allocator; nothing where the C library is not glibc. Before other threads allocate."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_ARENA_MAX, 1)  # one heap for all threads: whichever serves finds it warm
    mallopt(_M_MMAP_THRESHOLD, _LARGEST)
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
