"""Fixed-point encoding: the only file that turns plain numbers into ring elements and back.

A real v becomes the integer round(v 2^f) in Z_2^64, two's complement.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import BoundError, NullError, ShapeError

__all__ = ["decode", "decode_integers", "encode", "float_of_key", "key_of_float"]

_LIMIT = 62
_KEY_BASE = (512 << 52) - 1
"""The bits of 2^-511, less one: the key of the smallest magnitude kept is 1."""
_KEY_TOP = 1535 << 52
"""The bits of 2^512."""


def encode(values: NDArray[Any], f: int, bound: int, name: str = "value") -> NDArray[np.uint64]:
    """Ring elements of `values` with `f` fractional bits; refuses what is beyond 2^`bound` in magnitude.

    bound: log2 of the largest plain magnitude. Integers and booleans are taken exactly with f = 0 and shifted.
    Errors: `NullError` (NaN, infinite), `BoundError` (beyond the bound, or f + bound over 62), `ShapeError` (dtype).
    The absolute rounding error is at most 2^-(f+1) for floats and 0 for integers.
    """
    if f + bound > _LIMIT:
        raise BoundError(f"{name}: {f} fractional bits and magnitudes to 2^{bound} do not fit 62 bits", name=name)
    kind = values.dtype.kind
    if kind in "bui":
        if kind == "u" and values.size and int(values.max()) > 2**63 - 1:
            raise BoundError(f"{name}: an unsigned value is beyond 2^63", name=name)
        whole = values.astype(np.int64)
        if whole.size and (int(whole.max()) > 2**bound or int(whole.min()) < -(2**bound)):
            raise BoundError(f"{name}: a value is beyond the declared bound 2^{bound}", name=name, bound=bound)
        shifted: NDArray[np.uint64] = (whole << f).view(np.uint64)
        return shifted
    if kind != "f":
        raise ShapeError(f"{name}: numbers are needed, not dtype {values.dtype}", name=name)
    if not np.isfinite(values).all():
        raise NullError(f"{name}: NaN or infinite values cannot be shared", name=name)
    plain = values.astype(np.float64, copy=False)
    if plain.size and float(np.abs(plain).max()) > 2.0**bound:
        raise BoundError(f"{name}: a value is beyond the declared bound 2^{bound}", name=name, bound=bound)
    encoded: NDArray[np.uint64] = np.rint(np.ldexp(plain, f)).astype(np.int64).view(np.uint64)
    return encoded


def decode(elements: NDArray[np.uint64], f: int) -> NDArray[np.float64]:
    """The reals that ring elements with `f` fractional bits stand for."""
    signed = elements.view(np.int64)
    plain: NDArray[np.float64] = np.ldexp(signed.astype(np.float64), -f)
    return plain


def decode_integers(elements: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The signed integers that ring elements stand for."""
    return elements.view(np.int64)


def key_of_float(values: NDArray[np.float64], name: str = "value") -> NDArray[np.int64]:
    """Integers of magnitude up to 2^62 - 2^52 in the order of doubles: exact for magnitudes in [2^-511, 2^512).

    Magnitudes below become 0, so that `float_of_key(key_of_float(v))` differs from v by at most 2^-511; those from
    2^512 on raise `BoundError`. -0.0 and 0.0 have the same key.
    """
    bits = values.astype(np.float64, copy=False).view(np.int64)
    raw = bits & np.int64(0x7FFF_FFFF_FFFF_FFFF)
    if raw.size and int(raw.max()) >= _KEY_TOP:
        raise BoundError(f"{name}: a value is beyond 2^512", name=name)
    magnitude = np.maximum(raw - np.int64(_KEY_BASE), 0)
    keys: NDArray[np.int64] = np.where(bits < 0, -magnitude, magnitude)
    return keys


def float_of_key(keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """The doubles that order keys stand for."""
    size = np.abs(keys)
    magnitude = np.where(size > 0, size + np.int64(_KEY_BASE), 0).view(np.float64)
    plain: NDArray[np.float64] = np.where(keys < 0, -magnitude, magnitude)
    return plain
