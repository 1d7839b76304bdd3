"""The fixed schedule of a sort: how many comparisons each batch has, from the number of elements alone.

Elements are in a uniformly random order that is fresh. Stages insert more and more of them into a sorted list of
2^k - 1 *pivots*: a search (k bits, `fan` bits in each batch, against 2^fan - 1 pivots at once), then one batch that
compares all pairs which fell into the same gap between pivots. The first stage has no pivots: it compares all pairs.

Every count is exact but that of the last batch of a stage: pairs in gaps depend on the random order. There the schedule
has room for more than ever needed, but for a probability below 2^-45 a stage, and the rest of the room is padded.

*Bound.* Let N elements be in random order and the first s of them be pivots. The sizes b_0 .. b_s of the gaps are a
uniform composition of N - s, that is: independent geometric numbers, P(j) = p z^j with p = s/N, z = 1 - p, given that
their sum is N - s. That sum is the mode of its distribution, so by Chebyshev it has probability at least
3 / (4 (4 sigma + 1)), sigma^2 = (s + 1) z / p^2. Hence for every u > 1, X = sum of b_i (b_i - 1) / 2,
    P(X > C) <= (s + 1) z^(B + 1)  +  u^-C (sum over j <= B of p z^j u^(j (j - 1) / 2))^(s + 1) 4 (4 sigma + 1) / 3,
the first term for a gap larger than B, the second Chernoff's. C is the least for which both are below 2^-46.

It is computed with additions, products, quotients and roots alone, which IEEE 754 rounds alike on every machine, since
parties and dealer must agree on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

__all__ = ["Stage", "gap_pairs_bound", "schedule"]

_FAILURE_BITS = 46
_LN2 = 0.6931471805599454  # rounded up
_BATCH = 20_000
"""Comparisons that take as long as the rounds of one batch, about: more makes fewer, larger batches."""
_LARGEST_GAP = 24
"""Pivots at least one in so many: sparser ones would leave more pairs in gaps than a search costs."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Insert `inserted` elements into 2^depth - 1 sorted ones. fans: bits of each batch of the search; pairs: room."""

    depth: int
    inserted: int
    fans: tuple[int, ...]
    pairs: int

    @property
    def batches(self) -> tuple[int, ...]:
        """Comparisons of each batch, the one of pairs last, where there is one."""
        return tuple(self.inserted * ((1 << fan) - 1) for fan in self.fans) + ((self.pairs,) if self.pairs else ())

    @property
    def weight(self) -> int:
        return sum(count + _BATCH for count in self.batches)


def gap_pairs_bound(count: int, pivots: int) -> int:
    """Pairs within gaps: not more than this, but for a probability below 2^-45."""
    rest = count - pivots
    every = rest * (rest - 1) // 2
    if pivots < 1 or rest < 2:
        return every
    p, z = pivots / count, rest / count
    larger, largest = float(pivots + 1), 0
    while larger * z > 2.0**-_FAILURE_BITS:
        larger *= z
        largest += 1
    spread = 4 * (4 * math.sqrt((pivots + 1) * z) / p + 1) / 3
    constant = (math.ceil(spread).bit_length() + _FAILURE_BITS) * _LN2
    steepest = 2 * p * (1 + p / 2 + p * p / 3) / largest  # where u^(B^2 / 2) z^B is still about 1
    best = float(every)
    for halving in range(8):
        e = steepest / 2.0**halving  # u = 1 + e
        best = min(best, _chernoff(p, z, pivots + 1, largest, e, constant))
    return min(every, math.ceil(best))


def _chernoff(p: float, z: float, gaps: int, largest: int, e: float, constant: float) -> float:
    """(gaps ln(sum) + constant) / ln u, with bounds of the logarithms on the safe side."""
    excess, weight, tilt, step = 0.0, p, 1.0, 1.0  # tilt = u^(j (j - 1) / 2), step = u^j
    for _ in range(largest + 1):
        excess += weight * (tilt - 1)
        weight *= z
        tilt *= step
        step *= 1 + e
    log_sum = min(excess, excess - excess * excess / 2 + excess * excess * excess / 3)
    return (gaps * log_sum + constant) / (e - e * e / 2)


def _insertion(count: int, depth: int, fan: int) -> Stage:
    pivots = (1 << depth) - 1
    fans = (fan,) * (depth // fan) + ((depth % fan,) if depth % fan else ())
    return Stage(depth, count - pivots, fans, gap_pairs_bound(count, pivots))


@cache
def _plan(count: int) -> tuple[int, tuple[Stage, ...]]:
    """The lightest chain of stages, and its weight."""
    only = _insertion(count, 0, 1)
    stages: tuple[Stage, ...] = (only,)
    best = only.weight, stages
    for depth in range(1, count.bit_length()):
        pivots = (1 << depth) - 1
        if pivots >= count or count > _LARGEST_GAP * pivots:
            continue
        before, earlier = _plan(pivots)
        for fan in (1, 2, 3):
            last = _insertion(count, depth, fan)
            if before + last.weight < best[0]:
                best = before + last.weight, (*earlier, last)
    return best


def schedule(count: int) -> tuple[Stage, ...]:
    """The stages that sort `count` elements, at least one; the whole fails with a probability below 2^-40."""
    return _plan(count)[1]
