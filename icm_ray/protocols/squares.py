"""Sums of squares of numbers whose squares do not fit Z_2^64: as sums of hi^2, hi lo and lo^2 of a split, in one
opening.

y = x + 2^62 in [0, 2^63) is opened under r as in `protocols.wide`: with m = msb(y^), c = low63(y^), t = msb(r),
low63(r) = rho 2^s + r_lo and c = C 2^s + c_lo,
    x = hi 2^s + lo,   hi = A - rho + sigma kappa t,   lo = c_lo - r_lo,
    A = C - 2^(62-s) + m kappa,   sigma = 1 - 2 m,   kappa = 2^(63-s):          A, sigma, c_lo public, rho, t, r_lo
    dealt.
Squared out, with t^2 = t and sigma^2 = 1:
    hi^2   = A^2 - 2 A rho + rho^2 + kappa^2 t + 2 kappa A sigma t - 2 kappa sigma t rho
    hi lo  = A c_lo - A r_lo - c_lo rho + rho r_lo + kappa sigma c_lo t - kappa sigma t r_lo
    lo^2   = c_lo^2 - 2 c_lo r_lo + r_lo^2
Dealt for each value: [rho], [t], [t rho], [t r_lo] ([r_lo] = [r] - 2^63 [t] - 2^s [rho]), and once the sums of rho^2,
rho r_lo and r_lo^2: 32 bytes a value and 24. Opened: y^, uniform. 8 bytes sent to every peer, 1 round.

Functionality: draw u in [0, 2^s) uniformly, publish it, split with hi = (x >> s) + [x mod 2^s > u], lo = x - hi 2^s,
and return the three sums; 2^(2s) hi^2 + 2^(s+1) hi lo + lo^2 is the sum of x^2, exactly, whatever u was.
Secure against any n-1 semi-honest parties that do not collude with the dealer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from icm_ray.ops.cost import Cost
from icm_ray.ops.values import ValueType
from icm_ray.ops.wide import SquareParts
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Coins, Context, Dealing, Round, Share, open_sum
from icm_ray.ring.array import RingArray

__all__ = ["SquaresOfParts"]

_R, _RHO, _T, _T_RHO, _T_LOW, _CONSTANTS = 0, 1, 2, 3, 4, 5
_TOP = np.uint64(63)
_LOW63 = np.uint64((1 << 63) - 1)
_OFFSET = np.uint64(1 << 62)
_ONE, _TWO = np.uint64(1), np.uint64(2)


def _cut(words: RingArray, shift: int) -> tuple[RingArray, RingArray, RingArray]:
    """msb, low63 >> shift, low `shift` bits."""
    low = words & _LOW63
    return words >> _TOP, low >> np.uint64(shift), low & np.uint64((1 << shift) - 1)


def _dot(x: RingArray, y: RingArray) -> RingArray:
    """The sum of x y, shape (1,): arrays wrap around in silence, scalars do not."""
    product: RingArray = np.dot(x, y).reshape(1)
    return product


class SquaresOfParts:
    """SquareParts."""

    def reference(
        self, op: SquareParts, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        x, low = inputs[0].reshape(-1), np.uint64((1 << op.shift) - 1)
        up = (x & low) > (coins["x_hat"] & low)
        high = ((x.view(np.int64) >> op.shift) + up).view(np.uint64)
        rest = x - (high << np.uint64(op.shift))
        return np.array([np.dot(high, high), np.dot(high, rest), np.dot(rest, rest)], np.uint64)

    def deal(self, op: SquareParts, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        r = dealing.words(_R, types[0].count).astype(np.uint64, copy=False)
        with spends(Part.KERNELS):
            t, rho, r_lo = _cut(r, op.shift)
            given = (_RHO, rho), (_T, t), (_T_RHO, t * rho), (_T_LOW, t * r_lo)
            constants = np.array([np.dot(rho, rho), np.dot(rho, r_lo), np.dot(r_lo, r_lo)], np.uint64)
        for tag, value in given:
            dealing.give(tag, value)
        dealing.give(_CONSTANTS, constants)

    def run(
        self, op: SquareParts, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        x, dealt = inputs[0].words.reshape(-1), context.correlations.dealt
        r = context.correlations.words(_R, x.size).astype(np.uint64, copy=False)
        with spends(Part.KERNELS):
            masked = x + r + (_OFFSET if context.first else np.uint64(0))
        (y_hat,) = yield from open_sum(context, masked)
        context.opened("x_hat", y_hat)
        rho, t, t_rho, t_low = (dealt(tag, x.size).view(np.uint64) for tag in (_RHO, _T, _T_RHO, _T_LOW))
        with spends(Part.KERNELS):
            r_lo = r - (t << _TOP) - (rho << np.uint64(op.shift))
            m, high, c_lo = _cut(y_hat.astype(np.uint64, copy=False), op.shift)
            kappa, kappa_squared = (np.uint64((1 << power * (63 - op.shift)) % 2**64) for power in (1, 2))
            a, sigma = high - (_OFFSET >> np.uint64(op.shift)) + m * kappa, _ONE - _TWO * m
            squares = kappa_squared * _dot(np.ones_like(t), t) - _TWO * _dot(a, rho)
            squares += _TWO * kappa * (_dot(a * sigma, t) - _dot(sigma, t_rho))
            mixed = kappa * (_dot(sigma * c_lo, t) - _dot(sigma, t_low)) - _dot(a, r_lo) - _dot(c_lo, rho)
            share = np.concatenate([squares, mixed, _TWO * _dot(c_lo, np.uint64(0) - r_lo)])
            share += dealt(_CONSTANTS, 3)
            if context.first:
                share += np.array([np.dot(a, a), np.dot(a, c_lo), np.dot(c_lo, c_lo)], np.uint64)
        return Share(share)

    def cost(self, op: SquareParts, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        count = types[0].count
        return Cost.opening(len(parties), 8 * count, 32 * count + 24)
