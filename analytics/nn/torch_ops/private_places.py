"""Translations of what names places by private whole numbers, and of what finds such places among constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import affine
from analytics.nn.torch_ops.matrices import paired
from analytics.nn.torch_ops.movement import MOVEMENT
from analytics.nn.torch_ops.pools import summed_over
from icm_ray.network.layers import AtLeast, Linear, OneHot

__all__ = ["PRIVATE_PLACES", "gathered", "looked_up"]

aten = torch.ops.aten


def looked_up(build: GraphBuilder, places: Wire, table: torch.Tensor) -> Wire:
    """Rows of a constant, the first or last of them for places beyond it: one-hot rows times the table."""
    classes, rest = len(table), tuple(table.shape[1:])
    if classes < 2:
        raise Refused("its table has one row")
    row = build.emit(OneHot, places, shape=(*places.shape, classes), classes=classes)
    flat = table.to(torch.float64).reshape(classes, -1)
    made = build.emit(Linear, row, shape=(*places.shape, flat.shape[1]), weight=flat.t(), bias=None)
    return build.reshape(made, (*places.shape, *rest))


def gathered(build: GraphBuilder, wire: Wire, places: Wire, axis: int) -> Wire:
    """Along an axis the values at private places: one-hot rows times the values, for each place of the other axes."""
    order = (*(k for k in range(len(wire.shape)) if k != axis), axis)
    rows, named = build.permute(wire, order), build.permute(places, order)
    front, size = rows.shape[:-1], rows.shape[-1]
    if named.shape[:-1] != front:
        raise Refused(f"it takes places {places.shape} of {wire.shape}; the other axes must be of one size")
    if size < 2:
        raise Refused("it takes places along an axis of size 1")
    count = named.shape[-1]
    hot = build.emit(OneHot, named, shape=(*named.shape, size), classes=size)
    values = build.reshape(rows, (*front, size, 1))
    made = build.reshape(paired(build, hot, values), (*front, count))
    return build.permute(made, tuple(order.index(k) for k in range(len(order))))


def _among(build: GraphBuilder, call: Call) -> Wire:
    """How many of the boundaries a value has reached, or passed."""
    edges = call["boundaries" if "boundaries" in call.arguments else "sorted_sequence"]
    wire = call.wire("self")
    if not isinstance(edges, torch.Tensor) or edges.ndim != 1 or not edges.numel():
        raise Refused("its boundaries are to be one row of constants")
    if call.get("sorter") is not None:
        raise Refused("its boundaries are to be sorted, without a sorter")
    reached = bool(call["right"]) or call.get("side") == "right"
    whole = (wire.whole or wire.truth) and bool((edges == edges.round()).all())
    rank = len(wire.shape)
    wide = build.expand(build.reshape(wire, (*wire.shape, 1)), (*wire.shape, len(edges)))
    away = affine(build, wide, shift=-edges.double().reshape(*(1,) * rank, -1))
    at, strict = (-0.5 if reached else 0.5, False) if whole else (0.0, not reached)
    bits = build.emit(AtLeast, away, shape=wide.shape, at=at, strict=strict, whole=whole)
    counts = summed_over(build, replace(bits, bit=True), (rank,))
    return build.reshape(counts, call.shape)


def _index(build: GraphBuilder, call: Call) -> Wire:
    table, indices = call["self"], call["indices"]
    if isinstance(table, torch.Tensor) and len(indices) == 1 and isinstance(indices[0], Wire) and indices[0].whole:
        return looked_up(build, indices[0], table)
    made: Wire = MOVEMENT[aten.index.Tensor](build, call)
    return made


PRIVATE_PLACES: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.index.Tensor: _index,
        aten.bucketize.Tensor: _among,
        aten.searchsorted.Tensor: _among,
    }
)
