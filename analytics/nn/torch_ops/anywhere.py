"""Operations to which it is the same where the batch is: called as if it were in front, where layers have it.

The axes of a sample are in one order wherever torch's tensor has the batch; what changes is how torch counts them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from analytics.nn.torch_ops.activations import ACTIVATIONS
from analytics.nn.torch_ops.angles import ANGLES
from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Wire
from analytics.nn.torch_ops.comparisons import COMPARISONS
from analytics.nn.torch_ops.pointwise import POINTWISE
from analytics.nn.torch_ops.roundings import ROUNDINGS
from analytics.nn.torch_ops.running import RUNNING
from icm_ray.network.layer import Shape

__all__ = ["ALONG", "ANYWHERE", "ELEMENTWISE", "back", "behind_others", "check_products", "in_front"]

aten = torch.ops.aten
ALONG = {
    *(aten.softmax.int, aten._softmax.default, aten.log_softmax.int, aten._log_softmax.default, aten.glu.default),
    *(aten.cat.default, aten.flip.default, aten.slice.Tensor, aten.narrow.default, aten.chunk.default),
    *(aten.split.Tensor, aten.split_with_sizes.default, aten.topk.default, aten.sort.default, *RUNNING),
    *(aten.mean.dim, aten.sum.dim_IntList, aten.amax.default, aten.amin.default, aten.max.dim, aten.min.dim),
    *(aten.any.dim, aten.all.dim, aten.any.dims, aten.all.dims, aten.var.correction, aten.std.correction),
    *(aten.linalg_vector_norm.default, aten.argmax.default, aten.argmin.default),
}
"""Which name axes by `dim`."""
_LAST = {
    *(aten.linear.default, aten.matmul.default, aten.mm.default, aten.addmm.default),
    *(aten.layer_norm.default, aten.native_layer_norm.default, aten.rms_norm.default),
}
"""Which work on the last axes, by constants."""
_PAIRS = {aten.bmm.default, aten.baddbmm.default, aten.scaled_dot_product_attention.default}
"""Which work on the last two axes."""
_CHANNELS = {aten.prelu.default, aten._prelu_kernel.default}
ELEMENTWISE = (
    {
        *(op for table in (POINTWISE, ACTIVATIONS, ANGLES, COMPARISONS, ROUNDINGS) for op in table),
        *(aten.exp.default, aten.expm1.default, aten.log.default, aten.log1p.default, aten.sqrt.default),
        *(aten.rsqrt.default, aten.reciprocal.default, aten.pow.Tensor_Scalar, aten.div.Tensor, aten.div.Scalar),
        *(aten.dropout.default, aten._to_copy.default, aten.to.dtype, aten.expand.default, aten.expand_as.default),
        *(aten.where.self, aten.where.ScalarOther, aten.where.ScalarSelf, aten.masked_fill.Scalar),
        *_PAIRS,
    }
    - ALONG
    - _CHANNELS
)

ANYWHERE = ELEMENTWISE | ALONG | _LAST
"""The operations that are the same wherever the batch is."""


def behind_others(op: Any, call: Call) -> bool:
    """Whether constants have axes that stand before the batch in the result."""
    ranks = [len(wire.shape) + 1 for wire in call.wires()]
    return op in ELEMENTWISE and bool(ranks) and max(ranks) < len(call.full_shape)


def in_front(build: GraphBuilder, op: Any, call: Call) -> Call:
    """The call on tensors with the batch in front, of one on tensors that have it elsewhere; refused for others."""
    wires = list(call.wires())
    rank = len(call.full_shape) if op in ELEMENTWISE else len(wires[0].shape) + 1
    at = {wire.at + rank - len(wire.shape) - 1 for wire in wires}
    if len(at) > 1:
        raise Refused("it takes values whose batch dimension was moved, and others; it must be in one place")
    (place,) = at
    check_products(op, call, rank, place)
    if op is aten.cat.default and call["dim"] % rank == place:
        raise Refused("it works along the batch dimension; rows of a batch may not be mixed")
    arguments = {name: _moved(build, op, name, value, rank, place) for name, value in call.arguments.items()}
    return Call(arguments, _front(call.full_shape, place - _dropped(call, rank, place)))


def check_products(op: Any, call: Call, rank: int, place: int) -> None:
    """Refuse what works along the batch in `place`, of `rank` axes, or by constants that have axes before it."""
    if op not in _LAST | _PAIRS:
        return
    right = any(isinstance(call.get(name), Wire) for name in ("other", "mat2"))
    last = 2 if op in _PAIRS or right else len(call.get("normalized_shape", (1,)))
    if place >= rank - last:
        raise Refused("it works along the batch dimension; rows of a batch may not be mixed")
    for constant in call.arguments.values() if op in _LAST else ():
        if isinstance(constant, torch.Tensor) and constant.ndim > 2:
            before = min(constant.ndim - 2, max(constant.ndim - rank + place + 1, 0))
            if constant.ndim > rank or math.prod(constant.shape[:before]) != 1:
                raise Refused("its constant has axes before the batch dimension, which must stay in front")


def back(made: Any, call: Call, wires: list[Wire], op: Any) -> Any:
    """What was made of a call in front, with the batch where the call that it was made of has it."""
    if isinstance(made, tuple):
        return tuple(back(item, call, wires, op) for item in made)
    rank = len(call.full_shape) if op in ELEMENTWISE else len(wires[0].shape) + 1
    place = wires[0].at + rank - len(wires[0].shape) - 1
    return _with_batch_at(made, place - _dropped(call, rank, place)) if isinstance(made, Wire) else made


def _with_batch_at(wire: Wire, place: int) -> Wire:
    return replace(wire, at=place, shut=None if wire.shut is None else replace(wire.shut, at=place))


def _dropped(call: Call, rank: int, place: int) -> int:
    """How many axes before the batch are not in the result any more."""
    if len(call.full_shape) == rank:
        return 0
    dims = call.get("dim")
    named = [] if dims is None else [dims] if isinstance(dims, int) else dims
    return sum(dim % rank < place for dim in named)


def _front(shape: Shape, place: int) -> Shape:
    return (*shape[place : place + 1], *shape[:place], *shape[place + 1 :])


def _moved(build: GraphBuilder, op: Any, name: str, value: Any, rank: int, place: int) -> Any:
    """An argument, as the call in front has it."""
    if isinstance(value, Wire):
        more = rank - 1 - len(value.shape)
        made = build.reshape(value, (*(1,) * more, *value.shape)) if more else value
        return replace(made, at=0, shut=value.shut and _moved(build, op, name, value.shut, rank, place))
    if isinstance(value, torch.Tensor):
        if op in _LAST or (op in ALONG and value.ndim != rank):
            return value
        return value.reshape((1,) * (rank - value.ndim) + tuple(value.shape)).movedim(place, 0) if value.ndim else value
    if name in {"dim", "dims"} and op in ALONG and value is not None:
        return _axis(value, rank, place) if isinstance(value, int) else [_axis(dim, rank, place) for dim in value]
    if isinstance(value, list | tuple) and any(isinstance(item, Wire | torch.Tensor) for item in value):
        return [_moved(build, op, "", item, rank, place) for item in value]
    return value


def _axis(dim: int, rank: int, place: int) -> int:
    dim %= rank
    return 0 if dim == place else dim + (dim < place)
