"""Public masks that close places of a softmax: minus infinity, or nearly, is added there, or stands there."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import torch

from analytics.nn.torch_ops.building import GraphBuilder, Refused, Wire
from analytics.nn.torch_ops.constants import affine
from icm_ray.network.layers import Add

__all__ = ["MINUS_INFINITY", "ONLY_SOFTMAX", "added", "closes", "filled", "is_mask", "is_shut", "is_triangle", "one_of"]

MINUS_INFINITY: Final = -(2.0**13)
"""Private masks of a softmax add this or less: nothing is left of such a place."""
ONLY_SOFTMAX: Final = "it takes values that a mask fills with minus infinity; only a softmax can"
"""Why an operation is refused."""
_MOST: Final = 2.0**20  # what a place is filled with; beyond it is minus infinity


def is_mask(values: torch.Tensor) -> bool:
    """Whether a tensor of real numbers says which places of a softmax are closed, and nothing else."""
    if not values.is_floating_point() or values.ndim < 2:
        return False
    low = is_shut(values)
    return bool(low.any()) and bool((low | (values == 0)).all())


def is_triangle(values: torch.Tensor) -> bool:
    """Whether it is ones on one side of the diagonal and zeros on the other, as causal masks are: whoever knows its
    shape knows it.
    """
    if not values.is_floating_point() or values.ndim < 2 or min(values.shape[-2:]) < 2:
        return False
    ones = torch.ones_like(values)
    sides = torch.tril(ones), torch.tril(ones, -1), torch.triu(ones), torch.triu(ones, 1)
    return any(torch.equal(values, side) for side in sides)


def is_shut(values: torch.Tensor) -> torch.Tensor:
    """Where what is added closes places."""
    return values <= -_MOST


def added(build: GraphBuilder, wire: Wire, values: torch.Tensor) -> Wire:
    """The wire plus a constant, of which some places may be as good as minus infinity."""
    low = is_shut(values)
    rest = values.masked_fill(low, 0.0)
    made = affine(build, wire, shift=rest) if bool(rest.any()) or not bool(low.any()) else wire
    return filled(build, made, low, -_MOST) if bool(low.any()) else made


def filled(build: GraphBuilder, wire: Wire, mask: torch.Tensor, value: float) -> Wire:
    """A number in the places of a mask; one that is as good as minus infinity closes them for a softmax."""
    if -_MOST < value < _MOST:
        return affine(build, wire, scale=1 - mask, shift=mask * value)
    patterns = mask.reshape(-1, *mask.shape[-2:])
    if value > 0 or len(wire.shape) < 2 or not torch.equal(patterns, patterns[:1].expand_as(patterns)):
        raise Refused(f"it fills places with {value}; only masks of a softmax that are the same for all heads can")
    places = patterns[0].expand(wire.shape[-2:]).reshape(-1).nonzero().reshape(-1)
    return replace(wire, closed=tuple(places.tolist()))


def closes(wire: Wire) -> bool:
    """Whether nothing is left of any of its places."""
    return bool(wire.closed) and len(wire.closed) == math.prod(wire.shape[-2:])


def one_of(build: GraphBuilder, mask: torch.Tensor, left: Wire, right: Wire) -> Wire:
    """left where a public mask is 1, right where it is 0; one that closes all of its places does so in the other."""
    if closes(left) and not right.closed:
        return filled(build, right, mask, -_MOST)
    if closes(right) and not left.closed:
        return filled(build, left, 1 - mask, -_MOST)
    if left.closed or right.closed:
        raise Refused(ONLY_SOFTMAX)
    parts = affine(build, left, scale=mask), affine(build, right, scale=1 - mask)
    return build.emit(Add, *parts, shape=left.shape)
