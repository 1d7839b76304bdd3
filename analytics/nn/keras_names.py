"""Layers of Keras as torch sees modules: under their names, so that torch says of which of them an operation is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["with_named_layers"]


@contextmanager
def with_named_layers(net: torch.nn.Module) -> Iterator[None]:
    """Within, layers that models of Keras keep in lists of their own are submodules; afterwards they are none again."""
    known = {id(module) for module in net.modules()}
    added: list[tuple[torch.nn.Module, str]] = []
    try:
        for model in list(net.modules()):
            flattened = getattr(model, "_flatten_layers", None)
            for layer in flattened(include_self=False) if callable(flattened) else ():
                if id(layer) not in known and layer.name not in model._modules:
                    known.add(id(layer))
                    added.append((model, layer.name))
                    model._modules[layer.name] = layer
        yield
    finally:
        for model, name in added:
            del model._modules[name]
