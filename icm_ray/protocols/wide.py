"""The wide ring Z_2^256: Beaver's product there, and the way into it from Z_2^64.

Product. E = x - a, F = y - b opened; [xy] = E [b] + F [a] + E F + [ab]. Dealt: [ab], 32 bytes. Opened: E and F,
uniform.

Widen. With |x| < 2^62 and y = x + 2^62 in [0, 2^63), y^ = y + r mod 2^64 is opened; with m = msb(y^), c = low63(y^),
t = msb(r), rho = low63(r):   y = c - rho + (m xor t) 2^63   over the integers, so in any ring. Dealt in Z_2^256:
[rho], [t], 64 bytes. Opened: y^, uniform. 8 bytes sent to every peer, 1 round.

Functionality: exact. Secure against any n-1 semi-honest parties that do not collude with the dealer.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

from icm_ray.ops.cost import Cost
from icm_ray.ops.values import ValueType
from icm_ray.ops.wide import Widen, WideProduct
from icm_ray.protocols.base import Coins, Context, Dealing, Exchange, Round, Share, open_sum
from icm_ray.ring.array import RingArray
from icm_ray.ring.wide import LIMBS, from_integers, to_integers

__all__ = ["WideProducts", "Widening", "open_wide"]

_A, _B, _C = 0, 1, 2
_R, _RHO, _T = 0, 1, 2
_TOP = 63
_LOW = np.uint64((1 << _TOP) - 1)
_OFFSET = 1 << 62


def open_wide(context: Context, mine: RingArray) -> Generator[Exchange, None, list[int]]:
    """Open additively shared wide numbers (n, 4) to every party."""
    theirs = {name: (np.empty_like(mine),) for name in context.others}
    yield Exchange(dict.fromkeys(context.others, (mine,)), dict(theirs))
    columns = [to_integers(mine), *(to_integers(words) for (words,) in theirs.values())]
    return [sum(row) for row in zip(*columns, strict=True)]


def _numbers(context: Context, tag: int, count: int) -> list[int]:
    return to_integers(context.correlations.words(tag, count * LIMBS).reshape(-1, LIMBS))


class WideProducts:
    """WideProduct."""

    def reference(
        self, op: WideProduct, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        x, y = (to_integers(value.reshape(-1, LIMBS)) for value in inputs)
        return from_integers(a * b for a, b in zip(x, y, strict=True)).reshape(inputs[0].shape)

    def deal(self, op: WideProduct, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        sums = []
        for tag in (_A, _B):
            parts = [
                to_integers(dealing.party_words(tag, name, out.count * LIMBS).reshape(-1, LIMBS))
                for name in dealing.parties
            ]
            sums.append([sum(row) for row in zip(*parts, strict=True)])
        dealing.give_wide(_C, from_integers(a * b for a, b in zip(*sums, strict=True)))

    def run(
        self, op: WideProduct, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        x, y = (to_integers(share.words.reshape(-1, LIMBS)) for share in inputs)
        a, b = _numbers(context, _A, out.count), _numbers(context, _B, out.count)
        masked = [v - m for v, m in zip(x + y, a + b, strict=True)]
        opened = yield from open_wide(context, from_integers(masked))
        e, f = opened[: out.count], opened[out.count :]
        c = to_integers(context.correlations.dealt(_C, out.count * LIMBS).reshape(-1, LIMBS))
        rows = zip(e, f, a, b, c, strict=True)
        share = [ei * bi + fi * ai + ci + (ei * fi if context.first else 0) for ei, fi, ai, bi, ci in rows]
        return Share(from_integers(share).reshape(inputs[0].words.shape), "wide")

    def cost(self, op: WideProduct, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        size = 8 * LIMBS * out.count
        return Cost.opening(len(parties), 2 * size, size)


class Widening:
    """Widen."""

    def reference(
        self, op: Widen, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        signed = inputs[0].reshape(-1).view(np.int64).tolist()
        return from_integers(signed).reshape(*out.shape, LIMBS)

    def deal(self, op: Widen, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        r = dealing.words(_R, out.count).astype(np.uint64, copy=False)
        dealing.give_wide(_RHO, from_integers((r & _LOW).tolist()))
        dealing.give_wide(_T, from_integers((r >> np.uint64(_TOP)).tolist()))

    def run(
        self, op: Widen, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        x = np.ascontiguousarray(inputs[0].words.reshape(-1))
        masked = x + context.correlations.words(_R, x.size).astype(np.uint64, copy=False)
        if context.first:
            masked += np.uint64(_OFFSET)
        (y_hat,) = yield from open_sum(context, masked)
        rho, t = (to_integers(context.correlations.dealt(tag, x.size * LIMBS).reshape(-1, LIMBS)) for tag in (_RHO, _T))
        share = []
        for opened, rho_p, t_p in zip(y_hat.tolist(), rho, t, strict=True):
            m, c = opened >> _TOP, opened & int(_LOW)
            public = c + (m << _TOP) - _OFFSET if context.first else 0
            share.append(public - rho_p + (1 - 2 * m) * (t_p << _TOP))  # m xor t = m + (1 - 2 m) t
        return Share(from_integers(share).reshape(*out.shape, LIMBS), "wide")

    def cost(self, op: Widen, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost.opening(len(parties), 8 * out.count, 2 * 8 * LIMBS * out.count)
