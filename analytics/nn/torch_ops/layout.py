"""Translations of what only moves values: reshaping, slicing, padding, joining, copies."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from icm_ray.network.layers import Concat, Pad, Permute, Slice

__all__ = ["LAYOUT"]

aten = torch.ops.aten


def _same(_build: GraphBuilder, call: Call) -> Wire:
    return call.wire("self") if "self" in call.arguments else call.wire("input")


def _dropout(_build: GraphBuilder, call: Call) -> Wire:
    if call["train"] and call["p"] > 0:
        raise Refused("dropout is on although the network is in eval mode; pass training=self.training")
    return call.wire("input")


def _cast(_build: GraphBuilder, call: Call) -> Wire:
    dtype = call["dtype"]
    if dtype is not None and not dtype.is_floating_point:
        raise Refused(f"a conversion of activations to {dtype} is not supported")
    return call.wire("self")


def _reshape(build: GraphBuilder, call: Call) -> Wire:
    # Row-major order: as long as the batch stays in front, each sample is reshaped by itself.
    if call.full_shape[:1] != (build.batch,):
        raise Refused("it moves the batch dimension; keep it in front, as x.flatten(1) or x.view(x.size(0), -1) do")
    return build.reshape(call.wire("self"), call.shape)


def _permute(build: GraphBuilder, call: Call) -> Wire:
    rank = len(call.wire("self").shape) + 1
    return _permuted(build, call, [dim % rank for dim in call["dims"]])


def _transpose(build: GraphBuilder, call: Call) -> Wire:
    rank = len(call.wire("self").shape) + 1
    dims = list(range(rank))
    first, second = call["dim0"] % rank, call["dim1"] % rank
    dims[first], dims[second] = second, first
    return _permuted(build, call, dims)


def _permuted(build: GraphBuilder, call: Call, dims: list[int]) -> Wire:
    if dims[0] != 0:
        raise Refused("it moves the batch dimension, which must stay in front")
    if dims == sorted(dims):
        return call.wire("self")
    axes = tuple(dim - 1 for dim in dims[1:])
    return build.emit(Permute, call.wire("self"), shape=call.shape, axes=axes)


def _cut(build: GraphBuilder, wire: Wire, axis: int, start: int, stop: int, step: int = 1) -> Wire:
    size = wire.shape[axis]
    start, stop, _ = slice(start, stop).indices(size)
    if (start, stop, step) == (0, size, 1):
        return wire
    if start >= stop:
        raise Refused("it makes an empty tensor")
    shape = (*wire.shape[:axis], len(range(start, stop, step)), *wire.shape[axis + 1 :])
    return build.emit(Slice, wire, shape=shape, axis=axis, start=start, stop=stop, step=step)


def _slice(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    start, end = call["start"] or 0, call["end"]
    rank = len(wire.shape) + 1
    size = (build.batch, *wire.shape)[call["dim"] % rank]
    if slice(start, end).indices(size)[:2] == (0, size) and call["step"] == 1:
        return wire
    return _cut(build, wire, call.axis(call["dim"], rank), start, size if end is None else end, call["step"])


def _select(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    index = call["index"] % wire.shape[axis]
    return build.reshape(_cut(build, wire, axis, index, index + 1), call.shape)


def _split(build: GraphBuilder, call: Call) -> tuple[Wire, ...]:
    wire = call.wire("self")
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    size = wire.shape[axis]
    step = -(-size // call["chunks"]) if "chunks" in call.arguments else call["split_size"]
    return tuple(_cut(build, wire, axis, start, min(start + step, size)) for start in range(0, size, step))


def _split_sizes(build: GraphBuilder, call: Call) -> tuple[Wire, ...]:
    wire = call.wire("self")
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    parts, start = [], 0
    for size in call["split_sizes"]:
        parts.append(_cut(build, wire, axis, start, start + size))
        start += size
    return tuple(parts)


def _pad(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    if call.get("mode", "constant") != "constant" or call["value"] not in (None, 0):
        raise Refused("only padding with zeros is supported")
    flat = list(call["pad"])
    # torch lists (before, after) from the last axis on
    pads = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)][::-1]
    pads = [(0, 0)] * (len(wire.shape) + 1 - len(pads)) + pads
    if pads[0] != (0, 0):
        raise Refused("it pads the batch dimension")
    for axis, (before, after) in enumerate(pads[1:]):  # a negative padding cuts
        if min(before, after) < 0:
            wire = _cut(build, wire, axis, max(-before, 0), wire.shape[axis] - max(-after, 0))
    final = tuple((max(before, 0), max(after, 0)) for before, after in pads[1:])
    if all(sides == (0, 0) for sides in final):
        return wire
    return build.emit(Pad, wire, shape=call.shape, pads=final)


def _concat(build: GraphBuilder, call: Call) -> Wire:
    parts = list(call["tensors"])
    if not all(isinstance(part, Wire) for part in parts):
        raise Refused("it joins activations with constants; only activations can be joined")
    axis = call.axis(call["dim"], len(call.full_shape))
    return parts[0] if len(parts) == 1 else build.emit(Concat, *parts, shape=call.shape, axis=axis)


LAYOUT: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.alias.default: _same,
        aten.clone.default: _same,
        aten.contiguous.default: _same,
        aten.detach.default: _same,
        aten.lift_fresh_copy.default: _same,
        aten.dropout.default: _dropout,
        aten.feature_dropout.default: _dropout,
        aten._to_copy.default: _cast,
        aten.to.dtype: _cast,
        aten.view.default: _reshape,
        aten._unsafe_view.default: _reshape,
        aten.reshape.default: _reshape,
        aten.flatten.using_ints: _reshape,
        aten.unflatten.int: _reshape,
        aten.view_as.default: _reshape,
        aten.squeeze.default: _reshape,
        aten.squeeze.dim: _reshape,
        aten.squeeze.dims: _reshape,
        aten.unsqueeze.default: _reshape,
        aten.permute.default: _permute,
        aten.transpose.int: _transpose,
        aten.slice.Tensor: _slice,
        aten.select.int: _select,
        aten.split.Tensor: _split,
        aten.chunk.default: _split,
        aten.split_with_sizes.default: _split_sizes,
        aten.pad.default: _pad,
        aten.constant_pad_nd.default: _pad,
        aten.cat.default: _concat,
    }
)
