"""What users call an image or a batch of them, as a numpy array of numbers; what cannot be one is refused."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import NullError, ShapeError, UnsupportedError

if TYPE_CHECKING:
    import torch

__all__ = ["check_tensor", "expected", "listed", "plain"]


def plain(item: object, what: str) -> NDArray[Any]:
    """An array of an array, a tensor, a picture (Pillow's) or nested lists of numbers. what: the item, in words.

    Raises `ShapeError` for dtypes that are no real numbers and for lists of unequal lengths, `NullError` for a masked
    array, `UnsupportedError` for sparse and meta tensors.
    """
    if _is_tensor(item):
        check_tensor(item, what)
        here = item.detach().cpu()
        if here.is_floating_point() and here.element_size() < 8:
            here = here.float()  # numpy has no bfloat16
        return here.numpy()
    if isinstance(item, np.ma.MaskedArray):
        raise NullError(f"{what}: a masked array hides some of its numbers; leave those images out, or fill them in")
    try:
        array = np.asarray(item)
    except ValueError:
        raise ShapeError(f"{what}: a {type(item).__name__} of parts of unequal shapes") from None
    if array.dtype.kind not in "buif":
        if array.dtype.kind == "O" and not isinstance(item, np.ndarray):
            raise ShapeError(f"{what}: an array or tensor of numbers is needed, not {type(item).__name__}")
        raise ShapeError(f"{what}: numbers are needed, not dtype {array.dtype}")
    return array


def _is_tensor(item: object) -> TypeGuard[torch.Tensor]:
    """Where torch is not loaded nobody has one: processes of Ray's that ask for predictions need not load it."""
    loaded: Any = sys.modules.get("torch")
    return loaded is not None and isinstance(item, loaded.Tensor)


def check_tensor(tensor: torch.Tensor, what: str) -> None:
    """Raise for a tensor that is no array of real numbers, as `plain` does."""
    if tensor.is_nested:
        raise ShapeError(f"{what}: a nested tensor has parts of unequal shapes")
    if tensor.is_meta:
        raise UnsupportedError(f"{what}: a meta tensor has no numbers")
    if str(tensor.layout) != "torch.strided":
        raise UnsupportedError(f"{what}: a sparse tensor ({tensor.layout}); call to_dense() on it")
    if tensor.is_complex() or tensor.is_quantized:
        raise ShapeError(f"{what}: real numbers are needed, not dtype {tensor.dtype}")


def expected(shape: tuple[int, ...]) -> str:
    """The shape of a batch, in words."""
    return f"({', '.join(['n', *map(str, shape)])})"


def listed(names: Iterable[Any]) -> str:
    """Names as messages have them."""
    return ", ".join(map(repr, names))
