"""Translations of what only moves values: reshaping, slicing, padding, joining, copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.comparisons import chosen, nonzero
from analytics.nn.torch_ops.constants import affine, of_sample, spread
from analytics.nn.torch_ops.minus_infinity import ONLY_SOFTMAX, filled, one_of
from analytics.nn.torch_ops.movement import padded, taken
from icm_ray.network.layer import Shape
from icm_ray.network.layers import Concat

__all__ = ["FILLED", "LAYOUT", "joined"]

aten = torch.ops.aten
FILLED = {aten.zeros_like.default, aten.ones_like.default, aten.full_like.default}
"""Constants of the shape of what depends on the input: as long as a batch."""
_IMAGES = 1 << 32  # a batch has fewer
_BELOW_ALL = -(2.0**63)  # no value of an activation is less


def _same(_build: GraphBuilder, call: Call) -> Wire:
    return call.wire("self") if "self" in call.arguments else call.wire("input")


def _dropout(_build: GraphBuilder, call: Call) -> Wire:
    if call["train"] and call["p"] > 0:
        raise Refused("dropout is on although the network is in eval mode; pass training=self.training")
    return call.wire("input")


def _cast(build: GraphBuilder, call: Call) -> Wire:
    wire, dtype = call.wire("self"), call["dtype"]
    if build.unpacks:
        return wire
    if dtype == torch.bool:
        return nonzero(build, wire)
    if dtype is not None and not dtype.is_floating_point and not wire.whole and not wire.truth:
        raise Refused(f"a conversion of activations to {dtype} is not supported")
    return wire


def _slice(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    start, end = call["start"] or 0, call["end"]
    rank = len(wire.shape) + 1
    place = call["dim"] % rank
    size = (build.batch, *wire.shape)[place]
    if slice(start, end).indices(size)[:2] == (0, size) and call["step"] == 1:
        if not place and _cuts_others(start, end, size):
            raise Refused("it cuts batches of more images; rows of a batch may not be left out")
        return wire
    return build.cut(wire, call.axis(call["dim"], rank), start, size if end is None else end, call["step"])


def _cuts_others(start: int, end: int | None, size: int) -> bool:
    """Whether places that are all of this many are not all of any number of images."""
    begins = start in {0, -size} or start <= -_IMAGES
    return not begins or not (end is None or end == size or end >= _IMAGES)


def _narrow(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    axis, start = call.axis(call["dim"], len(wire.shape) + 1), call["start"]
    start = start % wire.shape[axis] if start < 0 else start
    return build.cut(wire, axis, start, start + call["length"])


def _split(build: GraphBuilder, call: Call) -> tuple[Wire, ...]:
    wire = call.wire("self")
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    size = wire.shape[axis]
    step = -(-size // call["chunks"]) if "chunks" in call.arguments else call["split_size"]
    return tuple(build.cut(wire, axis, start, min(start + step, size)) for start in range(0, size, step))


def _split_sizes(build: GraphBuilder, call: Call) -> tuple[Wire, ...]:
    wire = call.wire("self")
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    parts, start = [], 0
    for size in call["split_sizes"]:
        parts.append(build.cut(wire, axis, start, start + size))
        start += size
    return tuple(parts)


def _pad(build: GraphBuilder, call: Call) -> Wire:
    wire, mode = call.wire("self"), call.get("mode", "constant")
    if mode not in {"constant", "reflect", "replicate", "circular"}:
        raise Refused(f"a padding of mode {mode!r} is not supported")
    flat = list(call["pad"] if "pad" in call.arguments else call["padding"])
    # torch lists (before, after) from the last axis on
    pads = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)][::-1]
    pads = [(0, 0)] * (len(wire.shape) + 1 - len(pads)) + pads
    if pads[0] != (0, 0):
        raise Refused("it pads the batch dimension")
    if mode != "constant":
        for axis, (before, after) in enumerate(pads[1:]):
            wire = taken(build, wire, axis, _around(mode, wire.shape[axis], before, after))
        return wire
    for axis, (before, after) in enumerate(pads[1:]):  # a negative padding cuts
        if min(before, after) < 0:
            wire = build.cut(wire, axis, max(-before, 0), wire.shape[axis] - max(-after, 0))
    final = tuple((max(before, 0), max(after, 0)) for before, after in pads[1:])
    value = float(call["value"] or 0.0)
    return replace(wire, frame=final) if value <= _BELOW_ALL else padded(build, wire, final, value)


def _reflected(build: GraphBuilder, call: Call) -> Wire:
    return _pad(build, Call({**call.arguments, "mode": "reflect"}, call.full_shape))


def _replicated(build: GraphBuilder, call: Call) -> Wire:
    return _pad(build, Call({**call.arguments, "mode": "replicate"}, call.full_shape))


def _around(mode: str, size: int, before: int, after: int) -> list[int]:
    """The places of an axis with those that a padding adds."""
    places = range(-before, size + after)
    if mode == "circular":
        return [place % size for place in places]
    if mode == "replicate":
        return [min(max(place, 0), size - 1) for place in places]
    return [abs(place) if place < size else 2 * (size - 1) - place for place in places]


def _concat(build: GraphBuilder, call: Call) -> Wire:
    if call["dim"] % len(call.full_shape) == 0:
        return _one_after_the_other(build, list(call["tensors"]))
    return joined(build, list(call["tensors"]), call.axis(call["dim"], len(call.full_shape)), call.shape)


def _one_after_the_other(build: GraphBuilder, batches: list[Any]) -> Wire:
    """Whole batches, of which an image has one place in each: a new axis, which the batch is merged with."""
    if len(batches) == 1 or not all(isinstance(part, Wire) for part in batches):
        raise Refused("it works along the batch dimension; rows of a batch may not be mixed")
    shape = batches[0].shape
    singles = [build.reshape(part, (1, 1, *shape)) for part in batches]
    return replace(joined(build, singles, 0, (len(batches), 1, *shape)), merged=(len(batches), 1))


def joined(build: GraphBuilder, parts: list[Any], axis: int, shape: Shape) -> Wire:
    """Parts side by side: constants are added where zeros were put between the wires."""
    if all(isinstance(part, Wire) for part in parts):
        return parts[0] if len(parts) == 1 else build.emit(Concat, *parts, shape=shape, axis=axis)
    wires: list[Wire] = []
    constants: list[torch.Tensor] = []
    before = 0
    for part in parts:
        if isinstance(part, Wire):
            wires.append(_beside(build, part, axis, before, 0))
            size, before = part.shape[axis], 0
            constants.append(torch.zeros(*shape[:axis], size, *shape[axis + 1 :], dtype=torch.float64))
        else:
            constant = of_sample(part, len(shape))
            before += constant.shape[axis]
            constants.append(constant.expand(*shape[:axis], constant.shape[axis], *shape[axis + 1 :]))
    wires[-1] = _beside(build, wires[-1], axis, 0, before)
    return affine(build, joined(build, list(wires), axis, shape), shift=torch.cat(constants, axis))


def _beside(build: GraphBuilder, wire: Wire, axis: int, before: int, after: int) -> Wire:
    return padded(build, wire, tuple((before, after) if k == axis else (0, 0) for k in range(len(wire.shape))))


def _masked_fill(build: GraphBuilder, call: Call) -> Wire:
    """x where a mask is false, a number where it is true."""
    if isinstance(call["mask"], Wire):
        return chosen(build, call["mask"], call["value"], call["self"], call.shape)
    mask = of_sample(call.constant("mask"), len(call.shape))
    return filled(build, spread(build, call.wire("self"), call.shape), mask, float(call["value"]))


def _where(build: GraphBuilder, call: Call) -> Wire:
    """One of two values, by a condition."""
    if isinstance(call["condition"], Wire):
        return chosen(build, call["condition"], call["self"], call["other"], call.shape)
    mask = of_sample(call.constant("condition"), len(call.shape))
    left, right = call["self"], call["other"]
    if isinstance(left, Wire) and isinstance(right, Wire):
        return one_of(build, mask, *(spread(build, wire, call.shape) for wire in (left, right)))
    wire, constant, mask = (left, right, 1 - mask) if isinstance(left, Wire) else (right, left, mask)
    if wire.closed:
        raise Refused(ONLY_SOFTMAX)
    values = of_sample(constant, len(call.shape))
    wide = spread(build, wire, call.shape)
    number = values.reshape(-1)[0]
    if torch.equal(values, number.expand_as(values)):  # for all places, as torch.full_like makes it
        return filled(build, wide, mask, float(number))
    return affine(build, wide, scale=1 - mask, shift=mask * values)


def _filled_like(value: float | None = None) -> Translation:
    """A constant of the shape of what depends on the input."""

    def translate(_build: GraphBuilder, call: Call) -> torch.Tensor:
        number = float(call["fill_value"]) if value is None else value
        return torch.full(call.full_shape, number, dtype=torch.bool if call["dtype"] == torch.bool else torch.float64)

    return translate


LAYOUT: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.lift_fresh_copy.default: _same,
        aten.dropout.default: _dropout,
        aten.feature_dropout.default: _dropout,
        aten._to_copy.default: _cast,
        aten.to.dtype: _cast,
        aten.slice.Tensor: _slice,
        aten.narrow.default: _narrow,
        aten.split.Tensor: _split,
        aten.chunk.default: _split,
        aten.split_with_sizes.default: _split_sizes,
        aten.pad.default: _pad,
        aten.constant_pad_nd.default: _pad,
        aten.reflection_pad1d.default: _reflected,
        aten.reflection_pad2d.default: _reflected,
        aten.replication_pad1d.default: _replicated,
        aten.replication_pad2d.default: _replicated,
        aten.cat.default: _concat,
        aten.masked_fill.Scalar: _masked_fill,
        aten.masked_fill.Tensor: _masked_fill,
        aten.where.self: _where,
        aten.where.ScalarSelf: _where,
        aten.where.ScalarOther: _where,
        aten.where.Scalar: _where,
        aten.zeros_like.default: _filled_like(0.0),
        aten.ones_like.default: _filled_like(1.0),
        aten.full_like.default: _filled_like(),
    }
)
