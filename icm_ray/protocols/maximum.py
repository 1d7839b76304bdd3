"""Maximum and its index: a tree of max(a, b) = b + ReLU(a - b), halving the last axis every level.

The index travels with the value by the same opened bit d^: i = i_b + [a >= b] (i_a - i_b), opened masked beside d^.
The left one is `a`, so that the first of equals wins. Opened: what ReLU opens, and masked index differences; all
uniform.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from icm_ray.ops.compare import ArgMax, Maximum
from icm_ray.ops.cost import Cost
from icm_ray.ops.products import Epilogue
from icm_ray.ops.tree import tree_shape
from icm_ray.ops.values import ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols import comparison
from icm_ray.protocols.base import Coins, Context, Dealing, Round, Share, mask, open_low, open_sum, open_xor
from icm_ray.protocols.epilogue import FINISH_TAGS, deal_finish, finish_cost, run_finish, word_type
from icm_ray.ring import bits, epilogue
from icm_ray.ring.array import RingArray
from icm_ray.ring.narrow import bytes_of

__all__ = ["ArgMaximum", "Maxima"]

_STRIDE = 2 * FINISH_TAGS
_R = FINISH_TAGS
_S, _RD, _CHUNKS, _RY, _RD_RY, _RV, _RD_RV, _TREE = 0, 1, 2, 4, 5, 6, 7, 8


def _halves(size: int) -> list[int]:
    """Pairs compared at every level of a row of `size` values."""
    pairs = []
    while size > 1:
        pairs.append(size // 2)
        size -= size // 2
    return pairs


def _rows(x: ValueType) -> int:
    return x.count // x.shape[-1]


def _join(winners: RingArray, rest: RingArray) -> RingArray:
    """The next level's row: the winners, then the odd one out (later indices stay to the right)."""
    return np.concatenate([winners, rest], axis=1) if rest.shape[1] else winners


class Maxima:
    """The value alone."""

    def reference(
        self, op: Maximum, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        largest: RingArray = inputs[0].view(np.int64).max(axis=-1).reshape(out.shape).view(np.uint64)
        return largest

    def deal(self, op: Maximum, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        relu = Epilogue(relu=True, width=op.width)
        for level, pairs in enumerate(_halves(types[0].shape[-1])):
            tag = level * _STRIDE
            r = dealing.words(tag + _R, _rows(types[0]) * pairs, word_type(op.width))
            deal_finish(dealing, tag, r, relu, own_mask=True)

    def run(
        self, op: Maximum, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        relu, dtype = Epilogue(relu=True, width=op.width), word_type(op.width)
        row = inputs[0].words.reshape(-1, types[0].shape[-1])
        for level, pairs in enumerate(_halves(types[0].shape[-1])):
            tag = level * _STRIDE
            a, b = row[:, 0 : 2 * pairs : 2], row[:, 1 : 2 * pairs : 2]
            with spends(Part.KERNELS):
                difference = a - b
            r = context.correlations.words(tag + _R, difference.size, dtype)
            (x_hat,) = yield from open_low(context, op.width, mask(difference, r))
            winners = yield from run_finish(context, tag, x_hat, relu, r)
            with spends(Part.KERNELS):
                row = _join(b + winners.reshape(b.shape), row[:, 2 * pairs :])
        return Share(row.reshape(out.shape).copy())

    def cost(self, op: Maximum, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        total = Cost.free(len(parties))
        for pairs in _halves(types[0].shape[-1]):
            count = _rows(types[0]) * pairs
            opening = Cost.opening(len(parties), bytes_of(op.width) * count)
            total = total.then(opening)
            total = total.then(finish_cost(Epilogue(relu=True, width=op.width), count, len(parties), own_mask=True))
        return total


class ArgMaximum:
    """The index alone: value and index are carried by the same bit; the value is dropped at the root."""

    def reference(
        self, op: ArgMax, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        first: RingArray = inputs[0].view(np.int64).argmax(axis=-1).reshape(out.shape).astype(np.uint64)
        return first

    def deal(self, op: ArgMax, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        shape = tree_shape(op.width - 1)
        for level, pairs in enumerate(_halves(types[0].shape[-1])):
            tag, count = level * _STRIDE, _rows(types[0]) * pairs
            r = np.empty(bits.blocks_of(count) * bits.BLOCK, np.uint64)
            r_x = dealing.words(tag + _R, count, np.uint64).astype(np.uint64, copy=False)
            epilogue.high_part(r_x, 0, op.width, r)
            comparison.deal_chunks(dealing, tag + _CHUNKS, r, shape)
            comparison.deal_tree(dealing, tag + _TREE, count, shape)
            plane = dealing.planes(tag + _S, r.size // 64).copy()
            epilogue.signs(r, bits.ZERO, op.width - 1, 0, plane)
            r_d = np.empty(count, np.uint64)
            bits.unpack(plane, r_d)
            dealing.give(tag + _RD, r_d)
            with spends(Part.KERNELS):
                products = r_d * r_x, r_d * dealing.words(tag + _RY, count)
            dealing.give(tag + _RD_RV, products[0])
            dealing.give(tag + _RD_RY, products[1])

    def run(
        self, op: ArgMax, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        corr, shape, last = context.correlations, tree_shape(op.width - 1), types[0].shape[-1]
        row = inputs[0].words.reshape(-1, last)
        index = np.broadcast_to(np.arange(last, dtype=np.uint64) * np.uint64(context.first), row.shape)
        for level, pairs in enumerate(_halves(last)):
            tag = level * _STRIDE
            picked, rest = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
            with spends(Part.KERNELS):
                x = np.ascontiguousarray(row[:, picked] - row[:, rest]).reshape(-1)
                y = np.ascontiguousarray(index[:, picked] - index[:, rest]).reshape(-1)
            r, r_y = corr.words(tag + _R, x.size), corr.words(tag + _RY, y.size)
            x_hat, y_hat = yield from open_sum(context, mask(x, r), mask(y, r_y))
            public = comparison.public_words(x_hat, op.width)
            (plane,) = yield from comparison.compare(context, tag + _CHUNKS, tag + _TREE, public, shape)
            with spends(Part.KERNELS):
                plane ^= corr.words(tag + _S, plane.size)
            if context.first:
                epilogue.signs(public, bits.ZERO, op.width - 1, 1, plane)
            (d_hat,) = yield from open_xor(context, plane)
            r_d = corr.dealt(tag + _RD, x.size)
            value, carried = np.empty_like(x), np.empty_like(y)
            epilogue.select(x_hat, d_hat, r_d, x, corr.dealt(tag + _RD_RV, x.size), value)
            epilogue.select(y_hat, d_hat, r_d, y, corr.dealt(tag + _RD_RY, y.size), carried)
            pair_shape = (row.shape[0], pairs)
            with spends(Part.KERNELS):
                row = _join(row[:, rest] + value.reshape(pair_shape), row[:, 2 * pairs :])
                index = _join(index[:, rest] + carried.reshape(pair_shape), index[:, 2 * pairs :])
        return Share(index.reshape(out.shape).copy())

    def cost(self, op: ArgMax, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        shape, total = tree_shape(op.width - 1), Cost.free(len(parties))
        for pairs in _halves(types[0].shape[-1]):
            count = _rows(types[0]) * pairs
            levels, products = comparison.tree_bytes(shape, count)
            opened = 16 * count + sum(levels) + bits.blocks_of(count) * bits.BLOCK // 8
            dealt = comparison.chunk_bytes(shape, count) + products + 24 * count
            total = total.then(Cost.opening(len(parties), opened, dealt, rounds=2 + len(levels)))
        return total
