"""Functions that are computed on a domain: what quotients, powers, exponentials and logarithms have in common."""

from __future__ import annotations

import math
from typing import ClassVar, Final

from icm_ray.errors import ProgramError
from icm_ray.network.layer import Layer, NetworkBuild
from icm_ray.network.scheme import Domain
from icm_ray.ops import compare, linear, products
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.values import FULL_WIDTH, log2_ceil
from icm_ray.program.build import Value

__all__ = ["FINE", "MOST_POWERS", "OnDomain", "count_beyond", "raised_to"]

MOST_POWERS: Final = 36
"""Powers of two between the ends of a domain: each is a comparison."""
FINE: Final = 24
"""Fractional bits of what functions take, where they fit."""


class OnDomain(Layer, frozen=True, kw_only=True):
    """A function whose last input lies in the domain that the scheme has for the layer."""

    widens: ClassVar[bool] = True
    grows: ClassVar[bool] = False  # it is an exponential: its domain's high is that of the result

    @property
    def signed(self) -> bool:
        """Whether it takes values of either sign."""
        return False

    @property
    def at_zero(self) -> bool:
        """Whether it is continuous at zero: no value is too small."""
        return False

    @property
    def source(self) -> str:
        """The name of the input that has the domain."""
        return self.inputs[-1]

    def domain(self, program: NetworkBuild) -> Domain:
        """Raises `ProgramError` where the scheme has none, or one that cannot be."""
        found = program.scheme.domains.get(self.name)
        if found is None:
            raise ProgramError(f"node {self.name!r} ({type(self).__name__}) has no domain")
        if not self.grows and not 2 <= found.high - found.low <= MOST_POWERS + 2:
            raise ProgramError(f"node {self.name!r}: a domain from 2^{found.low} to 2^{found.high}")
        if found.sign != 1 and not self.signed:
            raise ProgramError(f"node {self.name!r} ({type(self).__name__}) takes no values below zero")
        return found

    def on_domain(self, program: NetworkBuild) -> tuple[Value, Domain, Value | None]:
        """The size of the input, held to the domain, with as many fractional bits as functions take and as if it were
        exact; the domain; where values have either sign, 1 or -1.
        """
        domain = self.domain(program)
        x = program.settled(self.source, max(min(FINE - program.scheme.f, 8), 0))
        x, ones = _signs(program, x, domain.sign)
        f = x.type.f
        if domain.checked:
            least = math.ldexp(-1.0 if self.at_zero else 1.0, domain.low)  # zero may be rounded down
            count_beyond(program, x, math.ceil(math.ldexp(least, f)), math.floor(math.ldexp(1.0, domain.high + f)))
        x = raised_to(program, program.add(linear.AssumeWidth(f + domain.high + 2, 0.0), x), FINE)
        if domain.clamped and domain.low + x.type.f >= 0:
            x = _at_least(program, x, 1 << (domain.low + x.type.f))
        return x, domain, ones

    @staticmethod
    def with_sign(program: NetworkBuild, y: Value, domain: Domain, ones: Value | None) -> Value:
        """An odd function's value for the input itself, of that for its size."""
        if ones is not None:
            return program.add(products.Product(Elementwise()), y, ones)
        return program.add(linear.Scale(-1), y) if domain.sign < 0 else y


def raised_to(program: NetworkBuild, x: Value, f: int) -> Value:
    """x with more fractional bits, up to f, where they fit."""
    more = min(f - x.type.f, FULL_WIDTH - 6 - x.type.width)
    return program.add(linear.Scale(2**more, more), x) if more > 0 else x


def _signs(program: NetworkBuild, x: Value, sign: int) -> tuple[Value, Value | None]:
    """|x| for x of this sign, and where it may have either, 1 or -1: that of x."""
    if sign > 0:
        return x, None
    if sign < 0:
        return program.add(linear.Scale(-1), x), None
    above = program.add(compare.AtLeast(0, x.type.width + 1), x)
    ones = program.add(linear.AddPublic(-1), program.add(linear.Scale(2), above))
    ones = program.add(linear.AssumeWidth(2), ones)
    size = program.add(products.Product(Elementwise()), x, ones)
    return program.add(linear.AssumeWidth(x.type.width), size), ones


def _at_least(program: NetworkBuild, x: Value, low: int) -> Value:
    """max(x, low), an integer in units of x."""
    moved = program.add(linear.AddPublic(-low), x)
    above = program.add(products.Relu(products.Epilogue(0, True, moved.type.width)), moved)
    return program.add(linear.AssumeWidth(x.type.width), program.add(linear.AddPublic(low), above))


def count_beyond(program: NetworkBuild, x: Value, low: int | None, high: int | None) -> None:
    """Count what is below `low` or above `high`, integers in units of x, among what no value may be."""
    top = 2 ** (x.type.width - 1)
    edges = {"high": high + 1} if high is not None and high + 1 < top else {}
    if low is not None and low > -top:
        edges["low"] = low
    if not edges:
        return
    op = compare.CountAtLeast(tuple(edges.values()), min(x.type.width + 1, FULL_WIDTH))
    counts = program.add(op, x)
    parts = {what: program.add(linear.Slice(((k, k + 1, 1),)), counts) for k, what in enumerate(edges)}
    found = parts.get("high")
    if "low" in parts:  # all, less those that are not below
        below = program.add(linear.AddPublic(x.type.count), program.add(linear.Scale(-1), parts["low"]))
        found = below if found is None else program.add(linear.Add(), found, below)
    if found is not None:
        width = log2_ceil(2 * x.type.count + 1) + 1
        program.exceeded.append(program.add(linear.AssumeWidth(width), found))
