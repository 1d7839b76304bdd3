"""Sort: shuffle, then compare in the open; the order of shuffled elements is all that anyone sees.

After a shuffle that nobody knows, every key gets a low part that makes it distinct, y = key 2^t + tag with t = log2 n.
Elements are compared pair by pair on a schedule that is fixed by n alone (ops/sort_schedule.py), and the
bits are opened:

    [y_i > y_j] = 1 xor msb(d),  d = y_i - y_j,  d^ = d + r opened,
    msb(d) = msb(d^) xor msb(r) xor [low(r) > low(d^)]

(`comparison`), with XOR shares <msb(r)> dealt, whose fresh words also mask the bit's shares when it is opened. Every
comparison has masks of its own, since the dealer does not know which pair it serves; what a batch has room for beyond
its pairs compares an element with itself. When the order is known, everyone permutes its own shares.

*Tags.* Sort: a uniformly random permutation drawn by the dealer and dealt as shares, so that not even the order among
equals says anything. ArgSort, SortBy: the index, which travels with the row; hence they are stable. A SortBy of keys
that are promised to be distinct needs none: its y are the keys.

*Functionality.* Draw a permutation rho uniformly and publish it; give fresh shares of the rows in sorted order. rho is
independent of the input: it is the order of the shuffled y, which are distinct, and a uniform shuffle of any n distinct
keys (or exchangeable ones) has every order alike. *Security* against any n - 1 semi-honest parties that do not collude
with the dealer. From rho the simulator knows which pairs are compared and every bit. d^ and the bits of the tree are
uniform; the shares of an opened bit are masked by shares of <msb(r)>, so that those of the honest parties, with the
correction that a coalition may have, are uniform but for their XOR, the bit. The shuffle leaks nothing. Sizes and
number of messages depend on n alone. A batch that has no room for its pairs (below 2^-40 a sort) raises
`PoolExhausted`: an event that rho alone decides.

Rounds: n for the shuffle; for each batch 2 and the tree's levels.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import PoolExhausted
from icm_ray.ops.cost import Cost
from icm_ray.ops.sort_schedule import Stage, schedule
from icm_ray.ops.sorting import ArgSort, Sort, SortBy, tag_bits
from icm_ray.ops.tree import tree_shape
from icm_ray.ops.values import ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols import comparison
from icm_ray.protocols.base import Coins, Context, Dealing, Exchange, Round, Share, open_sum, open_xor
from icm_ray.protocols.epilogue import word_type
from icm_ray.protocols.shuffle import SHUFFLE_TAGS, deal_shuffle, permutation, run_shuffle, shuffle_cost
from icm_ray.ring import bits, epilogue, sort_kernels
from icm_ray.ring.array import RingArray

__all__ = ["Sorting"]

Positions = NDArray[np.int32]
_TAGS, _TAGS_FROM = SHUFFLE_TAGS, SHUFFLE_TAGS + 1
_BATCHES, _STRIDE = 16, 16
_R, _TOP, _CHUNKS, _TREE = 0, 1, 2, 4


def _tagged(op: Sort | ArgSort | SortBy) -> bool:
    """Whether keys need a low part that makes them distinct."""
    return not (isinstance(op, SortBy) and op.distinct)


def _width(op: Sort | ArgSort | SortBy, key: ValueType) -> int:
    """The width of a difference of keys that are distinct."""
    return key.width + tag_bits(key.count) * _tagged(op) + 1


# --- one batch of comparisons -----------------------------------------------------------------------------------------


def _deal_batch(dealing: Dealing, tag: int, count: int, width: int) -> None:
    shape = tree_shape(width - 1)
    r = np.empty(bits.blocks_of(count) * bits.BLOCK, np.uint64)
    epilogue.high_part(dealing.words(tag + _R, count, word_type(width)), 0, width, r)
    comparison.deal_chunks(dealing, tag + _CHUNKS, r, shape)
    comparison.deal_tree(dealing, tag + _TREE, count, shape)
    top: RingArray = dealing.others_xor(tag + _TOP, r.size // 64).view(np.uint64)
    epilogue.signs(r, bits.ZERO, width - 1, 0, top)
    dealing.send(tag + _TOP, top)


def _compare_batch(
    context: Context, tag: int, y: RingArray, left: Positions, right: Positions, width: int, at_once: int
) -> Generator[Exchange, None, RingArray]:
    """The plane of bits [y[left] > y[right]], opened to every party, at most `at_once` of them in one go."""
    planes = []
    for start, stop in _goes(left.size, at_once):
        plane = yield from _compare(context, tag, y, left[start:stop], right[start:stop], width)
        planes.append(plane)
        tag += _STRIDE
    return np.concatenate(planes) if len(planes) > 1 else planes[0]


def _compare(
    context: Context, tag: int, y: RingArray, left: Positions, right: Positions, width: int
) -> Generator[Exchange, None, RingArray]:
    count, corr, shape = left.size, context.correlations, tree_shape(width - 1)
    masked = corr.words(tag + _R, count, word_type(width))
    sort_kernels.add_differences(y, left, right, masked)
    (hats,) = yield from open_sum(context, masked)
    public = comparison.public_words(hats, width)
    (plane,) = yield from comparison.compare(context, tag + _CHUNKS, tag + _TREE, public, shape)
    with spends(Part.KERNELS):
        plane ^= corr.dealt(tag + _TOP, plane.size)
    if context.first:
        epilogue.signs(public, bits.ZERO, width - 1, 1, plane)
    (opened,) = yield from open_xor(context, plane)
    context.opened(f"bits_{tag}", opened)
    return opened


def _batch_cost(parties: int, count: int, width: int) -> Cost:
    shape = tree_shape(width - 1)
    levels, products = comparison.tree_bytes(shape, count)
    plane = bits.blocks_of(count) * bits.BLOCK // 8
    opened = np.dtype(word_type(width)).itemsize * count + sum(levels) + plane
    return Cost.opening(
        parties, opened, comparison.chunk_bytes(shape, count) + products + plane, rounds=2 + len(levels)
    )


# --- the order of shuffled elements -----------------------------------------------------------------------------------


def _goes(size: int, at_once: int) -> list[tuple[int, int]]:
    """A batch in goes of at most `at_once` (a multiple of a block of bits) comparisons; 0: in one."""
    step = at_once or size
    return [(start, min(start + step, size)) for start in range(0, size, step)]


def _batches(count: int, at_once: int) -> list[int]:
    """Comparisons of every go."""
    sizes = (size for stage in schedule(count) for size in stage.batches)
    return [stop - start for size in sizes for start, stop in _goes(size, at_once)]


def _insert(
    context: Context, tag: int, stage: Stage, y: RingArray, pivots: Positions, width: int, at_once: int
) -> Generator[Exchange, None, Positions]:
    """The positions in sorted order, `stage.inserted` more than the pivots (which have the first positions)."""
    first, rest = pivots.size, stage.depth
    below, searches = np.zeros(stage.inserted, np.int32), stage.batches[: len(stage.fans)]
    for fan, size in zip(stage.fans, searches, strict=True):
        rest -= fan
        left, right = np.empty(size, np.int32), np.empty(size, np.int32)
        sort_kernels.search_pairs(first, below, pivots, fan, rest, left, right)
        plane = yield from _compare_batch(context, tag, y, left, right, width, at_once)
        sort_kernels.descend(below, plane, fan)
        tag += _STRIDE * len(_goes(size, at_once))
    starts, members = np.zeros(first + 2, np.int32), np.empty(stage.inserted, np.int32)
    sort_kernels.gaps_of(first, below, starts, members)
    left, right = np.zeros(stage.pairs, np.int32), np.zeros(stage.pairs, np.int32)
    if not sort_kernels.gap_pairs(starts, members, left, right):
        raise PoolExhausted(
            f"a random order of {first + stage.inserted} elements needs more than {stage.pairs} comparisons in one "
            "batch; run the program again",
            step="sort",
        )
    plane = np.zeros(0, np.uint64)
    if stage.pairs:
        plane = yield from _compare_batch(context, tag, y, left, right, width, at_once)
    merged = np.empty(first + stage.inserted, np.int32)
    sort_kernels.merge(starts, members, plane, pivots, merged)
    return merged


def _sorted_positions(context: Context, y: RingArray, width: int, at_once: int) -> Generator[Exchange, None, Positions]:
    """The shuffled elements' positions from smallest to largest: public."""
    tag, positions = _BATCHES, np.empty(0, np.int32)
    for stage in schedule(y.size):
        positions = yield from _insert(context, tag, stage, y, positions, width, at_once)
        tag += _STRIDE * sum(len(_goes(size, at_once)) for size in stage.batches)
    context.opened("order", positions.astype(np.uint64))
    return positions


