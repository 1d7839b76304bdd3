"""Sine and cosine of any x, as programs: in turns, x / 2 pi, whose whole part makes no difference.

Opened: what a trigonometric sum opens, uniform words (`protocols.fourier`).
"""

from __future__ import annotations

import math
from typing import Final

from icm_ray.errors import BoundError
from icm_ray.ops.linear import AssumeWidth, Scale
from icm_ray.ops.products import Epilogue, Truncate
from icm_ray.ops.smooth import MAX_PERIOD, Periodic
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.program.build import Builder, Value
from icm_ray.ring.fourier import COEFFICIENT_BITS

__all__ = ["LEAST_EXACT", "cosine", "sine"]

LEAST_EXACT: Final = 1e-4
"""The largest error that a sine or cosine may have, beside its rounding."""
_DEALT, _PUBLIC = 26, 22
_WAVES = 2e-6  # of dealt and public factors together: sqrt(2) (2^-27 + 2 * 3.2e-7 + 2^-23), and 2^-48
_ROOM = FULL_WIDTH - 2


def sine(builder: Builder, x: Value) -> Value:
    """sin x, with the fractional bits of x, 4 to 24.

    Error: below 2e-6 + 2^-f, and what 2 pi is off by for large x: 1e-4 at most. Two words are dealt for each, and for
    a truncation. Errors: `BoundError` for values that are too large for that, about 2^10 with 24 fractional bits.
    """
    return _wave(builder, x, sine=True)


def cosine(builder: Builder, x: Value) -> Value:
    """cos x, as `sine`."""
    return _wave(builder, x, sine=False)


def _wave(builder: Builder, x: Value, *, sine: bool) -> Value:
    f, width = x.type.f, x.type.width
    if not 4 <= f <= 24:
        raise BoundError(f"a sine of values with 4 to 24 fractional bits, not {f}", bound=24)
    more = max(min(_ROOM - width, _ROOM - f), 0)  # bits of 1 / 2 pi
    beyond = math.pi * x.type.magnitude * 2.0**-more
    if beyond > LEAST_EXACT / 2:
        raise BoundError(f"a sine of values as large as {x.type.magnitude:g}; declare a smaller bound for them")
    turns = builder.add(Scale(round(2**more / (2 * math.pi)), more), x)
    if turns.type.f > MAX_PERIOD:
        shift = turns.type.f - MAX_PERIOD
        turns = builder.add(Truncate(Epilogue(shift, width=max(turns.type.width + 1, shift + 2))), turns)
    period = turns.type.f
    beyond += 2 * math.pi * 2.0**-period
    whole = 1 << (_PUBLIC + COEFFICIENT_BITS)
    op = Periodic(
        period=period,
        harmonics=(1,),
        cosines=() if sine else (whole,),
        sines=(whole,) if sine else (),
        constant=0,
        linear=0,
        dealt_bits=_DEALT,
        public_bits=_PUBLIC,
        f=f,
        word=64,
        reach=0,
        result_width=f + 2,
        error=_WAVES + 2.0**-f,
        slope=2 * math.pi,
        repeats=True,
    )
    error = op.error + beyond + x.type.error
    return builder.add(AssumeWidth(f + 2, error), builder.add(op, turns))
