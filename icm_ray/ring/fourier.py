"""Kernels of trigonometric sums and exponentials: public factors of the opened value, times dealt words.

All in integers, the tables too (their entries are far from a rounding's edge, which a test checks), so that public
factors are the same on every machine: parties that differ in one bit of a public factor would add up to garbage.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from icm_ray.ring.kernel import compiled, kernel

__all__ = [
    "COEFFICIENT_BITS",
    "cell_powers",
    "deal_powers",
    "deal_waves",
    "power_tables",
    "sum_powers",
    "sum_waves",
    "wave_table",
]

COEFFICIENT_BITS = 8
"""Fractional bits of a coefficient beyond those of public factors."""
_INDEX = 12
_UNIT = 30
_TURN = 6746518852
"""2 pi in units of 2^-30."""
_POWER_UNIT = 29

Table = NDArray[np.int64]


def wave_table() -> Table:
    """cos and sin of 2^12 equal parts of a turn, (2^12, 2), in units of 2^-30."""
    angle = 2 * np.pi * np.arange(1 << _INDEX) / (1 << _INDEX)
    table: Table = np.rint(np.stack([np.cos(angle), np.sin(angle)], axis=1) * 2**_UNIT).astype(np.int64)
    return table


@compiled
def _wave(angle, table):  # type: ignore[no-untyped-def]
    """cos and sin of angle / 2^32 turns, in units of 2^-30: a table and one step of the rotation, 2^-21 exact."""
    near = (angle + (1 << 19)) & 0xFFFFFFFF
    index = near >> 20
    step = ((near & 0xFFFFF) - (1 << 19)) * _TURN >> 32
    c = table[index, 0]
    s = table[index, 1]
    return c - (s * step >> 30), s + (c * step >> 30)


@kernel
def deal_waves(r, period, harmonics, dealt_bits, table, out):  # type: ignore[no-untyped-def]
    """out (n, 2 K), the others' words, becomes the correction: cos(k rho), sin(k rho) minus them."""
    scale = 30 - dealt_bits
    half = np.int64(1) << (scale - 1)
    for e in range(r.size):
        base = np.int64((np.uint64(r[e]) << np.uint64(32 - period)) & np.uint64(0xFFFFFFFF))
        for j in range(harmonics.size):
            c, s = _wave((base * harmonics[j]) & 0xFFFFFFFF, table)
            out[e, 2 * j] = out.dtype.type((c + half) >> scale) - out[e, 2 * j]
            out[e, 2 * j + 1] = out.dtype.type((s + half) >> scale) - out[e, 2 * j + 1]


@kernel
def sum_waves(x_hat, period, harmonics, cosines, sines, dealt, table, out):  # type: ignore[no-untyped-def]
    """out += sum over k of (a cos + b sin)(k t^) [cos k rho] + (a sin - b cos)(k t^) [sin k rho]; t = t^ - rho.

    dealt: (n, 2 K), `deal_waves`; cosines and sines: a and b in units of 2^-(public bits + 8), either may be empty.
    """
    even = cosines.size > 0
    odd = sines.size > 0
    scale = 38
    half = np.int64(1) << (scale - 1)
    for e in range(out.size):
        base = np.int64((np.uint64(x_hat[e]) << np.uint64(32 - period)) & np.uint64(0xFFFFFFFF))
        total = out[e]
        for j in range(harmonics.size):
            c, s = _wave((base * harmonics[j]) & 0xFFFFFFFF, table)
            u = np.int64(0)
            v = np.int64(0)
            if even:
                u += cosines[j] * c
                v += cosines[j] * s
            if odd:
                u += sines[j] * s
                v -= sines[j] * c
            total += out.dtype.type((u + half) >> scale) * dealt[e, 2 * j]
            total += out.dtype.type((v + half) >> scale) * dealt[e, 2 * j + 1]
        out[e] = total


def power_tables(shift: int, f: int) -> Table:
    """e^t and e^-t by the two upper bytes of a cell's `shift` bits, (4, 256), in units of 2^-29; t counts 2^-f."""
    steps = np.arange(256.0)
    exponents = [sign * steps * 2.0 ** (shift - bits - f) for sign in (1, -1) for bits in (8, 16)]
    tables: Table = np.rint(np.exp(np.stack(exponents)) * 2**_POWER_UNIT).astype(np.int64)
    return tables


def cell_powers(cell_bits: int, shift: int, f: int) -> Table:
    """e^i of the cells i = -(M - 1) .. 0 by their index i mod M, reversed and doubled: `rotated_table`'s layout."""
    cells = 1 << cell_bits
    index = np.arange(cells)
    powers = np.exp(np.where(index > 0, index - cells, 0) * 2.0 ** (shift - f))
    row = np.rint(powers * 2**_POWER_UNIT).astype(np.int64)[::-1]
    return np.concatenate([row, row])


@compiled
def _power(low, shift, f, sign, first, second):  # type: ignore[no-untyped-def]
    """e^(+-low 2^-f) in units of 2^-29: the upper 16 of its `shift` bits from tables, the rest to first order."""
    top = low << (16 - shift) if shift < 16 else low >> (shift - 16)
    power = (first[top >> 8] * second[top & 255] + (1 << 28)) >> 29
    if shift > 16:
        power += sign * (power * (low & ((1 << (shift - 16)) - 1)) >> f)
    return power


@kernel
def deal_powers(r, shift, f, cell_bits, dealt_bits, tables, out):  # type: ignore[no-untyped-def]
    """out (n, M), the others' words, becomes the correction: one-hot(r_hi) e^-r_lo minus them."""
    scale = 29 - dealt_bits
    half = np.int64(1) << (scale - 1)
    low_mask = np.uint64((1 << shift) - 1)
    for e in range(r.size):
        x = np.uint64(r[e])
        hot = np.int64((x >> np.uint64(shift)) & np.uint64((1 << cell_bits) - 1))
        power = _power(np.int64(x & low_mask), shift, f, -1, tables[2], tables[3])
        for s in range(out.shape[1]):
            out[e, s] = -out[e, s]
        out[e, hot] += out.dtype.type((power + half) >> scale)


@kernel
def sum_powers(x_hat, shift, f, cell_bits, public_bits, tables, cells, dealt, out):  # type: ignore[no-untyped-def]
    """out = e^c sum over slots of e^(cell of the slot) dealt; dealt: (n, M), `deal_powers`; cells: `cell_powers`."""
    count = 1 << cell_bits
    scale = 58 - public_bits
    half = np.int64(1) << (scale - 1)
    low_mask = np.uint64((1 << shift) - 1)
    for e in range(out.size):
        x = np.uint64(x_hat[e])
        k = np.int64((x >> np.uint64(shift)) & np.uint64(count - 1))
        power = _power(np.int64(x & low_mask), shift, f, 1, tables[0], tables[1])
        base = count - 1 - k
        total = out.dtype.type(0)
        for s in range(count):
            total += out.dtype.type((power * cells[base + s] + half) >> scale) * dealt[e, s]
        out[e] = total
