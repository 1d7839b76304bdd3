"""Where functions are computed that have no value, or no slope, at zero, or that grow without end.

A domain follows from the ranges of the network where these keep it away from zero: x.clamp(min=0.1), x^2 + 1e-5. Values
that rounding makes smaller are then raised to its lower end, so that the ranges of real arithmetic count. Else samples
say how small and how large values are; a margin is left, and the program checks that all lie there.
"""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

from analytics.nn.analysis import bits_of
from analytics.nn.calibration import Extent
from analytics.nn.layers.rules import Range
from icm_ray.errors import BoundError
from icm_ray.network.layers import OnDomain
from icm_ray.network.layers.on_domain import MOST_POWERS
from icm_ray.network.scheme import Domain, place_of

__all__ = ["domain_of"]

Sign: TypeAlias = Literal[-1, 0, 1]

_LOWEST: Final = -20
"""The logarithm of the least lower end of a domain: values have few bits there."""
_NOTHING: Final = 2.0**-40
"""What ranges of real arithmetic are off by at most, where they end at zero."""
_LARGEST: Final = 20
"""The logarithm of the largest exponential, where samples say so."""
_ROOM: Final = 4.0
"""How much larger an exponent may be than in all samples, at most, beside the margin's logarithm."""


def domain_of(node: OnDomain, exact: Range, ring: Range, extent: Extent | None, margin: float) -> Domain:
    """The domain of a layer whose source has these ranges, in real arithmetic and rounded.

    extent: what samples measured of the source, None where they are not asked. margin: how much smaller and larger than
    in the samples values may be.

    Raises `BoundError` naming the layer where there is none.
    """
    if node.grows:
        return _exponential(node, ring, extent, margin)
    found = _sound(node, exact, ring)
    return _measured(node, ring, extent, margin) if found is None else found


def _exponential(node: OnDomain, ring: Range, extent: Extent | None, margin: float) -> Domain:
    top = float(ring.high.max())
    sound = math.ceil((top + 2.0**-10) / math.log(2)) if math.isfinite(top) else _LARGEST + 1
    if sound <= _LARGEST:
        return Domain(0, sound)
    if extent is None or not math.isfinite(extent.high):
        raise _none(node, f"is up to {top:.3g}, and its exponential does not fit the ring")
    room = min((margin - 1) * abs(extent.high), _ROOM) + math.log(margin)
    return Domain(0, min(sound, math.ceil((extent.high + room) / math.log(2))), checked=True)


def _sound(node: OnDomain, exact: Range, ring: Range) -> Domain | None:
    low, high = float(exact.low.min()), float(exact.high.max())
    sign: Sign = -1 if node.signed and high < 0 else 1
    least = -high if sign < 0 else low
    rounded = -float(ring.high.max()) if sign < 0 else float(ring.low.min())
    top = bits_of(float(ring.magnitude.max()))
    if node.at_zero and least >= -_NOTHING:
        lowest = _floor(least) if least > _NOTHING else _LOWEST
        lowest = max(lowest, min(_LOWEST, top - 2), top - MOST_POWERS)
        return Domain(min(lowest, top - 2), top, clamped=True)
    if not least > 0 or _floor(least) < _LOWEST:
        return None
    bottom = min(_floor(least), top - 2)
    if top - bottom > MOST_POWERS:
        return None
    return Domain(bottom, top, sign, clamped=rounded < math.ldexp(1.0, bottom))


def _measured(node: OnDomain, ring: Range, extent: Extent | None, margin: float) -> Domain:
    if extent is None:
        raise _none(node, f"can be anything from {float(ring.low.min()):.3g} to {float(ring.high.max()):.3g}")
    if not math.isfinite(extent.most):
        raise _none(node, "is not finite in samples")
    sign: Sign = 1 if extent.low >= 0 else -1 if extent.high <= 0 else 0
    if sign != 1 and not node.signed:
        raise _none(node, f"is {extent.low:.3g} in a sample, below zero")
    if extent.least == 0 and not node.at_zero:
        raise _none(node, "is zero in a sample")
    sound = bits_of(float(ring.magnitude.max()))
    top = min(sound, bits_of(extent.most * margin))
    lowest = _LOWEST if node.at_zero else _floor(extent.least / margin)
    bottom = min(max(lowest, top - MOST_POWERS, min(_LOWEST, top - 2)), top - 2)
    return Domain(bottom, top, sign, clamped=node.at_zero, checked=True)


def _floor(value: float) -> int:
    """The largest k with 2^k <= value."""
    return math.frexp(value)[1] - 1


def _none(node: OnDomain, why: str) -> BoundError:
    what = {"quotient": "its divisor", "power": "the base of its power"}.get(_kind(node), "its argument")
    return BoundError(
        f"{place_of(node.module)}: {what} {why}; keep it away from zero, as in x.clamp(min=0.01), or leave bound= out:"
        " samples say then where its values lie, and the program checks it",
        node=node.name,
        module=node.module,
    )


def _kind(node: OnDomain) -> str:
    return str(type(node).__struct_config__.tag)
