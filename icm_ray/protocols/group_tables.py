"""Sums of several columns, and counts, over a domain that two digits cover: one-hot words of digits, not of keys.

A key k = k1 b + k2 < a b. x = v onehot(k1) (a words) times e2 = onehot(k2) (b words), summed over rows, is the table: a
product of matrices, whose masks the dealer multiplies and adds up itself: a b words for all rows.

1. k^ = k + r mod a b is opened, and v^ = v + alpha. r = r1 b + r2; k2 = k2^ - r2 mod b, so with h2 = onehot(r2) dealt
       e2[j] = h2[(k2^ - j) mod b],   c = [r2 > k2^] = sum of h2[s], s > k2^:   k1 = k1^ - r1 - c mod a.
2. F = e2 - B is opened, and d = k1 + q mod a under the parties' own w: q = w + r1, d_p = w_p - c_p, the first adds k1^.
3. With h1 = onehot(q) and h1 alpha dealt, x[i] = v^ h1[(d - i) mod a] - (h1 alpha)[(d - i) mod a]; E = x - A is opened.
4. x^T e2 = E^T (B + F) + A^T F + A^T B, the last one dealt. Counts are the sums of v = 1, without a mask.

Opened: k^, v^, F, d, E, each under words of its own: uniform. Functionality: exact. Secure against any n-1 semi-honest
parties without the dealer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from icm_ray.ops.cost import Cost
from icm_ray.ops.groups import GroupTable
from icm_ray.ops.values import ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Coins, Context, Dealing, Round, Share, open_sum
from icm_ray.protocols.groups import deal_one_hot, masked_key
from icm_ray.ring import groups
from icm_ray.ring.array import RingArray

__all__ = ["GroupTables"]

_R, _ALPHA, _LOW, _W, _B, _HIGH, _HIGH_ALPHA, _A, _AB = range(9)


class _Sizes:
    """Of rows n: b lower digits, of `low` bits, and a upper ones, of `high`, of which `used` occur; k columns of words
    for each of these.
    """

    def __init__(self, op: GroupTable, types: Sequence[ValueType]) -> None:
        self.rows, self.columns = types[0].count, len(types) - 1
        self.low = op.low_bits(self.columns)
        self.high = op.bits - self.low
        self.b, self.a = 1 << self.low, 1 << self.high
        self.used = op.high_digits(self.low)
        self.words = (self.columns + op.counts) * self.used

    def table(self, words: RingArray, out: ValueType) -> RingArray:
        """From (words, b) to the result."""
        rows, size = out.shape
        return np.ascontiguousarray(words.reshape(rows, self.used * self.b)[:, :size])


class GroupTables:
    """GroupTable."""

    def reference(
        self, op: GroupTable, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        key = (inputs[0].reshape(-1) % np.uint64(1 << op.bits)).astype(np.intp)
        total = np.zeros((out.shape[0], 1 << op.bits), np.uint64)
        for row, value in zip(total, inputs[1:], strict=False):
            np.add.at(row, key, value.reshape(-1))
        if op.counts:
            np.add.at(total[-1], key, np.uint64(1))
        return np.ascontiguousarray(total[:, : op.size])

    def deal(self, op: GroupTable, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        size = _Sizes(op, types)
        n, columns = size.rows, size.columns
        r = dealing.words(_R, n, np.uint8).view(np.uint8)
        alpha = dealing.words(_ALPHA, columns * n).reshape(columns, n).astype(np.uint64, copy=False)
        deal_one_hot(dealing, _LOW, r, size.low)
        with spends(Part.KERNELS):
            q = (r >> np.uint8(size.low)) + dealing.words(_W, n, np.uint8).view(np.uint8)
        deal_one_hot(dealing, _HIGH, q, size.high)
        products = dealing.others_sum(_HIGH_ALPHA, columns * n * size.a)
        for place, mask in zip(products.reshape(columns, n, size.a), alpha, strict=True):
            groups.deal_groups(q, mask, place)
        dealing.send(_HIGH_ALPHA, products)
        a = dealing.words(_A, n * size.words).reshape(n, size.words)
        b = dealing.words(_B, n * size.b).reshape(n, size.b)
        product = np.zeros((size.words, size.b), np.uint64)
        groups.add_outer(a, b, product)
        dealing.give(_AB, product.reshape(-1))

    def run(
        self, op: GroupTable, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        size, corr = _Sizes(op, types), context.correlations
        n, columns = size.rows, size.columns
        key = masked_key(context, _R, inputs[0].words)
        with spends(Part.KERNELS):
            values = corr.words(_ALPHA, columns * n).reshape(columns, n)
            for row, share in enumerate(inputs[1:]):
                values[row] += share.words.reshape(-1)
        k_hat, v_hat = yield from open_sum(context, key, values)
        del key, values
        hot = corr.dealt(_LOW, n * size.b).reshape(n, size.b)
        digits = corr.words(_W, n, np.uint8).view(np.uint8)
        b = corr.words(_B, n * size.b).reshape(n, size.b)
        masked = np.empty((n, size.b), np.uint64)
        groups.mask_low(k_hat, size.low, hot, b, digits, context.first, masked)
        del hot
        d, f = yield from open_sum(context, digits, masked)
        del digits
        hot = corr.dealt(_HIGH, n * size.a).reshape(n, size.a)
        products = corr.dealt(_HIGH_ALPHA, columns * n * size.a).reshape(columns, n, size.a)
        a = corr.words(_A, n * size.words).reshape(n, size.words)
        masked = np.empty((n, size.words), np.uint64)
        groups.mask_high(d, v_hat, hot, products, a, size.used, masked)
        del hot, products, v_hat
        (e,) = yield from open_sum(context, masked)
        del masked
        table: RingArray = corr.dealt(_AB, size.words * size.b).view(np.uint64).reshape(size.words, size.b)
        groups.add_outer(a, f, table)  # E.(B_p + [p = 0] F) + A_p.F + [A.B]
        with spends(Part.KERNELS):
            if context.first:
                b += f
        groups.add_outer(e, b, table)
        return Share(size.table(table, out))

    def cost(self, op: GroupTable, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        size = _Sizes(op, types)
        opened = 2 + 8 * (size.columns + size.b + size.words)
        dealt = 8 * (size.b + size.a + size.columns * size.a)
        return Cost.opening(len(parties), opened * size.rows, dealt * size.rows + 8 * size.words * size.b, rounds=3)
