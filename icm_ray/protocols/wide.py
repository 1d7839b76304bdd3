"""Beaver's product in the wide ring Z_2^256: E = x - a, F = y - b opened; [xy] = E [b] + F [a] + E F + [ab].

Dealt: [ab], 32 bytes. Opened: E and F, uniform in Z_2^256. Functionality: exact. Secure as every product.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.cost import Cost
from icm_ray.ops.values import ValueType
from icm_ray.ops.wide import WideProduct
from icm_ray.protocols.base import Coins, Context, Dealing, Exchange, Round, Share
from icm_ray.ring.wide import LIMBS, from_integers, to_integers

__all__ = ["WideProducts", "open_wide"]

Ring = NDArray[np.uint64]
_A, _B, _C = 0, 1, 2


def open_wide(context: Context, mine: Ring) -> Generator[Exchange, None, list[int]]:
    """Open additively shared wide numbers (n, 4) to every party."""
    theirs = {name: (np.empty_like(mine),) for name in context.others}
    yield Exchange(dict.fromkeys(context.others, (mine,)), dict(theirs))
    columns = [to_integers(mine), *(to_integers(words) for (words,) in theirs.values())]
    return [sum(row) for row in zip(*columns, strict=True)]


def _numbers(context: Context, tag: int, count: int) -> list[int]:
    return to_integers(context.correlations.words(tag, count * LIMBS).reshape(-1, LIMBS))


class WideProducts:
    def reference(
        self, op: WideProduct, types: Sequence[ValueType], inputs: Sequence[Ring], coins: Coins, out: ValueType
    ) -> Ring:
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
