"""The public numbers of a model: fractional bits and bounds, powers of two as their logarithms."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from icm_ray.errors import BoundError

__all__ = ["SLACK", "WEIGHT_BITS", "Domain", "Scheme", "TooWide", "place_of"]

SLACK = 8  # fractional bits beyond f that a value may carry into a product or a maximum
WEIGHT_BITS = 30  # fractional bits of weights, where they fit: comparisons do not grow with them
_ENOUGH, _PLENTY = 20, 26  # of weights, for errors as they are expected, and as they can be at worst


Power: TypeAlias = Annotated[int, msgspec.Meta(ge=-2048, le=2048)]  # the logarithm of a finite double, and more


class TooWide(BoundError):
    """A layer's values do not fit the ring; `where` names the node and the layer's module."""


class Domain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a function is computed that has none, or no slope, at zero, or that grows without end.

    low, high: 2^low <= |x| <= 2^high, logarithms; of an exponential e^x <= 2^high alone counts. sign: of all x, 0 where
    they may have either. clamped: x is raised to 2^low where rounding may have made it smaller. checked: the program
    checks that x lies there; else it follows from the network and from the bounds of its inputs.
    """

    low: Power
    high: Power
    sign: Literal[-1, 0, 1] = 1
    clamped: bool = False
    checked: bool = False


class Scheme(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public numbers of a model, powers of two as their logarithms.

    f: fractional bits of activations. inputs: bound of the images. gain: where it is declared for all products at once,
    a bound on the sum of |weights| behind one output, and on |bias|. layers: bounds of products' results by node (and
    of other values whose layers say `widens`), which the weights' owner vouches for: they follow from its weights and
    from the bounds of what the layers read. bounds: bounds of any values by node that the program checks on shares,
    whatever the images are. least: fewest fractional bits of weights that are taken. domains: of functions, by node.
    """

    f: Power
    inputs: Power
    gain: Power | None = None
    layers: dict[str, Power] = {}
    bounds: dict[str, Power] = {}
    least: Power = 20
    domains: dict[str, Domain] = {}

    @property
    def input_f(self) -> int:
        """Fractional bits of the images: more of them cost nothing, since the first product is divided by more."""
        return self.f + SLACK

    @property
    def enough(self) -> int:
        """Fractional bits of weights with which cheaper products are as good: where values are checked the worst error
        says nothing, and two more than activations have are enough for the expected one.
        """
        return max(self.least, min(self.f + 2, _ENOUGH) if self.bounds else _PLENTY)


def place_of(module: str) -> str:
    """What a layer is called in an error: by its module's path, which is empty for what the network computes itself."""
    return f"layer {module!r}" if module else "a layer of the network's own forward()"
