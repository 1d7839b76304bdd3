"""Comparisons with public thresholds: one opening and one set of chunk words for all, a fresh tree for each.

[x >= T] = 1 xor msb(x - T), and x - T is masked by the same r: x^ - T is public. The bit is opened as d^ = b xor r_d
with r_d = s xor msb(r), and used as [b] = d^ + (1 - 2 d^)[r_d]. Dealt: chunk words once; for each threshold tree
products and [r_d]. Opened: x^, masked tree bits, d^: all uniform. Functionality: exact. Secure as in `comparison`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

from icm_ray.errors import BoundExceeded
from icm_ray.ops.compare import AtLeast, CheckFlag, Select, Thresholds
from icm_ray.ops.cost import Cost
from icm_ray.ops.tree import TreeShape, tree_shape
from icm_ray.ops.values import ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols import comparison
from icm_ray.protocols.base import Coins, Context, Dealing, Exchange, Round, Share, mask, open_sum, open_xor
from icm_ray.protocols.epilogue import word_type
from icm_ray.ring import bits, epilogue
from icm_ray.ring.array import RingArray

__all__ = ["Counting", "FlagChecks", "Selection"]

_R, _S, _RD, _CHUNKS, _RY, _RD_RY, _TREE = 0, 1, 2, 3, 5, 6, 16


def _deal_bits(dealing: Dealing, count: int, width: int, trees: int) -> tuple[RingArray, TreeShape]:
    """Deal everything for the bits of `trees` thresholds but [r_d]; returns r_d (trees, count)."""
    shape = tree_shape(width - 1)
    r = np.empty(bits.blocks_of(count) * bits.BLOCK, np.uint64)
    epilogue.high_part(dealing.words(_R, count, word_type(width)), 0, width, r)
    comparison.deal_chunks(dealing, _CHUNKS, r, shape)
    comparison.deal_tree(dealing, _TREE, count, shape, trees)
    s = dealing.planes(_S, trees * r.size // 64).reshape(trees, -1)
    top = np.zeros(r.size // 64, np.uint64)
    epilogue.signs(r, bits.ZERO, width - 1, 0, top)
    r_d = np.empty((trees, count), np.uint64)
    for tree in range(trees):
        with spends(Part.KERNELS):
            bits.unpack(s[tree] ^ top, r_d[tree])
    return r_d, shape


def _open_bits(
    context: Context, x: RingArray, width: int, thresholds: Sequence[int], beside: tuple[RingArray, ...] = ()
) -> Generator[Exchange, None, tuple[RingArray, tuple[RingArray, ...]]]:
    """d^ planes (thresholds, words); `beside`: masked arrays to open in the same round as x^, returned opened."""
    count, dtype, shape = x.size, word_type(width), tree_shape(width - 1)
    masked = mask(x, context.correlations.words(_R, count, dtype))
    x_hat, *opened = yield from open_sum(context, masked, *beside)
    context.opened("x_hat", x_hat)
    public = comparison.public_words(x_hat, width)
    planes = yield from comparison.compare(context, _CHUNKS, _TREE, public, shape, thresholds)
    with spends(Part.KERNELS):
        planes ^= context.correlations.words(_S, planes.size).reshape(planes.shape)
    if context.first:
        for plane, threshold in zip(planes, thresholds, strict=True):
            epilogue.signs(public, np.uint64(threshold % 2**64), width - 1, 1, plane)
    (d_hat,) = yield from open_xor(context, planes)
    return d_hat, tuple(opened)


def _bits_cost(count: int, width: int, trees: int, parties: int) -> Cost:
    shape = tree_shape(width - 1)
    levels, products = comparison.tree_bytes(shape, count, trees)
    opened = np.dtype(word_type(width)).itemsize * count + sum(levels)
    opened += bits.blocks_of(count) * bits.BLOCK // 8 * trees
    dealt = comparison.chunk_bytes(shape, count) + products + 8 * count * trees
    return Cost.opening(parties, opened, dealt, rounds=2 + len(levels))


def _thresholds(op: Thresholds) -> tuple[int, ...]:
    return (op.threshold,) if isinstance(op, AtLeast) else op.thresholds


class Counting:
    """AtLeast and CountAtLeast."""

    def reference(
        self, op: Thresholds, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        x = inputs[0].view(np.int64)
        if isinstance(op, AtLeast):
            return (x >= op.threshold).astype(np.uint64)
        return np.array([np.count_nonzero(x >= t) for t in op.thresholds], np.uint64)

    def deal(self, op: Thresholds, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        r_d, _ = _deal_bits(dealing, types[0].count, op.width, len(_thresholds(op)))
        dealing.give(_RD, r_d.reshape(-1))

    def run(
        self, op: Thresholds, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        x, thresholds = inputs[0].words.reshape(-1), _thresholds(op)
        d_hat, _ = yield from _open_bits(context, x, op.width, thresholds)
        r_d = context.correlations.dealt(_RD, x.size * len(thresholds)).reshape(len(thresholds), x.size)
        if isinstance(op, AtLeast):
            words = np.empty(x.size, np.uint64)
            epilogue.bit_words(d_hat[0], r_d[0], context.first, words)
            return Share(words.reshape(out.shape))
        counts = [epilogue.count_bits(d, r, context.first, x.size) for d, r in zip(d_hat, r_d, strict=True)]
        return Share(np.array(counts, np.uint64))

    def cost(self, op: Thresholds, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return _bits_cost(types[0].count, op.width, len(_thresholds(op)), len(parties))


class Selection:
    """y where x >= 0: d y with y^ = y + r_y opened beside x^. Dealt beyond the bits: [r_d], [r_d r_y]."""

    def reference(
        self, op: Select, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        return np.where(inputs[0].view(np.int64) >= 0, inputs[1], np.uint64(0))

    def deal(self, op: Select, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        r_d, _ = _deal_bits(dealing, out.count, op.width, 1)
        dealing.give(_RD, r_d[0])
        with spends(Part.KERNELS):
            product = r_d[0] * dealing.words(_RY, out.count)
        dealing.give(_RD_RY, product)

    def run(
        self, op: Select, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        with spends(Part.KERNELS):
            x, y = (np.ascontiguousarray(share.words.reshape(-1)) for share in inputs)
        r_y = context.correlations.words(_RY, y.size)
        d_hat, (y_hat,) = yield from _open_bits(context, x, op.width, (0,), (mask(y, r_y),))
        r_d, rd_ry = context.correlations.dealt(_RD, y.size), context.correlations.dealt(_RD_RY, y.size)
        words = np.empty(y.size, np.uint64)
        epilogue.select(y_hat, d_hat[0], r_d, y, rd_ry, words)
        return Share(words.reshape(out.shape))

    def cost(self, op: Select, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        beside = Cost(0, (8 * out.count * (len(parties) - 1),) * len(parties), 8 * out.count)
        return _bits_cost(out.count, op.width, 1, len(parties)).then(beside)


class FlagChecks:
    """Open a flag to all parties before anything else is; nothing but the flag is opened."""

    def reference(
        self, op: CheckFlag, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        return inputs[0]

    def deal(self, op: CheckFlag, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        pass

    def run(
        self, op: CheckFlag, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        flag = inputs[1].words.reshape(-1).copy()
        # shares of a computed flag depend on values: behind a fresh sharing of zero only their sum is seen
        for name in context.others:
            pad = context.keys[name].words(context.operation, 0, 1)
            flag = flag + pad if context.parties.index(context.me) < context.parties.index(name) else flag - pad
        (opened,) = yield from open_sum(context, flag)
        if int(opened[0]):
            raise BoundExceeded(
                f"{op.clause}; the result is withheld. {op.advice or 'Declare a larger bound'}",
                step=op.what,
            )
        return inputs[0]

    def cost(self, op: CheckFlag, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost.opening(len(parties), 8)
