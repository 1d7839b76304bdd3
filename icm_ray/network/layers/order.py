"""The largest of rows, in their order: their values or their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from icm_ray.functions.order import largest
from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["MOST_ORDERED", "Order"]

MOST_ORDERED: Final = 1 << 14
"""k times the places of a row, for k of 2 and more: each of the k is found among all of them."""


class Order(Layer, frozen=True, kw_only=True, tag="order"):
    """The k largest along the last axis, the largest first: their values, or their places, the first of equals first.

    Two layers, of values and of places, that read the same are computed together.
    """

    k: int
    places: bool

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(len(source) >= 1 and 1 <= self.k <= source[-1], source)
        self.need(self.k == 1 or self.k * source[-1] <= MOST_ORDERED, source)
        return (*source[:-1], self.k)

    def lower(self, program: NetworkBuild) -> Value:
        (name,) = self.inputs
        both = any(
            isinstance(reader, Order) and (reader.k, reader.places) == (self.k, not self.places)
            for reader in program.readers(name)
        )
        known = program.ordered.get((name, self.k))
        if known is None:
            x = program.settled(name)
            x = program.add(linear.AssumeWidth(x.type.width, 0.0), x)
            known = program.ordered[name, self.k] = largest(program.builder, x, self.k, values=both or not self.places)
        return known.places if self.places or known.values is None else known.values
