"""Translations of what puts values in order: places of extremes, the largest of rows, sorting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import scaled
from icm_ray.network.layers import MaxPool, Order
from icm_ray.network.layers.order import MOST_ORDERED

__all__ = ["ORDERS"]

aten = torch.ops.aten


def _rows(build: GraphBuilder, call: Call, wire: Wire, dim: int) -> tuple[Wire, tuple[int, ...]]:
    """The wire with an axis behind all others, and the order of axes that is back."""
    axis = call.axis(dim, len(wire.shape) + 1)
    order = (*(k for k in range(len(wire.shape)) if k != axis), axis)
    return build.permute(wire, order), tuple(order.index(k) for k in range(len(order)))


def _ordered(
    build: GraphBuilder, call: Call, wire: Wire, dim: int, k: int, *, largest: bool, places: bool, values: bool
) -> tuple[Wire | None, Wire | None]:
    """Values and places of the k largest or smallest along an axis."""
    if not wire.shape:
        raise Refused("it works along the batch dimension; rows of a batch may not be mixed")
    rows, back = _rows(build, call, wire, dim)
    size = rows.shape[-1]
    if k > 1 and k * size > MOST_ORDERED:
        raise Refused(f"it puts {k} of {size} values in order; {k} times as many are to be {MOST_ORDERED} at most")
    rows = rows if largest else scaled(build, rows, -1.0)
    shape = (*rows.shape[:-1], k)
    found = build.permute(build.emit(Order, rows, shape=shape, k=k, places=False), back) if values else None
    where = build.permute(build.emit(Order, rows, shape=shape, k=k, places=True), back) if places else None
    if found is not None and not largest:
        found = scaled(build, found, -1.0)
    return found, where


def _arg(*, largest: bool) -> Translation:
    def translate(build: GraphBuilder, call: Call) -> Wire:
        if call["dim"] is None:
            raise Refused("it works along the batch dimension too; name the axis of a sample with dim=")
        _, where = _ordered(build, call, call.wire("self"), call["dim"], 1, largest=largest, places=True, values=False)
        return build.reshape(_there(where), call.shape)

    return translate


def _there(wire: Wire | None) -> Wire:
    if wire is None:
        raise Refused("its result is not used")
    return wire


def _extreme(*, largest: bool) -> Translation:
    """Values by a tree of comparisons, places beside them where they are used."""

    def translate(build: GraphBuilder, call: Call) -> tuple[Wire, Wire]:
        wire = call.wire("self")
        rows, _ = _rows(build, call, wire, call["dim"])
        size, front = rows.shape[-1], rows.shape[:-1]
        rows = rows if largest else scaled(build, rows, -1.0)
        count = math.prod(front)
        none = ((0, 0), (0, 0))
        facts: dict[str, Any] = {"kernel": (1, size), "stride": (1, size), "padding": none, "dilation": (1, 1)}
        found = build.emit(MaxPool, build.reshape(rows, (count, 1, size)), shape=(count, 1, 1), **facts)
        values = build.reshape(found if largest else scaled(build, found, -1.0), call.shape)
        where = build.emit(Order, rows, shape=(*front, 1), k=1, places=True)
        return values, build.reshape(where, call.shape)

    return translate


def _top_k(build: GraphBuilder, call: Call) -> tuple[Wire, Wire]:
    wire, k = call.wire("self"), call["k"]
    found, where = _ordered(build, call, wire, call["dim"], k, largest=call["largest"], places=True, values=True)
    return _there(found), _there(where)


def _size(call: Call, wire: Wire) -> int:
    return wire.shape[call.axis(call["dim"], len(wire.shape) + 1)]


def _sort(build: GraphBuilder, call: Call) -> tuple[Wire, Wire]:
    wire = call.wire("self")
    k, falling = _size(call, wire), call["descending"]
    found, where = _ordered(build, call, wire, call["dim"], k, largest=falling, places=True, values=True)
    return _there(found), _there(where)


def _arg_sort(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    k, falling = _size(call, wire), call["descending"]
    return _there(_ordered(build, call, wire, call["dim"], k, largest=falling, places=True, values=False)[1])


def _kth(build: GraphBuilder, call: Call) -> tuple[Wire, Wire]:
    """The k-th smallest."""
    wire, k = call.wire("self"), call["k"]
    parts = _ordered(build, call, wire, call["dim"], k, largest=False, places=True, values=True)
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    values, places = (build.reshape(build.cut(_there(part), axis, k - 1, k), call.shape) for part in parts)
    return values, places


def _median(build: GraphBuilder, call: Call) -> tuple[Wire, Wire]:
    k = (_size(call, call.wire("self")) + 1) // 2
    return _kth(build, Call({**call.arguments, "k": k}, call.full_shape))


ORDERS: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.argmax.default: _arg(largest=True),
        aten.argmin.default: _arg(largest=False),
        aten.max.dim: _extreme(largest=True),
        aten.min.dim: _extreme(largest=False),
        aten.topk.default: _top_k,
        aten.sort.default: _sort,
        aten.sort.stable: _sort,
        aten.argsort.default: _arg_sort,
        aten.argsort.stable: _arg_sort,
        aten.kthvalue.default: _kth,
        aten.median.dim: _median,
        aten.nanmedian.dim: _median,
    }
)
