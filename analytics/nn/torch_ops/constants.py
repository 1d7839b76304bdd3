"""Constants that meet activations: of any shape that broadcasts, the same for every row of a batch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from analytics.nn.torch_ops.building import GraphBuilder, Refused, Wire
from icm_ray.network.layer import Shape
from icm_ray.network.layers import Affine, Bent, Scale
from icm_ray.network.layers.bent import LARGEST

__all__ = ["affine", "held", "lifted", "of_sample", "scaled", "spread"]


def of_sample(constant: Any, rank: int) -> torch.Tensor:
    """A number or tensor as one sample of `rank` axes meets it; refused where rows of the batch would differ."""
    tensor = torch.as_tensor(constant, dtype=torch.float64)
    if tensor.ndim > rank + 1:
        raise Refused(f"its constant has {tensor.ndim} axes, more than the activations")
    whole = tensor.reshape((1,) * (rank + 1 - tensor.ndim) + tuple(tensor.shape))
    if len(whole) > 1 and not torch.equal(whole, whole[:1].expand_as(whole)):
        raise Refused("its constant differs between the rows of the batch")
    return whole[0]


def spread(build: GraphBuilder, wire: Wire, shape: Shape) -> Wire:
    """The wire, and its mask, repeated up to a shape that it broadcasts to."""
    if len(wire.shape) != len(shape):
        raise Refused(f"it broadcasts {wire.shape} to {shape}; both must have as many axes, with the batch in front")
    if wire.closed and wire.shape[-2:] != shape[-2:]:
        raise Refused("it repeats rows that a mask fills with minus infinity; only a softmax can take them")
    made = replace(build.expand(wire, shape), closed=wire.closed)
    return made if wire.shut is None else replace(made, shut=replace(build.expand(wire.shut, shape), bit=True))


def scaled(build: GraphBuilder, wire: Wire, factor: float) -> Wire:
    """The wire times a number that is written in the network's code."""
    return wire if factor == 1.0 else build.emit(Scale, wire, shape=wire.shape, factor=float(factor))


def lifted(build: GraphBuilder, wire: Wire, offset: float) -> Wire:
    """The wire plus a public number."""
    if not offset:
        return wire
    if not abs(offset) < LARGEST:
        raise Refused(f"it adds {offset}; finite numbers below 2^20 are supported")
    return build.emit(Bent, wire, shape=wire.shape, offset=float(offset), slope=1.0, bends=())


def held(build: GraphBuilder, like: Wire, value: Any, shape: Shape) -> Wire:
    """A wire that holds a constant; `like` is any wire of that shape."""
    nothing = scaled(build, like, 0.0)
    if isinstance(value, torch.Tensor) and (value.numel() > 1 or value.ndim):
        return affine(build, nothing, shift=of_sample(value, len(shape)))
    return lifted(build, nothing, float(value))


def affine(
    build: GraphBuilder, wire: Wire, *, scale: torch.Tensor | None = None, shift: torch.Tensor | None = None
) -> Wire:
    """scale x + shift, the constants private, with as many axes as a sample, which they broadcast to.

    An `Affine` has one constant for each place of axis 0: the axes along which the constants vary are moved there.
    """
    shape = wire.shape
    if not shape:
        one = [None if tensor is None else tensor.reshape(1) for tensor in (scale, shift)]
        return build.reshape(affine(build, build.reshape(wire, (1,)), scale=one[0], shift=one[1]), ())
    given = [tensor for tensor in (scale, shift) if tensor is not None]
    own = [axis for axis in range(len(shape)) if any(tensor.shape[axis] != 1 for tensor in given)] or [0]
    rest = [axis for axis in range(len(shape)) if axis not in own]
    order = (*own, *rest)
    facts = {
        name: None
        if tensor is None
        else tensor.expand(*(size if axis in own else 1 for axis, size in enumerate(shape))).permute(order).reshape(-1)
        for name, tensor in (("scale", scale), ("shift", shift))
    }
    moved = build.permute(wire, order)
    if own == [0]:
        return build.emit(Affine, wire, shape=shape, **facts)
    channels, others = (math.prod(shape[axis] for axis in axes) for axes in (own, rest))
    flat = (channels, others) if rest else (channels,)
    result = build.emit(Affine, build.reshape(moved, flat), shape=flat, **facts)
    back = tuple(order.index(axis) for axis in range(len(shape)))
    return build.permute(build.reshape(result, moved.shape), back)
