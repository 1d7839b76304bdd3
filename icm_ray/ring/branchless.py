"""Choices by opened bits without a branch: such a bit is a coin, so that a processor guesses every other one wrong.

Kernels that choose walk whole words of the opened plane, 64 values each, in a loop that becomes vector instructions
(its length must be a constant), and then the values of the last, incomplete word.
"""

from __future__ import annotations

import numpy as np

from icm_ray.ring.kernel import compiled

__all__ = ["negated_where", "ones_at", "ones_if"]


@compiled
def ones_at(word, bit):  # type: ignore[no-untyped-def]
    """All ones where `bit` of a word is set, else zero."""
    return np.uint64(0) - ((word >> np.uint64(bit)) & np.uint64(1))


@compiled
def ones_if(condition):  # type: ignore[no-untyped-def]
    """All ones where it holds, else zero."""
    return np.uint64(0xFFFFFFFFFFFFFFFF) if condition else np.uint64(0)


@compiled
def negated_where(x, flip):  # type: ignore[no-untyped-def]
    """-x where `flip` is all ones, x where it is zero."""
    return (x ^ flip) - flip
