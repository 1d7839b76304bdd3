"""Values whose batch is merged with axes beside it: (batch, heads, n, d) as (batch * heads, n, d), and back.

Layers have no batch, so that a sample keeps its axes, whatever torch merges: a wire says how many places of torch's
axis stand before and behind an image of the batch. What works along other axes is called as if torch had kept them
apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import torch

from analytics.nn.torch_ops.anywhere import ALONG, ANYWHERE, ELEMENTWISE, check_products
from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Wire
from icm_ray.network.layer import Shape

__all__ = ["MERGED", "parted", "remerged"]

aten = torch.ops.aten
_SAME: Final = {aten.alias.default, aten.clone.default, aten.contiguous.default, aten.detach.default}
_ADDING: Final = {aten.unsqueeze.default, aten.stack.default}
_NAMING: Final = {*ALONG, *_ADDING, aten.select.int, aten.unbind.int, aten.squeeze.dim, aten.squeeze.dims}
_ORDERING: Final = {aten.permute.default, aten.transpose.int}
MERGED: Final = (ANYWHERE - {aten.prelu.default, aten._prelu_kernel.default}) | _SAME | _NAMING | _ORDERING
"""The operations that take values whose batch is merged with other axes."""


def parted(build: GraphBuilder, op: Any, call: Call) -> tuple[Any, Call]:
    """The operation and its call on tensors whose axes are apart, of those on tensors that have the batch merged."""
    wires = list(call.wires())
    if len({wire.merged for wire in wires}) > 1:
        raise Refused("it takes values whose batch dimension is merged with others, and values where it is not")
    wire = wires[0]
    rank = len(wire.shape) - 1
    aligned = op in ELEMENTWISE
    most = len(call.full_shape) if aligned else rank
    at = {other.at + (most - len(other.shape) + 1 if aligned else 0) for other in wires}
    if len(at) > 1 or wire.merged is None:
        raise Refused("it takes values whose batch dimension was moved, and others; it must be in one place")
    (place,) = at
    check_products(op, call, most, place)
    sizes = wire.merged[0], build.batch, wire.merged[1]
    arguments = {name: _parted(value, most, place, sizes, aligned=aligned) for name, value in call.arguments.items()}
    if op is aten.transpose.int:
        dims = list(range(rank))
        first, second = call["dim0"] % rank, call["dim1"] % rank
        dims[first], dims[second] = second, first
        op, arguments = aten.permute.default, {"self": arguments["self"], "dims": dims}
    if op is aten.permute.default:
        arguments["dims"] = [k for dim in arguments["dims"] for k in _dims(dim % rank, place)]
    elif op in _NAMING:
        named = rank + (op in _ADDING)
        arguments |= {
            name: _named(arguments[name], named, place, op)
            for name in ("dim", "dims")
            if arguments.get(name) is not None
        }
    return op, Call(arguments, _full(op, call, most, place, sizes))


def _parted(value: Any, rank: int, place: int, sizes: tuple[int, int, int], *, aligned: bool) -> Any:
    """An argument, with the axes apart that torch has merged."""
    if isinstance(value, Wire):
        return _apart(value)
    if isinstance(value, torch.Tensor) and aligned and value.ndim:
        whole = value.reshape((1,) * (rank - value.ndim) + tuple(value.shape))
        middle = (1, 1, 1) if whole.shape[place] == 1 else sizes
        return whole.reshape(*whole.shape[:place], *middle, *whole.shape[place + 1 :])
    if isinstance(value, list | tuple) and any(isinstance(item, Wire | torch.Tensor) for item in value):
        return [_parted(item, rank, place, sizes, aligned=True) for item in value]
    return value


def _apart(wire: Wire) -> Wire:
    return replace(wire, at=wire.at + 1, merged=None, shut=None if wire.shut is None else _apart(wire.shut))


def _dims(dim: int, place: int) -> list[int]:
    """The axes that one axis of a merged tensor stands for."""
    return [place, place + 1, place + 2] if dim == place else [dim + 2 * (dim > place)]


def _named(given: Any, rank: int, place: int, op: Any) -> Any:
    if not isinstance(given, int):
        return [_named(dim, rank, place, op) for dim in given]
    dim = given % rank
    if dim == place and op is aten.slice.Tensor:
        return place + 1  # all of a batch, or it is refused
    if dim == place and op not in _ADDING:
        raise Refused("it works along the batch dimension; rows of a batch may not be mixed")
    return dim + 2 * (dim > place)


def _full(op: Any, call: Call, rank: int, place: int, sizes: tuple[int, int, int]) -> Shape:
    """The shape of the result with the axes apart."""
    full, gone = call.full_shape, 0
    if op in _ADDING and call["dim"] % (rank + 1) <= place:
        gone = -1
    elif op in ALONG and len(full) < rank:
        dims = call.get("dim")
        gone = sum(dim % rank < place for dim in ([dims] if isinstance(dims, int) else dims or ()))
    at = place - gone
    return (*full[:at], *sizes, *full[at + 1 :])


def remerged(value: Any, merged: tuple[int, int] | None) -> Any:
    """What was made of a call with the axes apart, as torch has it."""
    if isinstance(value, tuple):
        return tuple(remerged(item, merged) for item in value)
    if not isinstance(value, Wire):
        return value
    return replace(
        value, at=value.at - 1, merged=merged, shut=None if value.shut is None else remerged(value.shut, merged)
    )
