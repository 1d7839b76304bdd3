"""Masks that a network's buffers hold, or that its code makes, as the places that they name, for export: shapes may
depend on these.

Truth values of a buffer are structure, as indices are: they say which places count, in every row of every batch. So is
what code makes of numbers alone. What is computed from weights is not: its values are not there while a network is
exported, and stay private.
"""

from __future__ import annotations

from typing import Any

import torch

from analytics.nn.code_constants import CodeConstants
from analytics.nn.replaced_functions import Replacements

__all__ = ["places_of_masks"]


def places_of_masks(net: torch.nn.Module, constants: CodeConstants) -> Replacements:
    """What stands for x[mask], x[mask] = y and mask.nonzero() while `net` is exported; its buffers have values now.

    constants: those of its code.
    """
    known = {
        name: [axis.tolist() for axis in buffer.nonzero(as_tuple=True)]
        for name, buffer in net.named_buffers()
        if buffer.dtype == torch.bool and buffer.ndim
    }

    def places(item: Any) -> tuple[torch.Tensor, ...] | None:
        """Of a mask, by axis; None for anything else."""
        if isinstance(item, list) and item and all(isinstance(part, bool) for part in item):
            return (torch.tensor([place for place, part in enumerate(item) if part], dtype=torch.long),)
        if not isinstance(item, torch.Tensor) or item.dtype != torch.bool:
            return None
        name = next((name for name, buffer in net.named_buffers() if buffer is item), "")
        axes = known.get(name) or constants.places(item)
        return None if axes is None else tuple(torch.tensor(axis, dtype=torch.long) for axis in axes)

    def named(index: Any) -> tuple[Any, ...] | None:
        """An index with the places of its masks; None where it has none."""
        items = index if isinstance(index, tuple) else (index,)
        found = [places(item) for item in items]
        if all(axes is None for axes in found):
            return None
        return tuple(part for item, axes in zip(items, found, strict=True) for part in (axes or (item,)))

    def read(x: torch.Tensor, index: Any) -> torch.Tensor | None:
        by = named(index)
        return None if by is None else x[by]

    def write(x: torch.Tensor, index: Any, value: Any) -> Any:
        by = named(index)
        if by is None or not isinstance(value, torch.Tensor) or not value.ndim:
            return None  # one number for all places, which takes no shapes
        x[by] = value
        return x

    def nonzero(mask: torch.Tensor, *, as_tuple: bool = False) -> Any:
        axes = places(mask)
        if axes is None:
            return None
        return axes if as_tuple else torch.stack(axes, 1)

    def where(mask: torch.Tensor, *branches: Any, **others: Any) -> Any:
        return None if branches or others else places(mask)

    return {
        torch.where: where,
        torch.Tensor.__getitem__: read,
        torch.Tensor.__setitem__: write,
        torch.Tensor.nonzero: nonzero,
        torch.nonzero: nonzero,
    }
