"""Translations of images read at the places of a constant grid: each pixel is a weighted sum of pixels.

The matrix is what torch makes of unit images, by its own rules for edges, corners and modes. Its places and weights are
the grid's, so that it is private, like a linear layer's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import of_sample
from icm_ray.network.layers import Linear

__all__ = ["WARPS"]

aten = torch.ops.aten
_MOST = 1 << 24  # pixels of an image times those of the result
_AT_ONCE = 1 << 22  # pixels of the unit images of one call of torch's


def _sampled(build: GraphBuilder, call: Call) -> Wire:
    """(channels, pixels) times (pixels, places of the grid)."""
    wire, grid = call.wire("input"), call["grid"]
    if isinstance(grid, Wire):
        raise Refused("its grid depends on the private input; constant grids are supported")
    places = of_sample(grid, len(wire.shape))
    channels, *sizes = wire.shape
    count, made = math.prod(sizes), math.prod(places.shape[:-1])
    if count * made > _MOST:
        raise Refused(f"it makes {made} pixels of {count}; {_MOST} for their product at most are supported")
    facts = (call["interpolation_mode"], call["padding_mode"], call["align_corners"])
    rows = []
    for start in range(0, count, step := max(_AT_ONCE // count, 1)):
        units = torch.eye(min(step, count - start), count - start, dtype=torch.float64)
        units = torch.nn.functional.pad(units, (start, 0)).reshape(-1, 1, *sizes)
        given = places.expand(len(units), *places.shape)
        rows.append(aten.grid_sampler.default(units, given, *facts).reshape(len(units), made))
    flat = build.reshape(wire, (channels, count))
    weight = torch.cat(rows).T
    return build.reshape(build.emit(Linear, flat, shape=(channels, made), weight=weight, bias=None), call.shape)


WARPS: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.grid_sampler.default: _sampled,
        aten.grid_sampler_2d.default: _sampled,
        aten.grid_sampler_3d.default: _sampled,
    }
)
