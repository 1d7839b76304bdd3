"""Piecewise polynomials in one round: a public polynomial of the opened low part, times dealt words, summed over cells.

x^ = x + r is opened modulo 2^w, w = shift + cell bits. With k^ = x^ >> shift, c = low(x^) >> drop, and r cut alike,
    cell i = (k^ - r_hi) mod M,     lo = c - r_lo,     [x is in cell i] = h[(k^ - i) mod M],  h = one-hot(r_hi)
so that, C_i,k the public coefficients,
    p(x) = sum_i sum_k C_i,k lo^k h[(k^ - i) mod M] = sum_j sum_i q_j(i, c) (h r_lo^j)[(k^ - i) mod M],
    q_j(i, c) = (-1)^j sum_(k >= j) binom(k, j) C_i,k c^(k-j),
which is linear in the dealt words [h r_lo^j], j = 0 .. degree. The cell is that of x or, by the public coin low(x^),
the next one, as in a truncation: polynomials are made for both. Sums are taken in Z_2^32 where that is wide enough;
a share of a 32-bit result becomes one in Z_2^64 with the truncation that follows anyway.

Opened: x^, uniform. Functionality: publish u uniform in [0, 2^shift), evaluate the polynomial of the cell that u picks.
Secure against any n-1 semi-honest parties that do not collude with the dealer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from icm_ray.ops.cost import Cost
from icm_ray.ops.products import Epilogue
from icm_ray.ops.smooth import Piecewise
from icm_ray.ops.values import ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Coins, Context, Dealing, Round, Share, mask, open_sum
from icm_ray.protocols.epilogue import deal_finish, finish_cost, finish_reference, run_finish, word_type
from icm_ray.ring import piecewise
from icm_ray.ring.array import RingArray

__all__ = ["PiecewisePolynomials"]

_R, _CELLS, _OUT, _FINISH = 0, 1, 2, 16


def _finish(op: Piecewise) -> Epilogue:
    """The division that brings the sum to the result's fractional bits, and into Z_2^64."""
    return Epilogue(shift=op.excess, width=op.word)


def _width(op: Piecewise) -> int:
    return op.shift + op.cell_bits


def _word(op: Piecewise) -> type[np.unsignedinteger]:
    return word_type(op.word)


class PiecewisePolynomials:
    """One opening for cell and low part, a second for the division that follows."""

    def reference(
        self, op: Piecewise, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        x, x_hat = inputs[0].reshape(-1).view(np.int64), coins["x_hat"].astype(np.uint64)
        low = np.uint64((1 << op.shift) - 1)
        # r_lo = c - x_lo, with a borrow where the coin moves x to the next cell
        cell = (x >> op.shift) + ((inputs[0].reshape(-1) & low) > (x_hat & low))
        dropped = (x_hat & low) >> np.uint64(op.drop)
        r_low = ((x_hat - inputs[0].reshape(-1)) & low) >> np.uint64(op.drop)
        lo = dropped.astype(np.int64) - r_low.astype(np.int64)
        half = 1 << (op.cell_bits - 1)
        rows = np.array(op.coefficients, np.int64)[(cell + half) % (2 * half)]
        total = np.zeros(x.size, np.int64)
        for power in reversed(range(rows.shape[1])):
            total = total * lo + rows[:, power]
        narrow = total.view(np.uint64).astype(_word(op))
        signed = narrow.view(np.int32).astype(np.int64) if op.word == 32 else narrow.view(np.int64)
        return finish_reference(_finish(op), signed.view(np.uint64), coins["x_hat_2"]).reshape(out.shape)

    def deal(self, op: Piecewise, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        count, powers = out.count, len(op.coefficients[0])
        r = dealing.words(_R, count, word_type(_width(op)))
        cells = dealing.others_sum(_CELLS, count * powers << op.cell_bits, _word(op))
        piecewise.deal_cells(r, op.shift, op.drop, op.cell_bits, cells.reshape(count, powers, -1))
        dealing.send(_CELLS, cells)
        deal_finish(dealing, _FINISH, dealing.words(_OUT, count, _word(op)), _finish(op), own_mask=True)

    def run(
        self, op: Piecewise, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        count, powers, corr = out.count, len(op.coefficients[0]), context.correlations
        dtype = word_type(_width(op))
        (x_hat,) = yield from open_sum(context, mask(inputs[0].words, corr.words(_R, count, dtype)))
        context.opened("x_hat", x_hat)
        cells = corr.dealt(_CELLS, count * powers << op.cell_bits, _word(op)).reshape(count, powers, -1)
        table = piecewise.rotated_table(op.coefficients, _word(op))
        share = np.empty(count, _word(op))
        piecewise.evaluate(x_hat, op.shift, op.drop, op.cell_bits, table, cells, share)
        r = corr.words(_OUT, count, _word(op))
        with spends(Part.KERNELS):
            share += r
        (y_hat,) = yield from open_sum(context, share)
        context.opened("x_hat_2", y_hat)
        words = yield from run_finish(context, _FINISH, y_hat, _finish(op), r)
        return Share(words.reshape(out.shape))

    def cost(self, op: Piecewise, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        count, word = out.count, op.word // 8
        cells = word * count * len(op.coefficients[0]) << op.cell_bits
        first = Cost.opening(len(parties), np.dtype(word_type(_width(op))).itemsize * count, cells)
        second = Cost.opening(len(parties), word * count)
        return first.then(second).then(finish_cost(_finish(op), count, len(parties), own_mask=True))
