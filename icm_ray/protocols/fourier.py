"""Trigonometric sums and exponentials in one opening: public factors of x^ times dealt factors of r.

With t = 2 pi x / 2^period, t^ and rho the same of x^ = x + r and of r, modulo a turn whatever bits lie above:
    cos k t = cos k t^ cos k rho + sin k t^ sin k rho,      sin k t = sin k t^ cos k rho - cos k t^ sin k rho,
so that a trigonometric sum of x is linear in the dealt [cos k rho], [sin k rho]: two words for each harmonic, no cells.
A function on an interval of half a turn or so is such a sum with an error that falls geometrically in their number
(Fourier extension; Huybrechs 2010), plus at most a multiple of x, which is local.

e^x, x <= 0: x lies in the cell i = (k^ - r_hi) mod M of width 2^shift, lo = c - r_lo as in `protocols.smooth`, and
    e^x = e^(i + c) e^(-r_lo) = sum over slots s of e^(cell of s) e^c [one-hot(r_hi)_s e^(-r_lo)]
with one dealt word for each slot.

All sines, cosines and powers are rounded integers, the public ones computed in integers. Around both:
`ClampedFunction`.
Opened: what `protocols.clamped` opens, uniform. Functionality: that of `reference`, the coins of its divisions
published. Secure against any n-1 semi-honest parties that do not collude with the dealer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.cost import Cost
from icm_ray.ops.seams import Words
from icm_ray.ops.smooth import ExpNegative, Periodic
from icm_ray.ops.values import ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Coins, Context, Dealing, Round, Share
from icm_ray.protocols.clamped import ClampedFunction
from icm_ray.ring import fourier
from icm_ray.ring.array import RingArray

__all__ = ["Exponentials", "TrigonometricSums"]

_FACTORS = 1


def _integers(values: tuple[int, ...]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _waves_domain(op: Periodic) -> ClampedFunction:
    return ClampedFunction(op.edges, op.period, op.excess, op.word)


@spends(Part.KERNELS)
def _wave_sum(op: Periodic, x: Words, x_hat: Words, dealt: Words, first: bool, domain: ClampedFunction) -> Words:
    """A share of the sum, from a share of x and of the dealt words (in place of the whole: first)."""
    total: Words = x.astype(domain.sums) * domain.sums(op.linear % 2**op.word)
    if first:
        total += domain.sums(op.constant % 2**op.word)
    harmonics, cosines, sines = _integers(op.harmonics), _integers(op.cosines), _integers(op.sines)
    table = fourier.wave_table()
    fourier.sum_waves(x_hat, op.period, harmonics, cosines, sines, dealt.reshape(x.size, -1), table, total)
    return total


class TrigonometricSums:
    """Periodic."""

    def reference(
        self, op: Periodic, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        domain, x = _waves_domain(op), inputs[0].reshape(-1)
        x_hat = coins["x_hat"].astype(np.uint64)
        dealt = np.zeros((x.size, 2 * len(op.harmonics)), domain.sums)
        fourier.deal_waves(x_hat - x, op.period, _integers(op.harmonics), op.dealt_bits, fourier.wave_table(), dealt)
        total = _wave_sum(op, x, x_hat, dealt, True, domain).astype(np.uint64)
        return domain.reference(x, total, coins).reshape(out.shape)

    def deal(self, op: Periodic, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        domain, size = _waves_domain(op), 2 * len(op.harmonics)
        r = domain.deal(dealing, out.count)
        factors = dealing.others_sum(_FACTORS, out.count * size, domain.sums)
        rows = factors.reshape(out.count, size)
        fourier.deal_waves(r, op.period, _integers(op.harmonics), op.dealt_bits, fourier.wave_table(), rows)
        dealing.send(_FACTORS, factors)

    def run(
        self, op: Periodic, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        domain, x = _waves_domain(op), np.ascontiguousarray(inputs[0].words.reshape(-1))
        size = out.count * 2 * len(op.harmonics)

        def function(x_hat: Words) -> Words:
            dealt = context.correlations.dealt(_FACTORS, size, domain.sums)
            return _wave_sum(op, x, x_hat, dealt, context.first, domain)

        share = yield from domain.run(context, x, function)
        return Share(share.words.reshape(out.shape))

    def cost(self, op: Periodic, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        factors = op.word // 8 * out.count * 2 * len(op.harmonics)
        return _waves_domain(op).cost(out.count, len(parties), factors)


def _powers_domain(op: ExpNegative) -> ClampedFunction:
    return ClampedFunction(op.edges, op.shift + op.cell_bits, op.excess, op.word)


@spends(Part.KERNELS)
def _power_sum(op: ExpNegative, f: int, x_hat: Words, dealt: Words, domain: ClampedFunction) -> Words:
    total = np.empty(x_hat.size, domain.sums)
    tables, cells = fourier.power_tables(op.shift, f), fourier.cell_powers(op.cell_bits, op.shift, f)
    rows = dealt.reshape(x_hat.size, -1)
    fourier.sum_powers(x_hat, op.shift, f, op.cell_bits, op.public_bits, tables, cells, rows, total)
    return total


class Exponentials:
    """ExpNegative."""

    def reference(
        self, op: ExpNegative, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        domain, x, f = _powers_domain(op), inputs[0].reshape(-1), types[0].f
        x_hat = coins["x_hat"].astype(np.uint64)
        dealt = np.zeros((x.size, 1 << op.cell_bits), domain.sums)
        fourier.deal_powers(
            x_hat - x, op.shift, f, op.cell_bits, op.dealt_bits, fourier.power_tables(op.shift, f), dealt
        )
        total = _power_sum(op, f, x_hat, dealt, domain).astype(np.uint64)
        return domain.reference(x, total, coins).reshape(out.shape)

    def deal(self, op: ExpNegative, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        domain, tables = _powers_domain(op), fourier.power_tables(op.shift, types[0].f)
        r = domain.deal(dealing, out.count)
        factors = dealing.others_sum(_FACTORS, out.count << op.cell_bits, domain.sums)
        rows = factors.reshape(out.count, -1)
        fourier.deal_powers(r, op.shift, types[0].f, op.cell_bits, op.dealt_bits, tables, rows)
        dealing.send(_FACTORS, factors)

    def run(
        self, op: ExpNegative, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        domain, x = _powers_domain(op), np.ascontiguousarray(inputs[0].words.reshape(-1))

        def function(x_hat: Words) -> Words:
            dealt = context.correlations.dealt(_FACTORS, x.size << op.cell_bits, domain.sums)
            return _power_sum(op, types[0].f, x_hat, dealt, domain)

        share = yield from domain.run(context, x, function)
        return Share(share.words.reshape(out.shape))

    def cost(self, op: ExpNegative, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return _powers_domain(op).cost(out.count, len(parties), op.word // 8 * out.count << op.cell_bits)
