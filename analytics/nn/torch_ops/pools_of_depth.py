"""Translations of pools of three axes, axis by axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.pools import window_counts
from analytics.nn.torch_ops.resampling import adaptive, adaptive_maximum, pooled_along
from analytics.nn.torch_ops.sizes import numbers
from icm_ray.network.layer import Pair
from icm_ray.network.layers import AvgPool, MaxPool
from icm_ray.network.layers.windows import ceil_padding, windows

__all__ = ["POOLS_OF_DEPTH"]

aten = torch.ops.aten


def _source(call: Call) -> Wire:
    wire = call.wire("self")
    if len(wire.shape) != 4:
        raise Refused(f"its input has {len(wire.shape) + 1} axes; (batch, channels, depth, height, width) is supported")
    return wire


def _facts(call: Call, name: str, default: Sequence[int]) -> tuple[int, ...]:
    given = call.get(name)
    return numbers(given, 3) if given not in (None, []) else tuple(default)


def _sides(wire: Wire, axis: int, kernel: int, stride: int, plain: int, dilation: int, ceil: bool) -> tuple[Pair, int]:
    size = wire.shape[axis]
    side = ceil_padding(size, kernel, stride, (plain, plain), dilation) if ceil else (plain, plain)
    return side, windows(size, kernel, stride, side, dilation)


def _max_pool(build: GraphBuilder, call: Call) -> Wire:
    wire = _source(call)
    kernel = numbers(call["kernel_size"], 3)
    stride, plain = _facts(call, "stride", kernel), _facts(call, "padding", (0, 0, 0))
    dilation = _facts(call, "dilation", (1, 1, 1))
    for k in range(3):
        side, made = _sides(wire, k + 1, kernel[k], stride[k], plain[k], dilation[k], call["ceil_mode"])
        facts = {"kernel": (1, kernel[k]), "stride": (1, stride[k]), "dilation": (1, dilation[k])}
        wire = pooled_along(build, wire, k + 1, made, MaxPool, padding=((0, 0), side), **facts)
    return wire


def _max_pool_indices(build: GraphBuilder, call: Call) -> tuple[Wire, None]:
    return _max_pool(build, call), None


def _avg_pool(build: GraphBuilder, call: Call) -> Wire:
    wire, override = _source(call), call.get("divisor_override")
    if override is not None and override <= 0:
        raise Refused(f"it divides by {override}; divisors above zero are supported")
    kernel = numbers(call["kernel_size"], 3)
    stride, plain = _facts(call, "stride", kernel), _facts(call, "padding", (0, 0, 0))
    for k in range(3):
        size = wire.shape[k + 1]
        side, made = _sides(wire, k + 1, kernel[k], stride[k], plain[k], 1, call["ceil_mode"])
        counts = window_counts(size, kernel[k], stride[k], plain[k], side, call["count_include_pad"])
        divisors: dict[str, Any] = {"divisor": None, "counts": ((1.0,), counts)}
        if override is not None:
            divisors = {"divisor": float(override) if k == 2 else 1.0, "counts": None}
        elif len(set(counts)) == 1:
            divisors = {"divisor": counts[0], "counts": None}
        facts = {"kernel": (1, kernel[k]), "stride": (1, stride[k]), "padding": ((0, 0), side)}
        wire = pooled_along(build, wire, k + 1, made, AvgPool, **facts, **divisors)
    return wire


def _adaptive_avg(build: GraphBuilder, call: Call) -> Wire:
    return adaptive(build, _source(call), call.shape[1:])


def _adaptive_max(build: GraphBuilder, call: Call) -> tuple[Wire, None]:
    return adaptive_maximum(build, _source(call), call.shape[1:]), None


POOLS_OF_DEPTH: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.max_pool3d.default: _max_pool,
        aten.max_pool3d_with_indices.default: _max_pool_indices,
        aten.avg_pool3d.default: _avg_pool,
        aten.adaptive_avg_pool3d.default: _adaptive_avg,
        aten.adaptive_max_pool3d.default: _adaptive_max,
    }
)
