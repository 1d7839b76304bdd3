"""What a case of an operation is: a module, and the shapes of samples that it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

Forward = Callable[..., torch.Tensor]


class Fn(nn.Module):
    """A function as a module; it is given `parts`."""

    def __init__(self, function: Forward, *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, *self.parts)


@dataclass(frozen=True)
class Operation:
    """module: made anew for a shape. shapes: of one sample. bound: of its numbers. error: the most that is stated."""

    module: Callable[[tuple[int, ...]], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    bound: float = 4.0
    error: float = 0.01


IMAGES, ROWS, SERIES = ((4, 6, 5), (8, 4, 6)), ((6,), (9,)), ((4, 7), (2, 9))
VOLUMES = ((2, 3, 4, 3), (4, 2, 3, 5))
TOKENS = ((5, 8), (3, 4))
STEPS = ((3, 4), (5, 8))


def fn(function: Forward, shapes: tuple[tuple[int, ...], ...] = IMAGES, **facts: float) -> Operation:
    """A function without weights."""
    return Operation(lambda _: Fn(function), shapes, **facts)


def made(
    module: Callable[..., nn.Module], *sizes: int, shapes: tuple[tuple[int, ...], ...] = IMAGES, **options
) -> Operation:
    """A module whose first size is that of axis 0."""
    facts = {key: options.pop(key) for key in ("bound", "error") if key in options}
    return Operation(lambda shape: module(shape[0], *sizes, **options), shapes, **facts)


def seeded(*shape: int) -> torch.Tensor:
    """A constant."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def plain(module: nn.Module, shapes: tuple[tuple[int, ...], ...] = IMAGES, **facts: float) -> Operation:
    """A module that takes any shape."""
    return Operation(lambda _: module, shapes, **facts)


class Parameter(nn.Module):
    """A function of x and of a parameter."""

    def __init__(self, value: torch.Tensor, function: Forward) -> None:
        super().__init__()
        self.value, self.function = nn.Parameter(value), function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, self.value)


def with_parameter(
    function: Forward, size: Callable[[tuple[int, ...]], tuple[int, ...]], shapes=IMAGES, **facts
) -> Operation:
    return Operation(lambda shape: Parameter(seeded(*size(shape)), function), shapes, **facts)
