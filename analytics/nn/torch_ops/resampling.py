"""Translations of what is a public matrix along each axis: upsampling, and adaptive averages whose windows vary.

The matrix of an axis is what torch makes of unit vectors, by its own rules for edges, corners and sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Translation, Wire
from analytics.nn.torch_ops.movement import taken
from icm_ray.network.layers import AnyLayer, MaxPool, Resample

__all__ = ["RESAMPLING", "adaptive", "adaptive_maximum", "along", "pooled_along"]

aten = torch.ops.aten
Interpolate = Callable[..., torch.Tensor]


def along(build: GraphBuilder, wire: Wire, axis: int, matrix: torch.Tensor) -> Wire:
    """The axis times a public matrix (places of the result, places of the axis)."""
    places, columns = matrix.nonzero(as_tuple=True)
    rows = [columns[places == place].tolist() for place in range(len(matrix))]
    if all(len(row) == 1 for row in rows) and bool((matrix[places, columns] == 1).all()):
        return taken(build, wire, axis, [row[0] for row in rows])
    taps = []
    for tap in range(max(map(len, rows))):  # a row of fewer weights has zeros in their places
        indices = tuple(row[tap] if tap < len(row) else 0 for row in rows)
        weights = tuple(float(matrix[place, row[tap]]) if tap < len(row) else 0.0 for place, row in enumerate(rows))
        taps.append((indices, weights))
    shape = (*wire.shape[:axis], len(rows), *wire.shape[axis + 1 :])
    return build.emit(Resample, wire, shape=shape, axis=axis, taps=tuple(taps))


def _upsample(op: Interpolate, *extra: str) -> Translation:
    """Of one or two axes, each by itself."""

    def translate(build: GraphBuilder, call: Call) -> Wire:
        name = "input" if "input" in call.arguments else "self"
        wire = call.wire(name)
        axes = len(wire.shape) - 1
        size, factors = call["output_size"], call["scale_factors"]
        given = {key: call[key] for key in extra}
        for axis in range(1, axes + 1):
            count = wire.shape[axis]
            unit = torch.eye(count, dtype=torch.float64).reshape(
                count, 1, *(count if k == axis else 1 for k in range(1, axes + 1))
            )
            sizes = None if size is None else [size[k - 1] if k == axis else 1 for k in range(1, axes + 1)]
            scales = None if factors is None else [factors[k - 1] if k == axis else 1.0 for k in range(1, axes + 1)]
            made = op(unit, sizes, **given, scale_factors=scales)
            wire = along(build, wire, axis, made.reshape(count, -1).T)
        return wire

    return translate


def _antialiased(op: Interpolate) -> Translation:
    """Of rows and columns, each as if it were the last axis: before one of size 1, torch's kernel repeats a value."""

    def translate(build: GraphBuilder, call: Call) -> Wire:
        wire, size, factors = call.wire("input"), call["output_size"], call["scale_factors"]
        for axis in (1, 2):
            count = wire.shape[axis]
            unit = torch.eye(count, dtype=torch.float64).reshape(count, 1, 1, count)
            sizes = None if size is None else [1, size[axis - 1]]
            scales = None if factors is None else [1.0, factors[axis - 1]]
            made = op(unit, sizes, call["align_corners"], scales)
            wire = along(build, wire, axis, made.reshape(count, -1).T)
        return wire

    return translate


def adaptive(build: GraphBuilder, wire: Wire, wanted: tuple[int, ...]) -> Wire:
    """Averages of windows that differ in size, along the axes after the channels."""
    for axis, count in enumerate(wanted, start=1):
        size = wire.shape[axis]
        if size != count:
            unit = torch.eye(size, dtype=torch.float64).unsqueeze(0)
            wire = along(build, wire, axis, torch.nn.functional.adaptive_avg_pool1d(unit, count)[0].T)
    return wire


def pooled_along(build: GraphBuilder, wire: Wire, axis: int, made: int, kind: type[AnyLayer], **facts: Any) -> Wire:
    """A pool that slides along one axis alone, with places enough for `made` windows."""
    order = (*(k for k in range(len(wire.shape)) if k != axis), axis)
    moved = build.permute(wire, order)
    count = math.prod(moved.shape[:-1])
    flat = build.reshape(moved, (count, 1, moved.shape[-1]))
    pooled = build.emit(kind, flat, shape=(count, 1, made), **facts)
    back = tuple(order.index(k) for k in range(len(order)))
    return build.permute(build.reshape(pooled, (*moved.shape[:-1], made)), back)


def adaptive_maximum(build: GraphBuilder, wire: Wire, wanted: tuple[int, ...]) -> Wire:
    """Each window's places, the last of them several times where it is shorter than others; their maximum."""
    for axis, count in enumerate(wanted, start=1):
        size = wire.shape[axis]
        spans = [(k * size // count, -(-(k + 1) * size // count)) for k in range(count)]
        longest = max(stop - start for start, stop in spans)
        places = [min(start + k, stop - 1) for start, stop in spans for k in range(longest)]
        facts = {"kernel": (1, longest), "stride": (1, longest), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
        wire = pooled_along(build, taken(build, wire, axis, places), axis, count, MaxPool, **facts)
    return wire


RESAMPLING: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.upsample_nearest1d.vec: _upsample(aten.upsample_nearest1d.vec),
        aten.upsample_nearest2d.vec: _upsample(aten.upsample_nearest2d.vec),
        aten._upsample_nearest_exact1d.vec: _upsample(aten._upsample_nearest_exact1d.vec),
        aten._upsample_nearest_exact2d.vec: _upsample(aten._upsample_nearest_exact2d.vec),
        aten.upsample_linear1d.vec: _upsample(aten.upsample_linear1d.vec, "align_corners"),
        aten.upsample_bilinear2d.vec: _upsample(aten.upsample_bilinear2d.vec, "align_corners"),
        aten.upsample_bicubic2d.vec: _upsample(aten.upsample_bicubic2d.vec, "align_corners"),
        aten._upsample_bilinear2d_aa.vec: _antialiased(aten._upsample_bilinear2d_aa.vec),
        aten._upsample_bicubic2d_aa.vec: _antialiased(aten._upsample_bicubic2d_aa.vec),
        aten.upsample_nearest3d.vec: _upsample(aten.upsample_nearest3d.vec),
        aten._upsample_nearest_exact3d.vec: _upsample(aten._upsample_nearest_exact3d.vec),
        aten.upsample_trilinear3d.vec: _upsample(aten.upsample_trilinear3d.vec, "align_corners"),
    }
)
