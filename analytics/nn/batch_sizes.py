"""Whether a network computes the same of an image, whether it comes alone or with others.

torch's export reads a network for two images and more, so that what it does with fewer is seen here: by values.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import torch
from torch.nn.modules.module import register_module_forward_hook

from analytics.nn.findings import Finding
from analytics.nn.hooks import without_hooks
from analytics.nn.places import source_of_module
from icm_ray.network.layer import Shape

__all__ = ["alike", "finding_of_few", "random_images"]

_SEVERAL: Final = 3
_TOKENS: Final = 2
"""Whole numbers below this: places in the smallest table."""
_OFF: Final = 4.0
"""Times the root of what its numbers are rounded to, of the largest value: fewer images are summed in another order."""
_WHY: Final = "what it computes depends on the number of images in a batch: of {} it is something else than of {}"


def finding_of_few(net: torch.nn.Module, shape: Shape, dtype: torch.dtype) -> Finding | None:
    """The first module that computes something else of one image, or two, than of the same ones among several.

    shape: of one image. None where there is none such, and where the network takes no batch of that size at all.
    """
    images = random_images(_SEVERAL, shape, dtype, torch.Generator().manual_seed(1))
    several = _result(net, images)
    for count in range(1, _SEVERAL):
        fewer = _result(net, images[:count])
        if several is not None and fewer is not None and not _agree(fewer, several, count):
            module = _first_differing(net, images, count)
            path = next((path for path, other in net.named_modules() if other is module), "")
            return Finding(path, "forward", _WHY.format(count, _SEVERAL), source_of_module(module))
    return None


def random_images(count: int, shape: Shape, dtype: torch.dtype, numbers: torch.Generator) -> torch.Tensor:
    """So many images of a shape; whole numbers are such as any table has a place for."""
    if dtype.is_floating_point:
        return torch.randn(count, *shape, generator=numbers).to(dtype)
    return torch.randint(_TOKENS, (count, *shape), generator=numbers).to(dtype)


def alike(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    """Whether as many numbers are the same, but for what rounding in another order makes of them."""
    if ours.numel() != theirs.numel() or not theirs.numel():
        return ours.numel() == theirs.numel()
    rounded = torch.finfo(theirs.dtype).eps if theirs.dtype.is_floating_point else 0.0
    one, other = (torch.nan_to_num(values.double().flatten()) for values in (ours, theirs))
    return bool((one - other).abs().max() <= _OFF * rounded**0.5 * other.abs().max())


def _result(
    net: torch.nn.Module, images: torch.Tensor, heard: list[tuple[torch.nn.Module, torch.Tensor]] | None = None
) -> torch.Tensor | None:
    """What the network returns; None where it fails, or returns no tensor. heard: what its modules return."""

    def hear(module: torch.nn.Module, _: Any, result: Any) -> None:
        if heard is not None and isinstance(result, torch.Tensor):
            heard.append((module, result))

    with suppress(Exception), torch.no_grad(), without_hooks(net):  # the network's own code runs here
        handle = register_module_forward_hook(hear)
        try:
            found = net(images)
        finally:
            handle.remove()
        return found if isinstance(found, torch.Tensor) else None
    return None


def _first_differing(net: torch.nn.Module, images: torch.Tensor, count: int) -> torch.nn.Module:
    """The first to end of the modules that return something else of so many images than of all."""
    few: list[tuple[torch.nn.Module, torch.Tensor]] = []
    all_: list[tuple[torch.nn.Module, torch.Tensor]] = []
    _result(net, images[:count], few)
    _result(net, images, all_)
    pairs = zip(few, all_, strict=False)
    return next(
        (one for (one, ours), (other, theirs) in pairs if one is other and not _agree(ours, theirs, count)), net
    )


def _agree(fewer: torch.Tensor, several: torch.Tensor, count: int) -> bool:
    """Whether the results of so many images are those of the first of several; True where there is none for each.

    Where one image is alone, its axis may be missing: `squeeze` takes it away.
    """
    if several.shape[:1] != (_SEVERAL,) or not several.numel():
        return True
    if fewer.numel() * _SEVERAL != several.numel() * count:
        return False
    return alike(fewer, several[:count])
