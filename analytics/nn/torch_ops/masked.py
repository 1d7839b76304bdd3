"""Values that a private mask fills with minus infinity: what takes them, and what takes the mask along.

The mask is a wire of zeros and ones beside the values. What only moves values is called for both; what may put other
values beside or among them is refused, since they would be read as a part of the mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.minus_infinity import ONLY_SOFTMAX
from analytics.nn.torch_ops.moved import MOVED
from analytics.nn.torch_ops.movement import MOVEMENT

__all__ = ["with_mask"]

aten = torch.ops.aten
_KEEPING: Final[Mapping[Any, tuple[str, ...]]] = {
    aten.add.Tensor: ("self", "other"),
    aten.sub.Tensor: ("self", "other"),
    aten.where.self: ("self", "other"),
    aten.masked_fill.Scalar: ("self",),
    aten.masked_fill.Tensor: ("self",),
    aten.baddbmm.default: ("self",),
}
"""What makes masked values of masked ones, and of which arguments."""
_ENDING: Final[Mapping[Any, tuple[str, ...]]] = {
    aten.softmax.int: ("self",),
    aten._softmax.default: ("self",),
    aten.scaled_dot_product_attention.default: ("attn_mask",),
}
"""What takes the mask into account, and of which arguments."""
_CASTS: Final = {aten._to_copy.default, aten.to.dtype}
_CARRYING: Final = {
    *MOVEMENT,
    *(MOVED.keys() - {aten.stack.default}),
    *_CASTS,
    *(aten.lift_fresh_copy.default, aten.dropout.default, aten.feature_dropout.default, aten.copy.default),
    *(aten.slice.Tensor, aten.narrow.default, aten.pad.default, aten.constant_pad_nd.default),
    *(aten.split.Tensor, aten.split_with_sizes.default, aten.chunk.default),
    *(aten.reflection_pad1d.default, aten.reflection_pad2d.default),
    *(aten.replication_pad1d.default, aten.replication_pad2d.default),
    *(aten.tril.default, aten.triu.default, aten.diagonal.default, aten.rot90.default),
    *(aten.gather.default, aten.take_along_dim.default),
}
"""What only moves values, or puts zeros beside them."""


def with_mask(build: GraphBuilder, op: Any, call: Call, translation: Translation) -> Any:
    """What a translation makes of a call, with the mask of the values that it takes."""
    wires = list(call.wires())
    if all(wire.shut is None for wire in wires):
        return translation(build, call)
    if op in _ENDING or op in _KEEPING:
        return _taken(build, op, call, translation)
    (wire, *others) = wires
    direct = any(value is wire for value in call.arguments.values())
    if op not in _CARRYING or others or not direct or _fills(op, call):
        raise Refused(ONLY_SOFTMAX)
    made, mask = (
        translation(build, replace(call, arguments=_replaced(call.arguments, wire, other)))
        for other in (replace(wire, shut=None), wire.shut)
    )
    return _beside(made, mask)


def _beside(made: Any, mask: Any) -> Any:
    """Values, or parts of them, with their masks."""
    if isinstance(made, tuple):
        return tuple(map(_beside, made, mask))
    return replace(made, shut=replace(mask, bit=True))


def _taken(build: GraphBuilder, op: Any, call: Call, translation: Translation) -> Any:
    names = _ENDING.get(op) or _KEEPING[op]
    if any(isinstance(value, Wire) and value.shut and name not in names for name, value in call.arguments.items()):
        raise Refused(ONLY_SOFTMAX)
    made = translation(build, call)
    if op in _KEEPING and made.shut is None:  # other values may stand in masked places now
        raise Refused(ONLY_SOFTMAX)
    return made


def _fills(op: Any, call: Call) -> bool:
    """Whether there are other values than zeros in the result, or other numbers than those that are moved."""
    dtype = call.get("dtype") if op in _CASTS else None
    return bool(call.get("value")) or not (dtype is None or dtype.is_floating_point)


def _replaced(arguments: Mapping[str, Any], wire: Wire, other: Wire | None) -> dict[str, Any]:
    return {name: other if value is wire else value for name, value in arguments.items()}
