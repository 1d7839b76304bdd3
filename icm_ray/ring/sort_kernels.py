"""Kernels of shuffling and sorting: permutations from uniform words, pairs to compare, what their bits say.

Positions are those of shuffled elements, `pivots` positions in sorted order; all of it is public but the words that
permutations and shares are made of. A bit is 1 where the left element of a pair is the larger one.
"""

from __future__ import annotations

import numpy as np

from icm_ray.ring.kernel import kernel

__all__ = ["SPARE_WORDS", "add_differences", "descend", "draw", "gap_pairs", "gaps_of", "merge", "search_pairs"]

SPARE_WORDS = 8
"""Words beyond one for each element that a permutation is drawn from, in place of rejected ones."""


@kernel
def draw(words, out):  # type: ignore[no-untyped-def]
    """A uniform permutation of 0 .. n-1 (Fisher-Yates) from n + SPARE_WORDS uniform words.

    A word of the last, incomplete run of residues is rejected and a spare one taken, so that draws are unbiased. For
    n <= 2^31 more than 8 words are rejected with a probability below 2^-45 (2^-240 for n <= 2^20); then one is kept.
    """
    n = out.size
    spare = n
    for i in range(n):
        out[i] = i
    for i in range(n - 1, 0, -1):
        m = np.uint64(i + 1)
        word = np.uint64(words[i])
        residue = word % m
        while word - residue > np.uint64(0xFFFFFFFFFFFFFFFF) - np.uint64(i) and spare < words.size:
            word = np.uint64(words[spare])
            spare += 1
            residue = word % m
        j = np.int64(residue)
        kept = out[i]
        out[i] = out[j]
        out[j] = kept


@kernel
def add_differences(y, left, right, masked):  # type: ignore[no-untyped-def]
    """Add y[left] - y[right] to the masks, in their words."""
    for e in range(masked.size):
        masked[e] += masked.dtype.type(y[left[e]] - y[right[e]])


@kernel
def search_pairs(first, below, pivots, fan, rest, left, right):  # type: ignore[no-untyped-def]
    """One step of a search among 2^k - 1 pivots: every element from position `first` on against 2^fan - 1 of them.

    below: how many pivots lie below the element, without its low fan + rest bits.
    """
    at = 0
    for e in range(below.size):
        base = np.int64(below[e]) << fan
        for j in range(1, 1 << fan):
            left[at] = first + e
            right[at] = pivots[((base + j) << rest) - 1]
            at += 1


@kernel
def descend(below, plane, fan):  # type: ignore[no-untyped-def]
    """`fan` bits more of `below`: comparisons are consistent, so the sum of their bits is the number."""
    at = 0
    for e in range(below.size):
        value = np.int64(below[e]) << fan
        for _ in range((1 << fan) - 1):
            value += np.int64((plane[at >> 6] >> np.uint64(at & 63)) & np.uint64(1))
            at += 1
        below[e] = value


@kernel
def gaps_of(first, below, starts, members):  # type: ignore[no-untyped-def]
    """Positions by gap: those of gap i are members[starts[i] : starts[i + 1]]; starts (gaps + 1,) comes zeroed."""
    for e in range(below.size):
        starts[below[e] + 1] += 1
    for i in range(1, starts.size):
        starts[i] += starts[i - 1]
    filled = starts[:-1].copy()
    for e in range(below.size):
        members[filled[below[e]]] = first + e
        filled[below[e]] += 1


@kernel
def gap_pairs(starts, members, left, right):  # type: ignore[no-untyped-def]
    """All pairs within the gaps; False where there are more than `left` has room for."""
    at = 0
    for gap in range(starts.size - 1):
        for i in range(starts[gap], starts[gap + 1]):
            for j in range(i + 1, starts[gap + 1]):
                if at == left.size:
                    return False
                left[at] = members[i]
                right[at] = members[j]
                at += 1
    return True


@kernel
def merge(starts, members, plane, pivots, out):  # type: ignore[no-untyped-def]
    """All positions in sorted order, from the pivots, the gaps between them and the bits of `gap_pairs`."""
    above = np.zeros(members.size, np.int32)
    at = 0
    end = 0
    for gap in range(starts.size - 1):
        low = starts[gap]
        high = starts[gap + 1]
        for i in range(low, high):
            for j in range(i + 1, high):
                if (plane[at >> 6] >> np.uint64(at & 63)) & np.uint64(1):
                    above[i] += 1
                else:
                    above[j] += 1
                at += 1
        for i in range(low, high):
            out[end + above[i]] = members[i]
        end += high - low
        if gap < pivots.size:
            out[end] = pivots[gap]
            end += 1
