"""Quotients of two branches, value by value."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from icm_ray.functions.reciprocal import reciprocal, relative_error
from icm_ray.network.layer import NetworkBuild, Shape
from icm_ray.network.layers.on_domain import OnDomain
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.products import Product
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.program.build import Value

__all__ = ["Quotient"]

_USUAL = 8  # rounding units that results of about 1 are off by
_EXTRA = 6  # fractional bits of the reciprocal of the largest divisor, beyond those of activations
_OUTER = 42  # bits of the reciprocal
_ROOM = FULL_WIDTH - 3  # of a product that is truncated, without its sign


class Quotient(OnDomain, frozen=True, kw_only=True, tag="quotient"):
    """a / b; axes of size 1 of either are repeated."""

    @property
    def signed(self) -> bool:
        return True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        self.arity(len(inputs) == 2, inputs)
        a, b = inputs
        self.need(len(a) == len(b) and all(1 in {m, n} or m == n for m, n in zip(a, b, strict=True)), b)
        return tuple(max(m, n) for m, n in zip(a, b, strict=True))

    def lower(self, program: NetworkBuild) -> Value:
        """a times the reciprocal, which has as many fractional bits as the ring has room for."""
        b, domain, ones = self.on_domain(program)
        a, f = program.settled(self.inputs[0]), program.scheme.f
        low, high = domain.low, domain.high
        reach = max(a.type.width - a.type.f - 1 - low, 0)
        declared = program.scheme.layers.get(self.name)
        reach = reach if declared is None else min(reach, declared)
        if a.type.f + f + reach > _ROOM:
            a = program.settled(self.inputs[0], 0)
        bits = min(f + _EXTRA + high, _OUTER + low, _ROOM - a.type.f - reach)
        inverse = self.with_sign(program, reciprocal(program.builder, b, low, high, bits), domain, ones)
        op = Product(Elementwise(), bound=reach)
        raw = op.infer(a.type, inverse.type)
        y = program.add(replace(op, epilogue=program.epilogue(raw, relu=False)) if raw.f > f else op, a, inverse)
        # of a b^-1: relative to the reciprocal, and its own rounding
        relative = relative_error(-1.0, b.type.f, high)
        off = a.type.magnitude * (2.0**-low * relative + 2.0 ** (1 - bits)) + 2.0**-f
        program.off(self.name, off, _USUAL * 2.0**-f)
        return y
