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
from icm_ray.ops.domain import GroupCount, GroupSum
from icm_ray.ops.values import ValueType
from icm_ray.protocols.base import Coins, Context, Dealing, Round, Share, open_sum

__all__ = ["GroupCounts", "GroupSums"]

Ring = NDArray[np.uint64]
_R, _H, _A, _HA = 0, 1, 2, 3


def _one_hot(r: Ring, domain: int) -> Ring:
    hot = np.zeros((r.size, domain), np.uint64)
    hot[np.arange(r.size), r.astype(np.intp)] = 1
    return hot


def _deal_keys(dealing: Dealing, count: int, bits: int) -> Ring:
    r = dealing.words(_R, count, np.uint8) & np.uint8((1 << bits) - 1)
    hot = _one_hot(r.astype(np.uint64), 1 << bits)
    dealing.give(_H, hot.reshape(-1))
    return hot


def _rotation(k_hat: Ring, domain: int) -> NDArray[np.intp]:
    """For every row the positions (k^ - i) mod domain, i = 0 .. domain - 1."""
    return ((k_hat[:, None].astype(np.int64) - np.arange(domain)) % domain).astype(np.intp)


def _masked_key(context: Context, key: Ring, bits: int) -> NDArray[np.uint8]:
    # the word's upper bits are masked too, so that sending all eight tells no more than k^ mod 2^m
    masked: NDArray[np.uint8] = key.reshape(-1).astype(np.uint8) + context.correlations.words(_R, key.size, np.uint8)
    return masked


class GroupCounts:
    """How many keys have each value."""

    def reference(
        self, op: GroupCount, types: Sequence[ValueType], inputs: Sequence[Ring], coins: Coins, out: ValueType
    ) -> Ring:
        key = inputs[0].reshape(-1) % np.uint64(1 << op.bits)
        return np.bincount(key.astype(np.intp), minlength=1 << op.bits).astype(np.uint64)

    def deal(self, op: GroupCount, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        _deal_keys(dealing, types[0].count, op.bits)

    def run(
        self, op: GroupCount, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        domain = 1 << op.bits
        (k_hat,) = yield from open_sum(context, _masked_key(context, inputs[0].words, op.bits))
        hot = context.correlations.dealt(_H, k_hat.size * domain).reshape(-1, domain)
        rotated = np.take_along_axis(hot, _rotation(k_hat & np.uint8(domain - 1), domain), axis=1)
        return Share(rotated.sum(axis=0, dtype=np.uint64))

    def cost(self, op: GroupCount, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost.opening(len(parties), types[0].count, 8 * types[0].count << op.bits)


class GroupSums:
    """The sum of the values of each key."""

    def reference(
        self, op: GroupSum, types: Sequence[ValueType], inputs: Sequence[Ring], coins: Coins, out: ValueType
    ) -> Ring:
        total = np.zeros(1 << op.bits, np.uint64)
        np.add.at(total, (inputs[0].reshape(-1) % np.uint64(1 << op.bits)).astype(np.intp), inputs[1].reshape(-1))
        return total

    def deal(self, op: GroupSum, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        hot = _deal_keys(dealing, types[0].count, op.bits)
        a = dealing.words(_A, types[0].count).astype(np.uint64, copy=False)
        dealing.give(_HA, (hot * a[:, None]).reshape(-1))

    def run(
        self, op: GroupSum, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        domain, value = 1 << op.bits, np.ascontiguousarray(inputs[1].words.reshape(-1))
        key = _masked_key(context, inputs[0].words, op.bits)
        k_hat, v_hat = yield from open_sum(context, key, value + context.correlations.words(_A, value.size))
        hot = context.correlations.dealt(_H, value.size * domain).reshape(-1, domain)
        masked = context.correlations.dealt(_HA, value.size * domain).reshape(-1, domain)
        terms = v_hat[:, None] * hot - masked
        rotated = np.take_along_axis(terms, _rotation(k_hat & np.uint8(domain - 1), domain), axis=1)
        return Share(rotated.sum(axis=0, dtype=np.uint64))

    def cost(self, op: GroupSum, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost.opening(len(parties), 9 * types[0].count, 16 * types[0].count << op.bits)
