"""A network that was exported, or exported and saved, as a module again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export._unlift import _check_input_constraints_pre_hook

from analytics.nn.findings import Finding
from analytics.nn.fixed_batch import freed
from analytics.nn.torch_logs import silence
from icm_ray.errors import SourceError, UnsupportedError

__all__ = ["load_exported", "unexported"]

_ATEN: Final = torch.ops.aten
_PRODUCTS: Final = {_ATEN.addmm.default, _ATEN.mm.default}


def load_exported(path: Path) -> ExportedProgram:
    """The network of a file that `torch.export.save` wrote. Raises `SourceError` for what is none, or missing."""
    if not path.is_file():
        raise SourceError(f"there is no file {path}")
    try:
        with silence():
            return torch.export.load(path)
    except Exception as error:  # noqa: BLE001 - torch raises whatever its parts do on a file that is another
        raise SourceError(
            f"{path} is no file of torch.export.save: {type(error).__name__}; a network that torch.save wrote is loaded"
            " first, and given as the torch.nn.Module that it is"
        ) from None


def unexported(
    program: ExportedProgram, example: tuple[Any, ...] | None
) -> tuple[torch.nn.Module, tuple[Any, ...], Finding | None]:
    """The network of an exported program, and a batch: `example`, or else the one that it was exported with.

    Last, why it takes no other number of images than it was exported with, where that is so.

    The program is not changed. Raises `UnsupportedError` where there is neither.
    """
    arguments = program.example_inputs
    if example is None and arguments is None:
        raise UnsupportedError(
            "the exported program has no example inputs, from which the shape of an image follows; give example_inputs"
        )
    batch = example if arguments is None else (*arguments[0], *arguments[1].values())
    net = program.module(check_guards=False)
    for key, hook in list(net._forward_pre_hooks.items()):
        if hook is _check_input_constraints_pre_hook:  # which would hold all batches to the one that was exported
            del net._forward_pre_hooks[key]
            net._forward_pre_hooks_with_kwargs.pop(key, None)
    _whole_products(net)
    _plain_softmaxes(net)
    finding = None if program.graph_signature.buffers_to_mutate else freed(net)
    for module in net.modules():  # what an export computes was decided then: its flag says nothing, and eval() is none
        module.training = False
    return net, example if example is not None else batch or (), finding


def _whole_products(net: fx.GraphModule) -> None:
    """Products as one operation again, where core ATen merges axes before them, the batch among them, and parts them
    behind.
    """
    for node in list(net.graph.nodes):
        product = node.args[0] if node.target is _ATEN.view.default else None
        if not isinstance(product, fx.Node) or product.kwargs:
            continue
        with net.graph.inserting_before(node):
            if product.target in _PRODUCTS:
                whole = _linear(net.graph, node, product)
            else:
                whole = _matmul(net.graph, node, product) if product.target is _ATEN.bmm.default else None
        if whole is not None:
            whole.meta = dict(node.meta)
            node.replace_all_uses_with(whole)
    net.graph.eliminate_dead_code()
    net.recompile()


def _linear(graph: fx.Graph, node: fx.Node, product: fx.Node) -> fx.Node | None:
    *bias, flat, weight = product.args
    source = _before(flat, _ATEN.view.default)
    if source is None or not isinstance(weight, fx.Node) or len(_shape(node)) < 2:
        return None
    if _sizes(source)[-1:] != _sizes(flat)[-1:] or _sizes(source)[:-1] != _sizes(node)[:-1]:
        return None
    turned = graph.call_function(_ATEN.permute.default, (weight, [1, 0]))
    turned.meta = {name: value for name, value in weight.meta.items() if name != "val"}
    return graph.call_function(_ATEN.linear.default, (source, turned, *bias))


def _matmul(graph: fx.Graph, node: fx.Node, product: fx.Node) -> fx.Node | None:
    spread = [_before(factor, _ATEN.view.default) for factor in product.args]
    factors = [_before(each, _ATEN.expand.default) for each in spread]
    if None in factors or any(_sizes(each)[:-2] != _sizes(node)[:-2] for each in spread):
        return None
    if _sizes(spread[0])[-2:-1] != _sizes(node)[-2:-1] or _sizes(spread[1])[-1:] != _sizes(node)[-1:]:
        return None
    return graph.call_function(_ATEN.matmul.default, tuple(factors))


def _plain_softmaxes(net: fx.GraphModule) -> None:
    """A softmax in place of what core ATen makes of attention: of rows of which a mask leaves nothing it has zeros.

    Such rows are as if nothing were masked in them, here as elsewhere.
    """
    for node in list(net.graph.nodes):
        if node.target is not _ATEN.where.self:
            continue
        nothing, zeros, softmax = node.args
        scores = _before(softmax, _ATEN._softmax.default)
        if scores is None or _before(zeros, _ATEN.full_like.default, 0) is not softmax:
            continue
        steps: list[tuple[Any, tuple[Any, ...]]] = [
            (_ATEN.logical_not.default, ()),
            (_ATEN.any.dim, (_plain(softmax).args[1], True)),
            (_ATEN.logical_not.default, ()),
            (_ATEN.eq.Scalar, (-math.inf,)),
        ]
        for step, rest in steps:
            nothing = _before(nothing, step, *rest)
        if nothing is scores:
            node.replace_all_uses_with(softmax)
    net.graph.eliminate_dead_code()
    net.recompile()


def _plain(node: Any) -> Any:
    """What a node is, copies apart."""
    while isinstance(node, fx.Node) and node.target is _ATEN.clone.default:
        node = node.args[0]
    return node


def _before(node: Any, op: Any, *rest: Any) -> fx.Node | None:
    """What a node is made of by one operation, copies apart. rest: what it has besides; (): anything."""
    node = _plain(node)
    if not isinstance(node, fx.Node) or node.target is not op or (rest and tuple(node.args[1:]) != rest):
        return None
    source = node.args[0]
    return source if isinstance(source, fx.Node) else None


def _sizes(node: Any) -> list[str]:
    """A shape in words: comparing symbols would decide what they are."""
    return [str(size) for size in _shape(node)] if isinstance(node, fx.Node) else []


def _shape(node: fx.Node) -> tuple[Any, ...]:
    value = node.meta.get("val")
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()
