"""A network that was exported and saved, as a module again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from icm_ray.errors import SourceError, UnsupportedError

__all__ = ["load_exported"]


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
    net = program.module()
    for module in net.modules():  # what an export computes was decided then: its flag says nothing, and eval() is none
        module.training = False
    arguments, named = program.example_inputs
    return net, (*arguments, *named.values())
