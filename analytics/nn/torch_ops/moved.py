"""Translations of what may move the batch dimension: behind the tokens, or behind queries, keys and values.

Layers have no batch dimension, so that nothing moves in them: a wire says where torch's tensor has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire

__all__ = ["MOVED"]

aten = torch.ops.aten


def _same(_build: GraphBuilder, call: Call) -> Wire:
    return call.wire("self")


def _permute(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    return _permuted(build, wire, [dim % _rank(wire) for dim in call["dims"]])


def _transpose(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    dims = list(range(_rank(wire)))
    first, second = call["dim0"] % len(dims), call["dim1"] % len(dims)
    dims[first], dims[second] = second, first
    return _permuted(build, wire, dims)


def _movedim(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    rank = _rank(wire)
    sources, targets = (
        [dim % rank for dim in ([given] if isinstance(given, int) else given)]
        for given in (call["source"], call["destination"])
    )
    rest = iter([dim for dim in range(rank) if dim not in sources])
    return _permuted(build, wire, [sources[targets.index(k)] if k in targets else next(rest) for k in range(rank)])


def _select(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    dim, axis = _axis(wire, call["dim"])
    return _place(build, wire, dim, axis, call["index"] % wire.shape[axis])


def _unbind(build: GraphBuilder, call: Call) -> tuple[Wire, ...]:
    wire = call.wire("self")
    dim, axis = _axis(wire, call["dim"])
    return tuple(_place(build, wire, dim, axis, place) for place in range(wire.shape[axis]))


def _rank(wire: Wire) -> int:
    return len(wire.shape) + 1


def _axis(wire: Wire, dim: int) -> tuple[int, int]:
    """A dimension of torch's tensor, counted from the front, and the axis of a sample that it is."""
    dim %= _rank(wire)
    if dim == wire.at:
        raise Refused("it works along the batch dimension; rows of a batch may not be mixed")
    return dim, dim - (dim > wire.at)


def _permuted(build: GraphBuilder, wire: Wire, dims: Sequence[int]) -> Wire:
    axes = tuple(dim - (dim > wire.at) for dim in dims if dim != wire.at)
    return replace(build.permute(wire, axes), at=dims.index(wire.at))


def _place(build: GraphBuilder, wire: Wire, dim: int, axis: int, place: int) -> Wire:
    """One place of an axis, which goes."""
    shape = wire.shape[:axis] + wire.shape[axis + 1 :]
    made = build.reshape(build.cut(wire, axis, place, place + 1), shape)
    return replace(made, at=wire.at - (dim < wire.at))


MOVED: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.alias.default: _same,
        aten.clone.default: _same,
        aten.contiguous.default: _same,
        aten.detach.default: _same,
        aten.permute.default: _permute,
        aten.transpose.int: _transpose,
        aten.movedim.int: _movedim,
        aten.movedim.intlist: _movedim,
        aten.select.int: _select,
        aten.unbind.int: _unbind,
    }
)
