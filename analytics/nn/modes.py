"""Whether it matters to a module that it is in training mode."""

from __future__ import annotations

from types import FunctionType

import torch

__all__ = ["has_mode", "looked_at"]


def has_mode(module: torch.nn.Module) -> bool:
    """False for torch's own modules that never look at their mode: wrappers, containers, most layers.

    They are in training mode where they were put around a network that is in eval mode. Of anybody else's modules it is
    unknown what they do.
    """
    classes = [
        each for each in type(module).__mro__ if issubclass(each, torch.nn.Module) and each is not torch.nn.Module
    ]
    return any(not each.__module__.startswith("torch.") or _reads_mode(each) for each in classes)


def looked_at(net: torch.nn.Module, path: str) -> bool:
    """Whether somebody else's module has that one inside, whose forward() may ask for its mode; parametrisations are
    looked at by torch alone.
    """
    names = path.split(".") if path else []
    if "parametrizations" in names:
        return False
    above = (net.get_submodule(".".join(names[:count])) for count in range(len(names)))
    return any(not type(module).__module__.startswith("torch.") for module in above)


def _reads_mode(kind: type) -> bool:
    return any(
        "training" in function.__code__.co_names
        for function in vars(kind).values()
        if isinstance(function, FunctionType)
    )
