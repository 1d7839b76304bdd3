"""Wide rings Z_2^(64 L): Beaver's product there, and the way into them from Z_2^64.

Product. E = x - a, F = y - b opened; [xy] = E [b] + F [a] + E F + [ab]. Dealt: [ab], 8 L bytes. Opened: E and F,
uniform; 16 L bytes sent to every peer.

Widen. With |x| < 2^62 and y = x + 2^62 in [0, 2^63), y^ = y + r mod 2^64 is opened; with m = msb(y^), c = low63(y^),
t = msb(r), rho = low63(r):   y = c - rho + (m xor t) 2^63   over the integers, so in any ring. Dealt in the wide
ring: [rho], [t], 16 L bytes. Opened: y^, uniform. 8 bytes sent to every peer, 1 round.

Functionality: exact. Secure against any n-1 semi-honest parties that do not collude with the dealer.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

from icm_ray.ops.cost import Cost
from icm_ray.ops.values import ValueType
from icm_ray.ops.wide import Widen, WideProduct
from icm_ray.protocols.base import Coins, Context, Dealing, Exchange, Round, Share, open_sum
from icm_ray.ring import limbs
from icm_ray.ring.array import RingArray
from icm_ray.ring.wide import from_integers, to_integers

__all__ = ["WideProducts", "Widening", "open_wide"]

_A, _B, _C = 0, 1, 2
_R, _RHO, _T = 0, 1, 2
_TOP = np.uint64(63)
_LOW = np.uint64((1 << 63) - 1)
_OFFSET = np.uint64(1 << 62)


def open_wide(context: Context, mine: RingArray) -> Generator[Exchange, None, RingArray]:
    """Open additively shared wide numbers (n, limbs) to every party."""
    theirs = {name: (np.empty_like(mine),) for name in context.others}
    yield Exchange(dict.fromkeys(context.others, (mine,)), dict(theirs))
    total = mine.copy()
    for (words,) in theirs.values():
        limbs.add(total, words, total)
    return total


def _masks(context: Context, tag: int, out: ValueType) -> RingArray:
    words = context.correlations.words(tag, out.count * out.limbs)
    return words.astype(np.uint64, copy=False).reshape(-1, out.limbs)


def _dealt(context: Context, tag: int, out: ValueType) -> RingArray:
    words = context.correlations.dealt(tag, out.count * out.limbs)
    return words.astype(np.uint64, copy=False).reshape(-1, out.limbs)


def _rows(share: Share, out: ValueType) -> RingArray:
    return np.ascontiguousarray(share.words.reshape(-1, out.limbs))


class WideProducts:
    """WideProduct."""

    def reference(
        self, op: WideProduct, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        x, y = map(to_integers, inputs)
        return from_integers((a * b for a, b in zip(x, y, strict=True)), out.limbs).reshape(inputs[0].shape)

    def deal(self, op: WideProduct, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        sums = []
        for tag in (_A, _B):
            total, *rest = (
                dealing.party_words(tag, name, out.count * out.limbs).reshape(-1, out.limbs) for name in dealing.parties
            )
            for words in rest:
                limbs.add(total, words, total)
            sums.append(total)
        product = np.zeros((out.count, out.limbs), np.uint64)
        limbs.add_product(*sums, product)
        dealing.give_wide(_C, product)

    def run(
        self, op: WideProduct, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        a, b = _masks(context, _A, out), _masks(context, _B, out)
        masked = np.empty((2 * out.count, out.limbs), np.uint64)
        e, f = masked[: out.count], masked[out.count :]
        limbs.subtract(_rows(inputs[0], out), a, e)
        limbs.subtract(_rows(inputs[1], out), b, f)
        opened = yield from open_wide(context, masked)
        e, f = opened[: out.count], opened[out.count :]
        share = _dealt(context, _C, out)
        if context.first:
            limbs.add(b, f, b)
        limbs.add_product(e, b, share)  # E [b] + F [a] + E F + [ab]
        limbs.add_product(f, a, share)
        return Share(share.reshape(inputs[0].words.shape), "wide")

    def cost(self, op: WideProduct, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        size = 8 * out.limbs * out.count
        return Cost.opening(len(parties), 2 * size, size)


class Widening:
    """Widen."""

    def reference(
        self, op: Widen, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        signed = inputs[0].reshape(-1).view(np.int64).tolist()
        return from_integers(signed, out.limbs).reshape(*out.shape, out.limbs)

    def deal(self, op: Widen, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        r = dealing.words(_R, out.count).astype(np.uint64, copy=False)
        for tag, part in ((_RHO, r & _LOW), (_T, r >> _TOP)):
            wide = np.zeros((out.count, out.limbs), np.uint64)
            wide[:, 0] = part
            dealing.give_wide(tag, wide)

    def run(
        self, op: Widen, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        x = np.ascontiguousarray(inputs[0].words.reshape(-1))
        masked = x + context.correlations.words(_R, x.size).astype(np.uint64, copy=False)
        if context.first:
            masked += _OFFSET
        (y_hat,) = yield from open_sum(context, masked)
        share, t = (_dealt(context, tag, out) for tag in (_RHO, _T))
        limbs.widen(y_hat, t, context.first, share)  # m xor t = m + (1 - 2 m) t
        return Share(share.reshape(*out.shape, out.limbs), "wide")

    def cost(self, op: Widen, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost.opening(len(parties), 8 * out.count, 2 * 8 * out.limbs * out.count)
