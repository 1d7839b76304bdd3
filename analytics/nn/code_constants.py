"""Tensors that a network's code makes of numbers alone, while it is exported: there they have no values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import torch
from torch._subclasses.fake_tensor import unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

__all__ = ["CodeConstants"]

_Made: TypeAlias = tuple[torch.Tensor, Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]
_MAKING: Final = {
    *(torch.ones, torch.zeros, torch.full, torch.eye, torch.tensor, torch.as_tensor),
    *(torch.arange, torch.linspace, torch.tril_indices, torch.triu_indices),
}
_MOST: Final = 1 << 20  # values of a constant that is computed


class CodeConstants:
    """What was called for each of them: a mask among them is computed again, with values, where its places count."""

    def __init__(self) -> None:
        self._made: dict[int, _Made] = {}  # which keeps the tensor, so that no other has its identity

    def seen(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        """Note a call. What is written into may be a view of any other: after that none of them is known."""
        given = tree_flatten((args, dict(kwargs)))[0]
        tensors = [item for item in given if isinstance(item, torch.Tensor)]
        known = all(id(tensor) in self._made for tensor in tensors)
        if _writes(func, kwargs):
            if any(id(tensor) in self._made for tensor in tensors):
                self._made.clear()
        elif isinstance(result, torch.Tensor) and (known if tensors else func in _MAKING) and not _symbols(given):
            self._made[id(result)] = result, func, args, kwargs

    def places(self, mask: torch.Tensor) -> list[list[int]] | None:
        """By axis the places where a mask is true; None where it is no such constant, nor an attribute's own tensor."""
        plain = type(mask) is torch.Tensor and mask.device.type != "meta"
        if not mask.ndim or not (plain or id(mask) in self._made) or mask.numel() > _MOST:
            return None
        with unset_fake_temporarily(), torch._C.DisableTorchFunction(), _NoChance():  # type: ignore[no-untyped-call]
            return [axis.tolist() for axis in self._value(mask).nonzero(as_tuple=True)]

    def _value(self, tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in self._made:
            return tensor
        _, func, args, kwargs = self._made[id(tensor)]
        plain: Any = tree_map_only(torch.Tensor, self._value, (args, dict(kwargs)))
        value: torch.Tensor = func(*plain[0], **plain[1])
        return value


class _NoChance(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """No operation draws random numbers within."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise RuntimeError(f"a mask is made with {func}, which draws random numbers")
        return func(*args, **(kwargs or {}))


def _writes(func: Callable[..., Any], kwargs: Mapping[str, Any]) -> bool:
    name = getattr(func, "__name__", "")
    plain = name.strip("_")
    dunder = name.startswith("__") and name.endswith("__")
    in_place = dunder and (plain == "setitem" or (plain.startswith("i") and hasattr(torch.Tensor, f"__{plain[1:]}__")))
    return in_place or (name.endswith("_") and not dunder) or name == "__set__" or kwargs.get("out") is not None


def _symbols(given: list[Any]) -> bool:
    return any(isinstance(item, torch.SymInt | torch.SymFloat | torch.SymBool) for item in given)
