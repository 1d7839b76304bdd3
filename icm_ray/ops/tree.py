"""The shape of the comparison tree, 4-to-1 but for few values: which bits are opened and which mask products are dealt.

A comparison of L-bit numbers cuts them into chunks of four bits; where L is no multiple of it, the upper ones have
three, and the top one what is left. Each chunk gives a pair
(p, g) = (equal, greater); nodes of up to four pairs reduce them:
    G = g3 + p3 g2 + p3 p2 g1 + p3 p2 p1 g0,    P = p3 p2 p1 p0      (XOR and AND; index 3 is the most significant)
A node opens p_(m-1)..p_1 and g_(m-2)..g_0 under masks, and p_0 only if its own P is wanted: it is wanted by every node
but the lowest of its level. A node of one pair passes it on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

__all__ = ["CHUNK_BITS", "Level", "TreeShape", "tree_of", "tree_shape"]

CHUNK_BITS = 4
_NARROW_BITS = 3
_ARITY = 4
_LARGEST = 8
"""The most pairs that one node reduces."""
_ROUND = 640 << 10
"""Bytes more that may be dealt for a round less."""


def _opened(m: int, with_p: bool) -> int:
    return 0 if m == 1 else 2 * (m - 1) + int(with_p)


def _products(m: int, with_p: bool) -> int:
    if m == 1:
        return 0
    subsets = 1 << (m - 1)
    among_p = subsets - m
    with_g = sum((subsets >> j) - 1 for j in range(m - 1))
    return among_p + with_g + (subsets - 1 if with_p else 0)


@dataclass(frozen=True)
class Level:
    """One level: the pair counts of its nodes, lowest first; bits opened and mask products dealt for each value."""

    nodes: tuple[int, ...]

    @cached_property
    def opened(self) -> int:
        return sum(_opened(m, index > 0) for index, m in enumerate(self.nodes))

    @cached_property
    def products(self) -> int:
        return sum(_products(m, index > 0) for index, m in enumerate(self.nodes))


@dataclass(frozen=True)
class TreeShape:
    """The tree for numbers of `bits` bits."""

    bits: int
    chunks: int
    levels: tuple[Level, ...]

    @cached_property
    def narrow_chunks(self) -> int:
        """Chunks of three bits or fewer, the upper ones, whose one-hot words take 8 bits."""
        return min(CHUNK_BITS * self.chunks - self.bits, self.chunks)

    @cached_property
    def wide_chunks(self) -> int:
        """Chunks of four bits, whose one-hot words take 16."""
        return self.chunks - self.narrow_chunks

    @cached_property
    def top_bits(self) -> int:
        """Bits of the most significant chunk, 1 to 4."""
        return self.bits - self.starts[-1]

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The lowest bit of each chunk."""
        wide = self.wide_chunks
        return tuple(CHUNK_BITS * min(j, wide) + _NARROW_BITS * max(j - wide, 0) for j in range(self.chunks))

    @cached_property
    def one_hot_bytes(self) -> int:
        """Bytes of the one-hot words of one value."""
        return 2 * self.wide_chunks + self.narrow_chunks

    @cached_property
    def opened(self) -> int:
        return sum(level.opened for level in self.levels)

    @cached_property
    def products(self) -> int:
        return sum(level.products for level in self.levels)


def tree_of(bits: int, count: int) -> TreeShape:
    """The tree that compares `count` numbers of `bits` bits, 1 to 63: all pairs in one node, where the round that it
    saves is worth the products that it needs.
    """
    deep = tree_shape(bits)
    if len(deep.levels) < 2 or deep.chunks > _LARGEST:
        return deep
    flat = _flat(bits)
    return flat if (flat.products - deep.products) * count <= 8 * _ROUND else deep


@cache
def _flat(bits: int) -> TreeShape:
    """All pairs in one node."""
    chunks = tree_shape(bits).chunks
    return TreeShape(bits, chunks, (Level((chunks,)),))


@cache
def tree_shape(bits: int) -> TreeShape:
    """The tree that compares unsigned numbers of `bits` bits, 1 to 63."""
    if not 1 <= bits <= 63:
        raise ValueError(f"a comparison takes 1 to 63 bits, not {bits}")
    chunks = -(-bits // CHUNK_BITS)
    levels, width = [], chunks
    while width > 1:
        nodes = tuple(min(_ARITY, width - start) for start in range(0, width, _ARITY))
        levels.append(Level(nodes))
        width = len(nodes)
    return TreeShape(bits, chunks, tuple(levels))
