"""Fixed-point encoding: the only file that turns plain numbers into ring elements and back.

A real v becomes the integer round(v 2^f) in Z_2^64, two's complement.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import BoundError, NullError, ShapeError

__all__ = [
    "NOTHING", "decode", "decode_integers", "encode", "float_of_key", "key_of_float", "key_of_words", "words_of_key",
    "words_of_keys",
]  # fmt: skip

NOTHING = 1 << 64
"""Beyond the order keys of all numbers: where there are none, their least key is NOTHING, their largest -NOTHING.

Its words are +-2^32 and 0. A difference of two keys, these among them, has words of magnitude 2^33 at the most.
"""

_LIMIT = 62
_LOW_BITS = 32
_MAGNITUDE = (1 << 63) - 1


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


def key_of_float(value: float) -> int:
    """The place of a double in IEEE's total order, in [-2^63, 2^63): -0.0 comes just before 0.0. No NaN."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    key: int = bits if bits >= 0 else -1 - (bits & _MAGNITUDE)
    return key


def float_of_key(key: int) -> float:
    """The double of an order key."""
    bits = key if key >= 0 else (-1 - key) - (1 << 63)
    (value,) = struct.unpack("<d", struct.pack("<q", bits))
    plain: float = value
    return plain


def words_of_key(key: int) -> NDArray[np.uint64]:
    """A key in [-2^64, 2^64] as two ring elements (2, 1): key = high 2^32 + low, both signed, low of 32 bits."""
    half = 1 << (_LOW_BITS - 1)
    low = (key + half) % (2 * half) - half
    return np.array([[(key - low) >> _LOW_BITS], [low]], np.int64).view(np.uint64)


def words_of_keys(keys: NDArray[np.int64] | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`words_of_key` of many keys (n,): (2, n)."""
    low = keys.astype(np.uint32).view(np.int32)
    high = (keys >> keys.dtype.type(_LOW_BITS)).astype(np.int64) + (low < 0)
    return np.stack([high, low.astype(np.int64)]).view(np.uint64)


def key_of_words(high: int, low: int) -> int:
    """The integer of its two words."""
    return (high << _LOW_BITS) + low
