"""Translations of what moves values along public places: repeats, flips, rolls, indexing, shuffles, windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import lifted
from analytics.nn.torch_ops.sizes import pair
from icm_ray.network.layer import Pair
from icm_ray.network.layers import Pad, Take
from icm_ray.network.layers.windows import windows

__all__ = ["MOVEMENT", "named_axes", "padded", "taken"]

aten = torch.ops.aten
_MOST = 1 << 17  # places that one indexing may name


def taken(build: GraphBuilder, wire: Wire, axis: int, indices: Sequence[int]) -> Wire:
    """The places `indices` along an axis."""
    indices = tuple(int(index) for index in indices)
    if indices == tuple(range(wire.shape[axis])):
        return wire
    if not indices:
        raise Refused("it makes an empty tensor")
    shape = (*wire.shape[:axis], len(indices), *wire.shape[axis + 1 :])
    return build.emit(Take, wire, shape=shape, axis=axis, indices=indices)


def _same_rank(call: Call, wire: Wire) -> None:
    if len(call.shape) != len(wire.shape):
        raise Refused("it adds axes in front of the batch, which must stay in front")


def _expand(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    _same_rank(call, wire)
    return build.expand(wire, call.shape)


def _repeat(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    _same_rank(call, wire)
    repeats = list(call["repeats"] if "repeats" in call.arguments else call["dims"])
    repeats = [1] * (len(wire.shape) + 1 - len(repeats)) + repeats
    if repeats[0] != 1:
        raise Refused("it repeats the batch")
    for axis, times in enumerate(repeats[1:]):
        if times > 1:
            wire = _copies(build, wire, axis, times, each=False)
    return wire


def _copies(build: GraphBuilder, wire: Wire, axis: int, times: int, *, each: bool) -> Wire:
    """The whole axis so many times, or each place so many times."""
    shape, size = wire.shape, wire.shape[axis]
    one, many = ((size, 1), (size, times)) if each else ((1, size), (times, size))
    single = build.reshape(wire, (*shape[:axis], *one, *shape[axis + 1 :]))
    wide = build.expand(single, (*shape[:axis], *many, *shape[axis + 1 :]))
    return build.reshape(wide, (*shape[:axis], size * times, *shape[axis + 1 :]))


def _repeat_interleave(build: GraphBuilder, call: Call) -> Wire:
    wire, times = call.wire("self"), call["repeats"]
    if call["dim"] is None:
        raise Refused("it repeats along all axes; name one with dim=")
    return _copies(build, wire, call.axis(call["dim"], len(wire.shape) + 1), times, each=True)


def _flip(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    for dim in call["dims"]:
        axis = call.axis(dim, len(wire.shape) + 1)
        wire = taken(build, wire, axis, range(wire.shape[axis] - 1, -1, -1))
    return wire


def _roll(build: GraphBuilder, call: Call) -> Wire:
    wire, dims = call.wire("self"), list(call["dims"])
    if not dims:
        raise Refused("it rolls over all axes at once; name them with dims=")
    for shift, dim in zip(call["shifts"], dims, strict=True):
        axis = call.axis(dim, len(wire.shape) + 1)
        size = wire.shape[axis]
        wire = taken(build, wire, axis, [(place - shift) % size for place in range(size)])
    return wire


def _index_select(build: GraphBuilder, call: Call) -> Wire:
    wire, index = call.wire("self"), call.constant("index")
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    return taken(build, wire, axis, index.reshape(-1).tolist())


def named_axes(given: Sequence[torch.Tensor | None]) -> tuple[list[int], tuple[torch.Tensor, ...]]:
    """Of x[:, i, j, ...] with constants: axes of a sample, next to one another, and the places on each,
    of one shape. A mask names the places where it is true.
    """
    indices: list[torch.Tensor | None] = []
    for index in given:
        of_mask = index is not None and index.dtype == torch.bool
        indices += index.nonzero(as_tuple=True) if index is not None and of_mask else (index,)
    named = [dim for dim, index in enumerate(indices) if index is not None]
    if 0 in named:
        raise Refused("it works along the batch dimension; rows of a batch may not be mixed")
    axes = [dim - 1 for dim in named]
    if axes != list(range(axes[0], axes[-1] + 1)):  # torch puts their places in front, before the batch
        raise Refused("it indexes axes that are not next to one another; move them together before, as movedim does")
    places: tuple[torch.Tensor, ...] = tuple(
        torch.broadcast_tensors(*(index for index in indices if index is not None))  # type: ignore[no-untyped-call]
    )
    if places[0].numel() > _MOST:
        raise Refused(f"it names {places[0].numel()} places; {_MOST} at most are supported")
    return axes, places


def _index(build: GraphBuilder, call: Call) -> Wire:
    """x[:, i, j, ...] with constants: the named axes as one, of which places are taken."""
    wire = call.wire("self")
    given = list(call["indices"])
    if any(isinstance(index, Wire) and index.truth for index in given):
        raise Refused("it takes the places of a private mask, on which a shape would depend; torch.where keeps it")
    if any(isinstance(index, Wire) for index in given):
        raise Refused("it indexes by private values; use torch.gather, or look up with torch.nn.Embedding")
    if any(index is not None and index.dtype == torch.bool for index in given):
        raise Refused("it takes the places of a mask that is made in its code; keep the mask in a buffer")
    axes, chosen = named_axes(given)
    first = axes[0]
    sizes = [wire.shape[axis] for axis in axes]
    places = torch.arange(math.prod(sizes)).reshape(sizes)[chosen]
    flat = build.reshape(wire, (*wire.shape[:first], math.prod(sizes), *wire.shape[first + len(axes) :]))
    return build.reshape(taken(build, flat, first, places.reshape(-1).tolist()), call.shape)


def _channel_shuffle(build: GraphBuilder, call: Call) -> Wire:
    wire, groups = call.wire("self"), call["groups"]
    channels, *rest = wire.shape
    split = build.reshape(wire, (groups, channels // groups, *rest))
    order = (1, 0, *range(2, len(rest) + 2))
    return build.reshape(build.permute(split, order), wire.shape)


def pixel_shuffled(build: GraphBuilder, wire: Wire, rows: int, columns: int) -> Wire:
    """Channels (c, rows, columns) become places (rows, columns) within each pixel."""
    channels, height, width = wire.shape
    out = channels // (rows * columns)
    split = build.reshape(wire, (out, rows, columns, height, width))
    return build.reshape(build.permute(split, (0, 3, 1, 4, 2)), (out, height * rows, width * columns))


def _image(wire: Wire) -> None:
    if len(wire.shape) != 3:
        raise Refused(f"its input has {len(wire.shape) + 1} axes; (batch, channels, height, width) is supported")


def _pixel_shuffle(build: GraphBuilder, call: Call) -> Wire:
    wire, factor = call.wire("self"), call["upscale_factor"]
    if len(wire.shape) < 3:
        _image(wire)
    *front, channels, height, width = wire.shape  # axes in front are as channels
    flat = build.reshape(wire, (math.prod(front) * channels, height, width))
    return build.reshape(pixel_shuffled(build, flat, factor, factor), call.shape)


def _pixel_unshuffle(build: GraphBuilder, call: Call) -> Wire:
    wire, factor = call.wire("self"), call["downscale_factor"]
    _image(wire)
    channels, height, width = wire.shape
    split = build.reshape(wire, (channels, height // factor, factor, width // factor, factor))
    return build.reshape(build.permute(split, (0, 2, 4, 1, 3)), call.shape)


def _places(size: int, kernel: int, stride: int, padding: int, dilation: int) -> tuple[int, list[int]]:
    """How many windows there are, and the places of their cells, cell by cell."""
    count = windows(size, kernel, stride, (padding, padding), dilation)
    return count, [start * stride + cell * dilation for cell in range(kernel) for start in range(count)]


def _unfold_images(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    _image(wire)
    kernel, stride, padding, dilation = (pair(call[name]) for name in ("kernel_size", "stride", "padding", "dilation"))
    channels, height, width = wire.shape
    (down, rows), (across, columns) = (
        _places(size, *sides) for size, *sides in zip((height, width), kernel, stride, padding, dilation, strict=True)
    )
    wire = padded(build, wire, ((0, 0), (padding[0], padding[0]), (padding[1], padding[1])))
    wire = taken(build, taken(build, wire, 1, rows), 2, columns)
    split = build.reshape(wire, (channels, kernel[0], down, kernel[1], across))
    return build.reshape(build.permute(split, (0, 1, 3, 2, 4)), call.shape)


def _unfold_axis(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    axis = call.axis(call["dimension"], len(wire.shape) + 1)
    size = wire.shape[axis]
    count, places = _places(size, call["size"], call["step"], 0, 1)
    split = (*wire.shape[:axis], call["size"], count, *wire.shape[axis + 1 :])
    wide = build.reshape(taken(build, wire, axis, places), split)
    order = (*(k for k in range(len(split)) if k != axis), axis)
    return build.permute(wide, order)


def padded(build: GraphBuilder, wire: Wire, pads: Sequence[Pair], value: float = 0.0) -> Wire:
    """With (before, after) more places along each axis."""
    if all(sides == (0, 0) for sides in pads):
        return wire
    shape = tuple(size + sum(sides) for size, sides in zip(wire.shape, pads, strict=True))
    wide = build.emit(Pad, lifted(build, wire, -value), shape=shape, pads=tuple(pads))
    return lifted(build, wide, value)


MOVEMENT: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.expand.default: _expand,
        aten.expand_as.default: _expand,
        aten.repeat.default: _repeat,
        aten.tile.default: _repeat,
        aten.repeat_interleave.self_int: _repeat_interleave,
        aten.flip.default: _flip,
        aten.roll.default: _roll,
        aten.index_select.default: _index_select,
        aten.index.Tensor: _index,
        aten.channel_shuffle.default: _channel_shuffle,
        aten.native_channel_shuffle.default: _channel_shuffle,
        aten.pixel_shuffle.default: _pixel_shuffle,
        aten.pixel_unshuffle.default: _pixel_unshuffle,
        aten.im2col.default: _unfold_images,
        aten.unfold.default: _unfold_axis,
    }
)
