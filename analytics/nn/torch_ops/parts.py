"""Translations of what writes into parts of a tensor, and of parts that are named in other ways than by slices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import affine, of_sample
from analytics.nn.torch_ops.layout import joined
from analytics.nn.torch_ops.movement import padded, taken
from analytics.nn.torch_ops.pointwise import multiplied
from analytics.nn.torch_ops.private_places import gathered
from analytics.nn.torch_ops.sizes import pair
from icm_ray.network.layers import Add
from icm_ray.network.layers.windows import windows

__all__ = ["PARTS"]

aten = torch.ops.aten
_MOST = 1 << 17  # places that one operation may name


def _fill(_build: GraphBuilder, call: Call) -> torch.Tensor:
    value = call["value"]
    if isinstance(value, Wire):
        raise Refused("it fills with a private value; write it with torch.where or expand")
    return torch.full(call.full_shape, float(value), dtype=torch.float64)


def _zero(_build: GraphBuilder, call: Call) -> torch.Tensor:
    return torch.zeros(call.full_shape, dtype=torch.float64)


def _copied(build: GraphBuilder, call: Call) -> Any:
    source = call["src"]
    if isinstance(source, Wire):
        return source if source.shape == call.shape else build.expand(source, call.shape)
    return torch.as_tensor(source, dtype=torch.float64).expand(call.full_shape)


def _select_scatter(build: GraphBuilder, call: Call) -> Wire:
    rank = len(call.full_shape)
    axis, size = call.axis(call["dim"], rank), call.full_shape[call["dim"] % rank]
    place = call["index"] % size
    source = call["src"]
    if isinstance(source, Wire):
        part: Any = build.reshape(source, (*call.shape[:axis], 1, *call.shape[axis + 1 :]))
    else:
        part = source.unsqueeze(axis + 1)
    return _written(build, call, axis, range(place, place + 1), part)


def _slice_scatter(build: GraphBuilder, call: Call) -> Any:
    rank = len(call.full_shape)
    dim = call["dim"] % rank
    start, stop, step = slice(call["start"], call["end"], call["step"]).indices(call.full_shape[dim])
    places = range(start, stop, step)
    if len(places) == call.full_shape[dim]:
        return call["src"]
    return _written(build, call, call.axis(dim, rank), places, call["src"])


def _written(build: GraphBuilder, call: Call, axis: int, places: Sequence[int], part: Any) -> Wire:
    """Other values in some places of an axis: both side by side, of which places are taken."""
    size = call.shape[axis]
    both = (*call.shape[:axis], size + len(places), *call.shape[axis + 1 :])
    made = joined(build, [call["self"], part], axis, both)
    source = [places.index(place) + size if place in places else place for place in range(size)]
    return taken(build, made, axis, source)


def _triangle(upper: bool) -> Translation:
    def translate(build: GraphBuilder, call: Call) -> Wire:
        wire = call.wire("self")
        if len(wire.shape) < 2:
            raise Refused("it works along the batch dimension; rows of a batch may not be mixed")
        ones = torch.ones(wire.shape[-2:], dtype=torch.float64)
        mask = ones.triu(call["diagonal"]) if upper else ones.tril(call["diagonal"])
        return affine(build, wire, scale=mask.reshape((1,) * (len(wire.shape) - 2) + wire.shape[-2:]))

    return translate


def _diagonal(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    rank = len(wire.shape) + 1
    first, second = (call.axis(call[name], rank) for name in ("dim1", "dim2"))
    rest = [axis for axis in range(len(wire.shape)) if axis not in {first, second}]
    moved = build.permute(wire, (*rest, first, second))
    rows, columns = wire.shape[first], wire.shape[second]
    places = torch.arange(rows * columns).reshape(rows, columns).diagonal(call["offset"]).tolist()
    flat = build.reshape(moved, (*moved.shape[:-2], rows * columns))
    return taken(build, flat, len(rest), places)


def _turned(build: GraphBuilder, call: Call) -> Wire:
    """A quarter turn, several times: flips and transpositions."""
    wire = call.wire("self")
    first, second = (call.axis(dim, len(wire.shape) + 1) for dim in call["dims"])
    for _ in range(call["k"] % 4):
        wire = taken(build, wire, second, range(wire.shape[second] - 1, -1, -1))
        axes = list(range(len(wire.shape)))
        axes[first], axes[second] = second, first
        wire = build.permute(wire, tuple(axes))
    return wire


def _side_by_side(build: GraphBuilder, call: Call) -> Wire:
    return joined(build, list(call["tensors"]), call.axis(1, len(call.full_shape)), call.shape)


def _gather(build: GraphBuilder, call: Call) -> Wire:
    """Places along an axis, others for each place of the others; constants are the same for every row of the batch."""
    wire, index = call.wire("self"), call["index" if "index" in call.arguments else "indices"]
    if call["dim"] is None:
        raise Refused("it works along the batch dimension; rows of a batch may not be mixed")
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    if isinstance(index, Wire):
        return gathered(build, wire, index, axis)
    chosen = of_sample(index, len(wire.shape)).long() % wire.shape[axis]
    chosen = chosen.expand(call.shape)
    every = torch.arange(math.prod(wire.shape)).reshape(wire.shape)
    every = every[tuple(slice(None) if k == axis else slice(size) for k, size in enumerate(call.shape))]
    places = torch.take_along_dim(every, chosen, axis).reshape(-1)
    if len(places) > _MOST:
        raise Refused(f"it takes {len(places)} places; {_MOST} at most are supported")
    flat = build.reshape(wire, (math.prod(wire.shape),))
    return build.reshape(taken(build, flat, 0, places.tolist()), call.shape)


def _folded(build: GraphBuilder, call: Call) -> Wire:
    """Sums of blocks that overlap: each cell of the kernel as an image of its own, moved to its place."""
    wire = call.wire("self")
    kernel, dilation, padding, stride = (pair(call[k]) for k in ("kernel_size", "dilation", "padding", "stride"))
    height, width = pair(call["output_size"])
    sizes = (height + 2 * padding[0], width + 2 * padding[1])
    down, across = (windows(sizes[k], kernel[k], stride[k], (0, 0), dilation[k]) for k in (0, 1))
    channels = wire.shape[0] // math.prod(kernel)
    cells = build.reshape(wire, (channels, math.prod(kernel), down, across))
    total: Wire | None = None
    for number in range(math.prod(kernel)):
        cell = build.reshape(build.cut(cells, 1, number, number + 1), (channels, down, 1, across, 1))
        cell = padded(build, cell, ((0, 0), (0, 0), (0, stride[0] - 1), (0, 0), (0, stride[1] - 1)))
        cell = build.reshape(cell, (channels, down * stride[0], across * stride[1]))
        row, column = (number // kernel[1]) * dilation[0], (number % kernel[1]) * dilation[1]
        cell = padded(build, cell, ((0, 0), (row, sizes[0]), (column, sizes[1])))
        cell = build.cut(build.cut(cell, 1, 0, sizes[0]), 2, 0, sizes[1])
        total = cell if total is None else build.emit(Add, total, cell, shape=cell.shape)
    if total is None:
        raise Refused("its kernel has no cells")
    total = build.cut(total, 1, padding[0], padding[0] + height)
    return build.cut(total, 2, padding[1], padding[1] + width)


def _multiplied_up(build: GraphBuilder, call: Call) -> Wire:
    """Products along an axis, in pairs."""
    wire = call.wire("self")
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    while wire.shape[axis] > 1:
        size = wire.shape[axis]
        half = size // 2
        made = multiplied(build, build.cut(wire, axis, 0, half), build.cut(wire, axis, half, 2 * half))
        rest = [build.cut(wire, axis, 2 * half, size)] if size % 2 else []
        shape = (*wire.shape[:axis], half + size % 2, *wire.shape[axis + 1 :])
        wire = joined(build, [made, *rest], axis, shape) if rest else made
    return build.reshape(wire, call.shape)


def _finite(_build: GraphBuilder, call: Call) -> Wire:
    return call.wire("self")  # all numbers are


PARTS: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.fill.Scalar: _fill,
        aten.fill.Tensor: _fill,
        aten.zero.default: _zero,
        aten.copy.default: _copied,
        aten.select_scatter.default: _select_scatter,
        aten.slice_scatter.default: _slice_scatter,
        aten.tril.default: _triangle(upper=False),
        aten.triu.default: _triangle(upper=True),
        aten.diagonal.default: _diagonal,
        aten.rot90.default: _turned,
        aten.hstack.default: _side_by_side,
        aten.gather.default: _gather,
        aten.take_along_dim.default: _gather,
        aten.col2im.default: _folded,
        aten.prod.dim_int: _multiplied_up,
        aten.nan_to_num.default: _finite,
    }
)
