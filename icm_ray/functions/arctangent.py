"""The arctangent of any x, as a program: that of numbers up to 2, twice.

For c = min(max(x, -1), 1) and t = c / max(|x|, 1):  arctan x = 2 arctan c - arctan t. Where |x| <= 1 both are x;
beyond, c is 1 or -1 and t is 1 / x. It is continuous, so that no comparison at 1 is decided.
Opened: what ReLUs, reciprocals, products and piecewise polynomials open: uniform words.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np

from icm_ray.errors import BoundError
from icm_ray.functions.approximations import Cells, polynomials
from icm_ray.functions.reciprocal import reciprocal
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AddPublic, AssumeWidth, Scale, Subtract
from icm_ray.ops.products import Epilogue, Product, Relu
from icm_ray.ops.smooth import Piecewise
from icm_ray.program.build import Builder, Value

__all__ = ["arctangent"]

_CELLS = Cells(cell_log=-4, cell_bits=7, degree=2, low_bits=24, sum_bits=56, word=64, result_log=1)
_FEWEST, _MOST = 16, 24  # fractional bits
_LARGEST: Final = 14
"""The logarithm of the largest number that is told from larger ones: they differ by 2^-14 at most."""


@cache
def _near(f: int) -> Piecewise:
    """arctan x for |x| <= 2, of values with f fractional bits."""
    # its second derivative is 0.65 at most
    return polynomials(np.arctan, _CELLS, f, f, (-2.0, 2.0), 1.0, 0.65)


def arctangent(builder: Builder, x: Value) -> Value:
    """arctan x for any x of up to 24 fractional bits; the result has as many, or 16.

    Error: below 9e-5 + 2^(4 - f), 2^-14 more where |x| may be beyond 2^14. Rounds: 15 and those of the comparisons'
    trees; a comparison for each power of two from 1 to the largest |x| is dealt, and two more.
    Errors: `BoundError` for more fractional bits.
    """
    if x.type.f > _MOST:
        raise BoundError(f"an arctangent of values with up to {_MOST} fractional bits, not {x.type.f}", bound=_MOST)
    more = max(_FEWEST - x.type.f, 0)
    if more:
        x = builder.add(Scale(2**more, more), x)
    f, largest = x.type.f, max(x.type.width - 1 - x.type.f, 0)
    if largest <= 1:
        return builder.add(_near(f), x)
    one = 1 << f
    above, below = (_beyond(builder, side, one) for side in (x, builder.add(Scale(-1), x)))
    near = builder.add(Add(), builder.add(Subtract(), x, above), below)
    near = builder.add(AssumeWidth(f + 2), near)
    high = min(largest, _LARGEST)
    size = builder.add(AddPublic(one), builder.add(Add(), above, below))
    if largest > _LARGEST:
        size = builder.add(Subtract(), size, _beyond(builder, size, one << _LARGEST))
    size = builder.add(AssumeWidth(f + high + 2), size)
    share = builder.add(Product(Elementwise(), Epilogue(f, width=2 * f + 4)), near, reciprocal(builder, size, 0, high))
    twice = builder.add(Scale(2), builder.add(_near(f), near))
    made = builder.add(Subtract(), twice, builder.add(_near(f), builder.add(AssumeWidth(f + 2), share)))
    far = math.atan(2.0**-_LARGEST) if largest > _LARGEST else 0.0
    return builder.add(AssumeWidth(f + 2, made.type.error + far), made)


def _beyond(builder: Builder, x: Value, edge: int) -> Value:
    """max(x - edge, 0), the edge in units of x."""
    moved = builder.add(AddPublic(-edge), x)
    return builder.add(Relu(Epilogue(0, True, moved.type.width)), moved)
