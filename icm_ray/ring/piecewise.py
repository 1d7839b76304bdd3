"""Kernels of piecewise polynomials: sums over cells of public polynomials in the opened low part, times dealt words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from icm_ray.ring.kernel import kernel

__all__ = ["deal_cells", "evaluate", "rotated_table"]

Words = NDArray[np.unsignedinteger]


def rotated_table(coefficients: Sequence[Sequence[int]], dtype: type[np.unsignedinteger]) -> Words:
    """The rows by degree (d + 1, 2 M), reversed and doubled, so that a rotation by k is a slice.

    Cell i (from -M/2) has index i mod M; slot s belongs to cell (k - s) mod M: column (M - 1 - k) + s.
    """
    table = np.array([[value % 2**64 for value in row] for row in coefficients], np.uint64)
    cells = table.shape[0]
    by_index = np.roll(table, -(cells // 2), axis=0)  # row j: the cell with index j = i mod M
    reverse = by_index[::-1]  # row t: index M - 1 - t
    rotated: Words = np.ascontiguousarray(np.concatenate([reverse, reverse]).T.astype(dtype))
    return rotated


@kernel
def evaluate(x_hat, shift, drop, cell_bits, table, dealt, out):  # type: ignore[no-untyped-def]
    """out = sum over slots and powers j of q_j(cell) dealt[j]; q_j = (-1)^j sum_k binom(k, j) C_k c_lo^(k-j).

    dealt: (n, d + 1, M), shares of one-hot(r_hi) r_lo^j; table: `rotated_table`; all words of one type; degree up to 3.
    """
    cells = 1 << cell_bits
    degree = table.shape[0] - 1
    low_mask = np.uint64((1 << shift) - 1)
    for e in range(out.size):
        x = np.uint64(x_hat[e])
        c = table.dtype.type((x & low_mask) >> np.uint64(drop))
        k = np.int64((x >> np.uint64(shift)) & np.uint64(cells - 1))
        base = cells - 1 - k
        total = table.dtype.type(0)
        if degree == 1:
            for s in range(cells):
                c1 = table[1, base + s]
                total += (table[0, base + s] + c1 * c) * dealt[e, 0, s] - c1 * dealt[e, 1, s]
        elif degree == 2:
            two_c = c + c
            for s in range(cells):
                c1 = table[1, base + s]
                c2 = table[2, base + s]
                total += (table[0, base + s] + (c1 + c2 * c) * c) * dealt[e, 0, s]
                total += c2 * dealt[e, 2, s] - (c1 + c2 * two_c) * dealt[e, 1, s]
        else:
            two_c = c + c
            three_c = two_c + c
            for s in range(cells):
                c1 = table[1, base + s]
                c2 = table[2, base + s]
                c3 = table[3, base + s]
                total += (table[0, base + s] + (c1 + (c2 + c3 * c) * c) * c) * dealt[e, 0, s]
                total -= (c1 + (c2 + c2 + c3 * three_c) * c) * dealt[e, 1, s]
                total += (c2 + c3 * three_c) * dealt[e, 2, s] - c3 * dealt[e, 3, s]
        out[e] = total


@kernel
def deal_cells(r, shift, drop, cell_bits, out):  # type: ignore[no-untyped-def]
    """out (n, d + 1, M), the others' words, becomes the correction: one-hot(r_hi) r_lo^j minus them."""
    cells = 1 << cell_bits
    powers = out.shape[1]
    low_mask = np.uint64((1 << shift) - 1)
    for e in range(r.size):
        x = np.uint64(r[e])
        low = out.dtype.type((x & low_mask) >> np.uint64(drop))
        hot = np.int64((x >> np.uint64(shift)) & np.uint64(cells - 1))
        for j in range(powers):
            for s in range(cells):
                out[e, j, s] = -out[e, j, s]
        power = out.dtype.type(1)
        for j in range(powers):
            out[e, j, hot] += power
            power *= low
