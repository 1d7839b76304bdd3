"""Operations on one's own shares alone: no message, nothing dealt, nothing opened.

Each is linear over the ring, so that it commutes with sharing; constants are added by the first party.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from icm_ray.ops import linear as ops
from icm_ray.ops.cost import Cost
from icm_ray.ops.values import Kind, ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Coins, Context, Dealing, Round, Share
from icm_ray.ring import limbs
from icm_ray.ring.array import RingArray
from icm_ray.ring.gemm import ConvShape
from icm_ray.ring.wide import from_integers

__all__ = ["LINEAR", "Local"]

Compute = Callable[[Any, Sequence[RingArray], ValueType, bool], RingArray]


class Local:
    """The four faces of an operation that a function of the shares computes; `first`: whether constants are added."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    def reference(
        self, op: Any, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        return self._compute(op, inputs, out, True)

    def deal(self, op: Any, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        pass

    def run(
        self, op: Any, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        yield from ()
        with spends(Part.KERNELS):
            words = self._compute(op, [share.words for share in inputs], out, context.first)
        return Share(words, out.kind)

    def cost(self, op: Any, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost.free(len(parties))


def _wide(kernel: Callable[..., None], x: RingArray, y: RingArray) -> RingArray:
    rows, others = (np.ascontiguousarray(part.reshape(-1, part.shape[-1])) for part in (x, y))
    out = np.empty_like(rows)
    kernel(rows, others, out)
    return out.reshape(x.shape)


def _public(constant: int, x: RingArray) -> RingArray:
    """A public wide number (1, limbs)."""
    return from_integers([constant], x.shape[-1])


def _add(op: ops.Add, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    return _wide(limbs.add, *xs) if out.kind is Kind.WIDE else xs[0] + xs[1]


def _subtract(op: ops.Subtract, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    return _wide(limbs.subtract, *xs) if out.kind is Kind.WIDE else xs[0] - xs[1]


def _add_public(op: ops.AddPublic, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    if not first:
        return xs[0]
    if out.kind is Kind.WIDE:
        return _wide(limbs.add, xs[0], np.broadcast_to(_public(op.constant, xs[0]), xs[0].shape))
    return xs[0] + np.uint64(op.constant % 2**64)


def _scale(op: ops.Scale, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    if out.kind is Kind.WIDE:
        rows = np.ascontiguousarray(xs[0].reshape(-1, out.limbs))
        scaled = np.zeros_like(rows)
        limbs.add_product(rows, _public(op.constant, rows), scaled)
        return scaled.reshape(xs[0].shape)
    return xs[0] * np.uint64(op.constant % 2**64)


def _same(op: Any, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    return xs[0]


def _sum(op: ops.Sum, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    if out.kind is Kind.WIDE:
        total = np.zeros((1, out.limbs), np.uint64)
        limbs.add_rows(np.ascontiguousarray(xs[0].reshape(-1, out.limbs)), total)
        return total
    return np.array([xs[0].sum(dtype=np.uint64)], np.uint64)


def _sum_axis(op: ops.SumAxis, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    sums: RingArray = xs[0].sum(axis=-1, dtype=np.uint64, keepdims=True)
    return sums


def _running_sum(op: ops.RunningSum, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    sums: RingArray = xs[0].cumsum(axis=0, dtype=np.uint64)
    return sums


def _expand(op: ops.Expand, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    return np.ascontiguousarray(np.broadcast_to(xs[0], op.shape))


def _constants(constants: tuple[int, ...]) -> RingArray:
    return np.array(constants, np.int64).view(np.uint64)


def _add_last(op: ops.AddLast, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    return xs[0] + _constants(op.constants) if first else xs[0]


def _scale_last(op: ops.ScaleLast, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    return xs[0] * _constants(op.constants)


def _tail(out: ValueType) -> tuple[int, ...]:
    return (out.limbs,) if out.kind is Kind.WIDE else ()


def _reshape(op: ops.Reshape, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    return xs[0].reshape(op.shape + _tail(out))


def _permute(op: ops.Permute, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    rest = range(len(op.axes), xs[0].ndim)  # the limbs of wide numbers stay last
    return np.ascontiguousarray(xs[0].transpose(*op.axes, *rest))


def _slice(op: ops.Slice, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    return np.ascontiguousarray(xs[0][tuple(slice(*axis) for axis in op.axes)])


def _pad(op: ops.Pad, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    return np.pad(xs[0], op.axes)


def _concatenate(op: ops.Concatenate, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    whole = _side_by_side(xs) if op.axis == 0 else None
    return np.concatenate(xs, axis=op.axis) if whole is None else whole.reshape(out.shape + _tail(out))


def _take(op: ops.Take, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    return np.take(xs[0], op.indices, axis=op.axis)


def _side_by_side(xs: Sequence[RingArray]) -> RingArray | None:
    """The array whose parts these are, one after the other and nothing else: blocks made in their place."""
    whole = xs[0].base
    if not isinstance(whole, np.ndarray) or whole.dtype != np.uint64 or not whole.flags.c_contiguous:
        return None
    end = whole.ctypes.data
    for x in xs:
        if x.base is not whole or not x.flags.c_contiguous or x.ctypes.data != end:
            return None
        end += x.nbytes
    return whole if end == whole.ctypes.data + whole.nbytes else None


def _window_sum(op: ops.WindowSum, xs: Sequence[RingArray], out: ValueType, first: bool) -> RingArray:
    x = xs[0]
    _, channels, height, width = x.shape
    windows = ConvShape(channels, height, width, channels, op.kernel, op.stride, op.padding).windows(x)
    total = np.zeros(out.shape, np.uint64)
    for row in range(op.kernel[0]):
        for column in range(op.kernel[1]):
            total += windows[..., row, column]
    return total


LINEAR: dict[type, Local] = {
    ops.Add: Local(_add),
    ops.Subtract: Local(_subtract),
    ops.AddLast: Local(_add_last),
    ops.AddPublic: Local(_add_public),
    ops.Expand: Local(_expand),
    ops.ScaleLast: Local(_scale_last),
    ops.SumAxis: Local(_sum_axis),
    ops.RunningSum: Local(_running_sum),
    ops.Scale: Local(_scale),
    ops.AssumeWidth: Local(_same),
    ops.Rescale: Local(_same),
    ops.Sum: Local(_sum),
    ops.Reshape: Local(_reshape),
    ops.Permute: Local(_permute),
    ops.Slice: Local(_slice),
    ops.Pad: Local(_pad),
    ops.Concatenate: Local(_concatenate),
    ops.Take: Local(_take),
    ops.WindowSum: Local(_window_sum),
}
