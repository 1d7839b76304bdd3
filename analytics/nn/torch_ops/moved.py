"""Translations of what may move the batch dimension: behind the tokens, or behind queries, keys and values.

Layers have no batch dimension, so that nothing moves in them: a wire says where torch's tensor has it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.layout import joined
from icm_ray.network.layer import Shape

__all__ = ["MOVED", "RESHAPES", "around"]

aten = torch.ops.aten
RESHAPES = {
    *(aten.view.default, aten._unsafe_view.default, aten.reshape.default, aten.view_as.default),
    *(aten.flatten.using_ints, aten.unflatten.int, aten.squeeze.default),
}


def _same(_build: GraphBuilder, call: Call) -> Wire:
    return call.wire("self")


def _reshape(build: GraphBuilder, call: Call) -> Wire:
    """In row-major order a sample is reshaped by itself, wherever the batch is found again."""
    wire, full = call.wire("self"), call.full_shape
    place = wire.at + (wire.merged is not None)
    before, behind = math.prod(wire.shape[:place]), math.prod(wire.shape[place:])
    found = [(at, pair) for at in range(len(full)) if (pair := around(full, at, build.batch, before, behind))]
    if not found:
        raise Refused("it mixes the batch dimension with others; keep it apart, as x.flatten(1) does")
    at, pair = min(found, key=lambda item: item[1] != (1, 1))
    plain = pair == (1, 1)
    made = build.reshape(replace(wire, at=0, merged=None), (*full[:at], *(() if plain else pair), *full[at + 1 :]))
    return replace(made, at=at, merged=None if plain else pair)


def around(full: Shape, at: int, batch: int, before: int, behind: int) -> tuple[int, int] | None:
    """How many places of an axis are before and behind an image of the batch; None where the batch is not in it."""
    first, last = math.prod(full[:at]), math.prod(full[at + 1 :])
    if before % first or behind % last:
        return None
    pair = before // first, behind // last
    return pair if full[at] == pair[0] * batch * pair[1] else None


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


def _stack(build: GraphBuilder, call: Call) -> Wire:
    """A new axis, before or behind the batch."""
    parts = list(call["tensors"])
    at = {part.at for part in parts if isinstance(part, Wire)}
    if len(at) > 1:
        raise Refused("it takes values whose batch dimension was moved, and others; it must be in one place")
    (place,) = at
    axis, behind = _new(place, call["dim"], len(call.full_shape))
    shape = tuple(size for k, size in enumerate(call.full_shape) if k != behind)
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    singles = [
        build.reshape(replace(part, at=0), one)
        if isinstance(part, Wire)
        else part.movedim(place, 0).unsqueeze(axis + 1)
        for part in parts
    ]
    return replace(joined(build, singles, axis, shape), at=behind)


def _unsqueeze(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    axis, behind = _new(wire.at, call["dim"], _rank(wire) + 1)
    return replace(build.reshape(wire, (*wire.shape[:axis], 1, *wire.shape[axis:])), at=behind)


def _squeeze(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    dims = {dim % _rank(wire) for dim in ([call["dim"]] if isinstance(call["dim"], int) else call["dim"])} - {wire.at}
    gone = {dim for dim in dims if wire.shape[dim - (dim > wire.at)] == 1}
    shape = tuple(size for axis, size in enumerate(wire.shape) if axis + (axis >= wire.at) not in gone)
    return replace(build.reshape(wire, shape), at=wire.at - sum(dim < wire.at for dim in gone))


def _new(place: int, dim: int, rank: int) -> tuple[int, int]:
    """The axis of a sample that a new dimension of torch's result is, and where the batch is then."""
    dim %= rank
    behind = place + (dim <= place)
    return dim - (dim > behind), behind


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
        aten.stack.default: _stack,
        aten.unsqueeze.default: _unsqueeze,
        aten.squeeze.dim: _squeeze,
        aten.squeeze.dims: _squeeze,
        aten.unbind.int: _unbind,
        **dict.fromkeys(RESHAPES, _reshape),
    }
)
