"""Sums over small domains in one round.

k^ = k + r mod 2^m is opened (m bits); with h = onehot(r) dealt, e[i] = h[(k^ - i) mod 2^m] is [k = i].
Counts: sum of e. Sums of values: v^ = v + a opened beside k^, h and h.a dealt: sum of v^ e[i] - (h.a)[(k^ - i) mod
2^m]. Opened: k^, v^, uniform. Functionality: exact. Secure against any n-1 semi-honest parties without the dealer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.cost import Cost
from icm_ray.ops.groups import GroupCount, GroupSum
from icm_ray.ops.values import ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Coins, Context, Dealing, Round, Share, mask, open_sum
from icm_ray.ring import groups
from icm_ray.ring.array import RingArray

__all__ = ["GroupCounts", "GroupSums", "deal_one_hot", "masked_key"]

_R, _H, _A, _HA = 0, 1, 2, 3


def _deal_keys(dealing: Dealing, count: int, bits: int) -> NDArray[np.uint8]:
    """Deal h; returns r, whose lower bits are the key's mask."""
    r = dealing.words(_R, count, np.uint8).view(np.uint8)
    deal_one_hot(dealing, _H, r, bits)
    return r


def deal_one_hot(dealing: Dealing, tag: int, r: NDArray[np.uint8], bits: int, times: RingArray | None = None) -> None:
    """Deal onehot(r mod 2^bits), or that times the masks (n,), for r (n,): n 2^bits words."""
    words = dealing.others_sum(tag, r.size << bits)
    a = np.empty(0, np.uint64) if times is None else times
    groups.deal_groups(r, a, words.reshape(r.size, 1 << bits))
    dealing.send(tag, words)


def _folded(sums: RingArray) -> RingArray:
    out = np.empty(sums.size // 2, np.uint64)
    groups.fold(sums, out)
    return out


@spends(Part.KERNELS)
def masked_key(context: Context, tag: int, key: RingArray) -> NDArray[np.uint8]:
    """Keys (rows,) under the words of `tag`."""
    # the word's upper bits are masked too, so that sending all eight tells no more than k^ mod 2^m
    masked: NDArray[np.uint8] = key.reshape(-1).astype(np.uint8) + context.correlations.words(tag, key.size, np.uint8)
    return masked


class GroupCounts:
    """How many keys have each value."""

    def reference(
        self, op: GroupCount, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        key = inputs[0].reshape(-1) % np.uint64(1 << op.bits)
        return np.bincount(key.astype(np.intp), minlength=1 << op.bits).astype(np.uint64)

    def deal(self, op: GroupCount, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        _deal_keys(dealing, types[0].count, op.bits)

    def run(
        self, op: GroupCount, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        (k_hat,) = yield from open_sum(context, masked_key(context, _R, inputs[0].words))
        hot = context.correlations.dealt(_H, k_hat.size << op.bits).reshape(k_hat.size, 1 << op.bits)
        sums = np.zeros(2 << op.bits, np.uint64)
        groups.count_groups(k_hat, hot, sums)
        return Share(_folded(sums))

    def cost(self, op: GroupCount, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost.opening(len(parties), types[0].count, 8 * types[0].count << op.bits)


class GroupSums:
    """The sum of the values of each key, and the counts from the same opening where they are wanted."""

    def reference(
        self, op: GroupSum, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        total = np.zeros((2 if op.counts else 1, 1 << op.bits), np.uint64)
        key = (inputs[0].reshape(-1) % np.uint64(1 << op.bits)).astype(np.intp)
        np.add.at(total[0], key, inputs[1].reshape(-1))
        if op.counts:
            np.add.at(total[1], key, np.uint64(1 << out.f))
        return total.reshape(out.shape)

    def deal(self, op: GroupSum, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        r = _deal_keys(dealing, types[0].count, op.bits)
        a = dealing.words(_A, types[0].count).astype(np.uint64, copy=False)
        deal_one_hot(dealing, _HA, r, op.bits, a)

    def run(
        self, op: GroupSum, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        corr = context.correlations
        with spends(Part.KERNELS):
            value = np.ascontiguousarray(inputs[1].words.reshape(-1))
        key = masked_key(context, _R, inputs[0].words)
        k_hat, v_hat = yield from open_sum(context, key, mask(value, corr.words(_A, value.size)))
        hot, masked = (corr.dealt(tag, value.size << op.bits).reshape(value.size, 1 << op.bits) for tag in (_H, _HA))
        sums = np.zeros(2 << op.bits, np.uint64)
        groups.sum_groups(k_hat, v_hat, hot, masked, sums)
        result = _folded(sums)
        if op.counts:
            sums[:] = 0
            groups.count_groups(k_hat, hot, sums)
            result = np.concatenate([result, _folded(sums) << np.uint64(out.f)])
        return Share(result.reshape(out.shape))

    def cost(self, op: GroupSum, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost.opening(len(parties), 9 * types[0].count, 16 * types[0].count << op.bits)
