"""A network that was exported and saved, as a module again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from torch import fx

from icm_ray.errors import SourceError, UnsupportedError

__all__ = ["load_exported"]

_ATEN: Final = torch.ops.aten
_SIZED: Final = {_ATEN.view.default, _ATEN.reshape.default, _ATEN.expand.default}


def load_exported(path: Path) -> tuple[torch.nn.Module, tuple[Any, ...]]:
    """The network of a file that `torch.export.save` wrote, and the batch that it was exported with.

    Raises `SourceError` for a file that is missing or none of these, `UnsupportedError` for a network without an
    example.
    """
    if not path.is_file():
        raise SourceError(f"there is no file {path}")
    try:
        program = torch.export.load(path)
    except Exception as error:  # noqa: BLE001 - torch raises whatever its parts do on a file that is another
        raise SourceError(f"{path} is no file of torch.export.save: {type(error).__name__}") from None
    if program.example_inputs is None:
        raise UnsupportedError(f"{path} has no example inputs, from which the shape of an image follows")
    arguments, named = program.example_inputs
    example = (*arguments, *named.values())
    net = program.module(check_guards=False)
    if example and isinstance(example[0], torch.Tensor) and example[0].ndim:
        _free_batch(net, example[0].shape[0])
    for module in net.modules():  # what an export computes was decided then: its flag says nothing, and eval() is none
        module.training = False
    return net, example


def _free_batch(net: fx.GraphModule, size: int) -> None:
    """Let reshapes keep the number of images, where they name the one that the network was exported with.

    That a network is the same for any number of images is found out when it is imported.
    """
    for node in net.graph.nodes:
        if node.target not in _SIZED or not isinstance(node.args[0], fx.Node):
            continue
        source, result = (_shape(item) for item in (node.args[0], node))
        if source[:1] == result[:1] == (size,) and node.args[1][:1] == [size]:
            node.update_arg(1, [-1, *result[1:]])
    net.recompile()


def _shape(node: fx.Node) -> tuple[Any, ...]:
    value = node.meta.get("val")
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()
