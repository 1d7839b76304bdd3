"""Translations of running extremes, products and sums along an axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import torch

from analytics.nn.torch_ops.activations import larger_exponential
from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import scaled
from analytics.nn.torch_ops.pointwise import multiplied
from analytics.nn.torch_ops.resampling import along
from icm_ray.network.layers import Concat, Maximum

__all__ = ["RUNNING"]

aten = torch.ops.aten
_MOST_SUMMED = 256
Join: TypeAlias = Callable[[GraphBuilder, Wire, Wire], Wire]


def _joined_so_far(build: GraphBuilder, wire: Wire, axis: int, join: Join) -> Wire:
    """All places up to each one of an axis: of 2, 4, 8, ... places, so that few layers follow one another."""
    size, step = wire.shape[axis], 1
    while step < size:
        before, behind = build.cut(wire, axis, 0, size - step), build.cut(wire, axis, step, size)
        rest = join(build, before, behind)
        wire = build.emit(Concat, build.cut(wire, axis, 0, step), rest, shape=wire.shape, axis=axis)
        step *= 2
    return wire


def _larger(build: GraphBuilder, before: Wire, behind: Wire) -> Wire:
    return build.emit(Maximum, before, behind, shape=before.shape)


def _extremes(*, largest: bool) -> Translation:
    def translate(build: GraphBuilder, call: Call) -> tuple[Wire, None]:
        wire = call.wire("self")
        axis = call.axis(call["dim"], len(wire.shape) + 1)
        made = wire if largest else scaled(build, wire, -1.0)
        made = _joined_so_far(build, made, axis, _larger)
        return made if largest else scaled(build, made, -1.0), None

    return translate


def _with(join: Join) -> Translation:
    def translate(build: GraphBuilder, call: Call) -> Wire:
        wire = call.wire("self")
        return _joined_so_far(build, wire, call.axis(call["dim"], len(wire.shape) + 1), join)

    return translate


def _sums(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    size = wire.shape[axis]
    if size > _MOST_SUMMED:
        raise Refused(f"it adds up along {size} places; {_MOST_SUMMED} at most are supported")
    return along(build, wire, axis, torch.ones(size, size, dtype=torch.float64).tril())


RUNNING: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.cummax.default: _extremes(largest=True),
        aten.cummin.default: _extremes(largest=False),
        aten.cumprod.default: _with(multiplied),
        aten.cumsum.default: _sums,
        aten.logcumsumexp.default: _with(larger_exponential),
    }
)
