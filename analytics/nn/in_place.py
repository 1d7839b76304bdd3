"""Operations that write into their first argument, read as those that do not.

torch's own decomposition does it for every network, but takes as long as the export itself. Most writes need none of
that: what is written into was made just before, nothing else is a view of it, and who reads it later reads the result.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import torch
from torch import fx

__all__ = ["without_writes"]

aten = torch.ops.aten
_FRESH = {
    *(aten.conv1d.default, aten.conv2d.default, aten.conv3d.default, aten.conv2d.padding, aten.conv1d.padding),
    *(aten.conv_transpose1d.default, aten.conv_transpose2d.input, aten.conv_transpose3d.input),
    *(aten.batch_norm.default, aten.group_norm.default, aten.layer_norm.default, aten.instance_norm.default),
    *(aten.linear.default, aten.matmul.default, aten.max_pool2d.default, aten.adaptive_avg_pool2d.default),
    *(aten.upsample_nearest2d.vec, aten.sym_size.int),
}
"""Operations of which torch does not say so, but that always make a tensor of their own."""
_DROPOUTS = {
    *(aten.dropout.default, aten.feature_dropout.default, aten.alpha_dropout.default),
    *(aten.dropout_.default, aten.feature_dropout_.default, aten.feature_alpha_dropout.default),
}
"""What hands its input on where a network is not trained: the very same tensor."""


def without_writes(graph: fx.Graph, known: Container[Any]) -> None:
    """Replace every write whose first argument nobody else can see, and drop dropouts; other writes stay what they are.

    known: the operations that a write may become.
    """
    for node in list(graph.nodes):
        returned = any(user.op == "output" for user in node.users)  # by its name, which the export's signature has
        if node.target in _DROPOUTS and node.args[2:3] == (False,) and not returned:  # decomposed, it would be a copy
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    places = {node: place for place, node in enumerate(graph.nodes)}
    made: set[fx.Node] = set()
    for node in graph.nodes:
        plain = _plain(node)
        if plain is None or plain not in known:
            continue
        target = node.args[0]
        if not isinstance(target, fx.Node) or not (target in made or _own(target)) or _kind(target) != _kind(node):
            continue
        readers = [reader for reader in target.users if reader is not node]
        if all(places[reader] < places[node] and _makes_its_own(reader) for reader in readers):
            node.target = plain
            made.add(node)


def _kind(node: fx.Node) -> tuple[Any, Any]:
    value = node.meta.get("val")
    floats = isinstance(value, torch.Tensor) and value.is_floating_point()
    return (value.dtype, value.shape) if isinstance(value, torch.Tensor) and floats else (node, None)


def _plain(node: fx.Node) -> Any:
    """The operation that returns what this one writes into its first argument; None where there is none."""
    op = node.target
    if node.op != "call_function" or not isinstance(op, torch._ops.OpOverload) or op.namespace != "aten":
        return None
    first, *rest = op._schema.arguments
    name = op._schema.name.removeprefix("aten::")
    if not name.endswith("_") or first.alias_info is None or any(item.alias_info for item in rest):
        return None
    return getattr(getattr(aten, name[:-1], None), op._overloadname, None)


def _own(node: fx.Node) -> bool:
    """Whether the node's tensor is nobody else's."""
    return node.op == "call_function" and _makes_its_own(node)


def _makes_its_own(node: fx.Node) -> bool:
    op = node.target
    if not isinstance(op, torch._ops.OpOverload):
        return False
    if op in _FRESH:
        return True
    if any(item.alias_info for item in (*op._schema.arguments, *op._schema.returns)):
        return False
    return not op.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd)
