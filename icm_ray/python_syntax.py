"""Text that Python reads as its own syntax, in any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["parsed"]

T = TypeVar("T")

_MOST: Final = 100
"""Times that are tried; one in a hundred fails where threads do nothing else."""


def parsed(parse: Callable[[], T]) -> T:
    """What `parse` returns, which has Python parse something: a literal, an expression, the header of a .npy file.

    Before 3.11.8, Python counts in one place for all threads how deep in a text it is (CPython issue 106905). Where two
    of them parse at a time, one may be told SystemError, which says nothing of its text: it tries again. What `parse`
    raises otherwise is raised.
    """
    for _ in range(_MOST - 1):
        try:
            return parse()
        except SystemError:
            continue
    return parse()