class Sorting:
    """Sort, ArgSort and SortBy."""

    def reference(
        self,
        op: Sort | ArgSort | SortBy,
        types: Sequence[ValueType],
        inputs: Sequence[RingArray],
        coins: Coins,
        out: ValueType,
    ) -> RingArray:
        key = inputs[0].view(np.int64)
        if isinstance(op, Sort):
            return np.sort(key).view(np.uint64)
        by_key = np.argsort(key, kind="stable")
        return by_key.astype(np.uint64) if isinstance(op, ArgSort) else inputs[1].take(by_key, axis=0)

    def deal(self, op: Sort | ArgSort | SortBy, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        count, width = types[0].count, _width(op, types[0])
        deal_shuffle(dealing, 0, count, _columns(op, types))
        if isinstance(op, Sort):
            tags = permutation(dealing.words(_TAGS_FROM, count + sort_kernels.SPARE_WORDS), count)
            dealing.give(_TAGS, tags.astype(np.uint64))
        for index, size in enumerate(_batches(count, op.at_once)):
            _deal_batch(dealing, _BATCHES + _STRIDE * index, size, width)

    def run(
        self,
        op: Sort | ArgSort | SortBy,
        types: Sequence[ValueType],
        inputs: Sequence[Share],
        context: Context,
        out: ValueType,
    ) -> Round:
        count, key = types[0].count, inputs[0].words.reshape(-1, 1)
        columns = [key]
        if _indexed(op):
            columns.append(np.arange(count, dtype=np.uint64).reshape(-1, 1) * np.uint64(context.first))
        if isinstance(op, SortBy):
            columns.append(inputs[1].words.reshape(count, -1))
        with spends(Part.KERNELS):
            unsorted = np.concatenate(columns, axis=1)
        rows = yield from run_shuffle(context, 0, unsorted)
        del columns, unsorted
        y = np.ascontiguousarray(rows[:, 0])
        if _tagged(op):
            tags = context.correlations.dealt(_TAGS, count) if isinstance(op, Sort) else rows[:, 1]
            with spends(Part.KERNELS):
                y = (y << np.uint64(tag_bits(count))) + tags
            del tags
        positions = yield from _sorted_positions(context, y, _width(op, types[0]), op.at_once)
        kept = {Sort: slice(0, 1), ArgSort: slice(1, 2), SortBy: slice(1 + _indexed(op), None)}[type(op)]
        with spends(Part.KERNELS):
            words = rows[:, kept].take(positions, axis=0).reshape(out.shape)
        return Share(words)

    def cost(
        self, op: Sort | ArgSort | SortBy, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType
    ) -> Cost:
        count, width = types[0].count, _width(op, types[0])
        total = shuffle_cost(len(parties), count, _columns(op, types))
        if isinstance(op, Sort):
            total = total.then(Cost(0, (0,) * len(parties), 8 * count))
        for size in _batches(count, op.at_once):
            total = total.then(_batch_cost(len(parties), size, width))
        return total


def _indexed(op: Sort | ArgSort | SortBy) -> bool:
    """Whether an element's index travels with it."""
    return _tagged(op) and not isinstance(op, Sort)


def _columns(op: Sort | ArgSort | SortBy, types: Sequence[ValueType]) -> int:
    """Words of a shuffled row: the key, its index, the row's own."""
    return 1 + _indexed(op) + (types[1].count // types[1].shape[0] if isinstance(op, SortBy) else 0)
