"""Division by Euclidean norms that a network's code writes with a reciprocal root, read as a normalisation.

x min(1 / |x|, c), as Keras has it, is torch's normalize(x, eps=1/c): rows of zeros stay what they are, and nothing
grows with 1 / |x|.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from icm_ray.network.layers.normalise import LEAST_EPSILON

__all__ = ["read_unit_rows"]

aten = torch.ops.aten
_CASTS = {
    *(aten.to.dtype, aten.to.dtype_layout, aten.to.device, aten._to_copy.default),
    *(aten.alias.default, aten.lift_fresh_copy.default),
}
_LEAST = {aten.minimum.default, aten.clamp_max.default, aten.clamp.default}


def read_unit_rows(exported: ExportedProgram) -> None:
    """Replace every such product by a normalisation and a factor; others stay what they are."""
    for node in list(exported.graph.nodes):
        if node.target is aten.mul.Tensor and len(node.args) == 2:
            for x, factor in (node.args, node.args[::-1]):
                found = _found(exported, x, factor)
                if found is not None:
                    _replace(exported.graph, node, _seen(x), *found)
                    break


def _found(exported: ExportedProgram, x: Any, factor: Any) -> tuple[int, float] | None:
    """The axis and eps, where a factor is one over the length of x along it."""
    least = _of(factor, _LEAST)
    most = None if least is None else _number(exported, least)
    root = None if least is None else _of(least.args[0], {aten.rsqrt.default})
    total = None if root is None else _of(root.args[0], {aten.sum.dim_IntList})
    if total is None or most is None or most <= 0 or len(total.args) < 3 or not total.args[2]:
        return None
    squares, dims = _seen(total.args[0]), total.args[1]
    dim = dims[0] if isinstance(dims, list | tuple) and len(dims) == 1 else None
    if not isinstance(dim, int) or not _squares(squares, _seen(x)):
        return None
    shape = _seen(x).meta["val"].shape
    axis = dim % len(shape)
    size: Any = shape[axis]  # a symbol, of the batch
    fits = isinstance(size, int) and size >= 3 and 1 / (most * most * size) <= LEAST_EPSILON
    return (axis, 1 / most) if fits else None


def _replace(graph: fx.Graph, node: fx.Node, x: fx.Node, axis: int, eps: float) -> None:
    value = x.meta["val"]
    size, last = value.shape[axis], value.ndim - 1

    def made(op: Any, args: tuple[Any, ...], val: Any) -> fx.Node:
        fresh: fx.Node = graph.call_function(op, args)
        fresh.meta = {**node.meta, "val": val}
        return fresh

    moved = value.movedim(axis, last)
    with graph.inserting_before(node):
        rows = x if axis == last else made(aten.movedim.int, (x, axis, last), moved)
        unit = made(aten.rms_norm.default, (rows, [size], None, eps * eps / size), moved)
        unit = unit if axis == last else made(aten.movedim.int, (unit, last, axis), value)
    node.args = (unit, 1 / math.sqrt(size))  # the node stays: the export's signature may have its name


def _seen(value: Any) -> Any:
    """What a conversion was given."""
    while isinstance(value, fx.Node) and value.target in _CASTS:
        value = value.args[0]
    return value


def _of(value: Any, ops: set[Any]) -> fx.Node | None:
    node = _seen(value)
    return node if isinstance(node, fx.Node) and node.target in ops else None


def _squares(node: Any, x: Any) -> bool:
    if not isinstance(node, fx.Node) or not isinstance(x, fx.Node):
        return False
    if node.target is aten.mul.Tensor:
        return all(_seen(item) is x for item in node.args)
    if node.target is aten.pow.Tensor_Scalar and node.args[1] != 2:
        return False
    return node.target in {aten.square.default, aten.pow.Tensor_Scalar} and _seen(node.args[0]) is x


def _number(exported: ExportedProgram, least: fx.Node) -> float | None:
    """The number that nothing is above; None where it is not one number of the network's code."""
    if least.target is aten.clamp.default and (least.args[1:2] not in ((), (None,)) or len(least.args) < 3):
        return None
    given = _seen(least.args[2] if least.target is aten.clamp.default else least.args[1])
    if isinstance(given, fx.Node):
        name = exported.graph_signature.inputs_to_lifted_tensor_constants.get(given.name)
        stored = None if name is None else exported.constants.get(name)
        given = stored.item() if isinstance(stored, torch.Tensor) and stored.numel() == 1 else None
    return float(given) if isinstance(given, int | float) else None
