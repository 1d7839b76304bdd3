"""Arrange: rows go to places that are shares, by a shuffle whose places are opened.

The rows travel through a shuffle that nobody knows with the place of each; then the places are opened, modulo 2^32, and
everyone puts its own shares where they belong.

*Functionality.* Draw a permutation rho uniformly and publish it; give fresh shares of the rows, the one with place j
being row j. rho is independent of the input: places are a permutation of 0 .. n - 1, and a uniform shuffle makes any
one a uniform one. (A pass of a radix sort: Asharov, Hamada et al. 2022.)

*Security* against any n - 1 semi-honest parties that do not collude with the dealer. The shuffle leaks nothing, and its
shares of the places are fresh: words dealt for this, which are used for nothing else. So messages of the parties that
are not corrupted are uniform, but for their sum with the coalition's own, which is rho: the simulator draws it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from icm_ray.errors import ProgramError
from icm_ray.ops.cost import Cost
from icm_ray.ops.sorting import Arrange
from icm_ray.ops.values import ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Coins, Context, Dealing, Round, Share, open_sum
from icm_ray.protocols.shuffle import deal_shuffle, run_shuffle, shuffle_cost
from icm_ray.ring.array import RingArray

__all__ = ["Arranging"]


class Arranging:
    """Arrange."""

    def reference(
        self, op: Arrange, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        arranged = np.empty_like(inputs[1])
        arranged[inputs[0].astype(np.intp)] = inputs[1]
        return arranged

    def deal(self, op: Arrange, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        deal_shuffle(dealing, 0, out.shape[0], 1 + out.count // out.shape[0])

    def run(
        self, op: Arrange, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        count = out.shape[0]
        with spends(Part.KERNELS):
            unordered = np.concatenate([inputs[0].words.reshape(-1, 1), inputs[1].words.reshape(count, -1)], axis=1)
        rows = yield from run_shuffle(context, 0, unordered)
        del unordered
        with spends(Part.KERNELS):
            mine = rows[:, 0].astype(np.uint32)
        (places,) = yield from open_sum(context, mine)
        context.opened("places", places.astype(np.uint64))
        with spends(Part.KERNELS):
            if int(places.max()) >= count:
                raise ProgramError(f"rows are arranged by places from 0 to {count - 1}, each once")
            arranged = np.zeros((count, rows.shape[1] - 1), np.uint64)
            arranged[places] = rows[:, 1:]
        return Share(arranged.reshape(out.shape))

    def cost(self, op: Arrange, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        count = out.shape[0]
        shuffled = shuffle_cost(len(parties), count, 1 + out.count // count)
        return shuffled.then(Cost.opening(len(parties), 4 * count))
