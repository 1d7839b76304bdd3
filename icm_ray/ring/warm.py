"""Compile every kernel once and fill Numba's cache: `python -m icm_ray.ring.warm`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from icm_ray.ring import (
    bits,
    cells,
    epilogue,
    exact_powers,
    exact_sums,
    fourier,
    groups,
    limbs,
    narrow,
    piecewise,
    select,
    sort_kernels,
)
from icm_ray.ring.gemm import matmul

__all__ = ["warm"]


def warm() -> None:
    """Call every kernel with the word types that protocols use."""
    n = bits.BLOCK
    r, plane = np.zeros(n, np.uint64), np.zeros(n // 64, np.uint64)
    nodes = np.array((4, 3))
    wide, narrow_hot = np.zeros((2, n), np.uint16), np.zeros((1, n), np.uint8)
    p, g = (np.zeros((1, 7, 8), np.uint64) for _ in range(2))
    bits.look_up(r, np.uint64(0), 0, wide, narrow_hot, 3, p[:, :3].copy(), g[:, :3].copy())
    bits.deal_one_hot(r, wide)
    bits.narrow_one_hot(r, 0, 3, narrow_hot)
    masks, dealt = np.zeros((1, 11, 8), np.uint64), np.zeros((1, 40, 8), np.uint64)
    bits.mask_level(p, g, nodes, masks)
    out = np.zeros((1, 2, 8), np.uint64)
    for first in (True, False):
        bits.reduce_level(p, g, nodes, masks, masks, dealt, first, out, out.copy())
    bits.deal_products(nodes, masks, dealt)
    bits.unpack(plane, r)
    epilogue.signs(r, np.uint64(0), 0, 1, plane)
    words = (np.uint8, np.uint16, np.uint32, np.uint64)
    for dtype in words:
        epilogue.high_part(r.astype(dtype), 0, 8, r)
        for top_of in {dtype, np.uint64}:
            epilogue.deal_truncation(r.astype(dtype), 3, 8, r.copy(), np.zeros(n, top_of))
        epilogue.deal_truncation(r, 3, 8, r.copy(), np.zeros(n, dtype))
        epilogue.deal_parts(r, plane, 7, r, r.copy(), r.copy(), np.zeros(n, dtype), np.zeros(n, dtype))
        for first in (True, False):
            epilogue.relu_parts(r, plane, r, r, r, np.zeros(n, dtype), np.zeros(n, dtype), 7, first, r.copy())
            for opened in words:
                epilogue.truncated(np.zeros(n, opened), r, np.zeros(n, dtype), 3, 8, first, r.copy())
    for size in range(1, 9):
        for word in {narrow.word_of(size), np.uint64}:
            raw = np.zeros(n * size, np.uint8)
            narrow.narrowed(narrow.widened(raw, size, word), size)
            narrow.add_narrow(np.zeros(n, word), raw, size)
    epilogue.deal_full(r, plane, r.copy(), r.copy())
    for first in (True, False):
        for dtype in words:
            epilogue.share_of_product(r, r, r, r, r, first, np.zeros(n, dtype))
        epilogue.relu_full(r, plane, r, r, r, first, r.copy())
        epilogue.bit_words(plane, r, first, r.copy())
        epilogue.count_bits(plane, r, first, n)
    epilogue.select(r, plane, r, r, r, r.copy())
    _warm_order(words)
    _warm_functions()
    _warm_aggregates()
    for size in (1, 32):  # without panels and with them; kernels of products have one signature each
        square = np.zeros((size, size), np.uint64)
        matmul(square, square)


def _warm_order(words: tuple[type[np.unsignedinteger], ...]) -> None:
    positions, none, plane = np.zeros(1, np.int32), np.zeros(0, np.int32), np.zeros(1, np.uint64)
    sort_kernels.draw(np.zeros(2, np.uint64), positions.copy())
    for dtype in words:
        sort_kernels.add_differences(plane, positions, positions, np.zeros(1, dtype))
    sort_kernels.search_pairs(0, positions, positions, 1, 0, positions.copy(), positions.copy())
    sort_kernels.descend(positions.copy(), plane, 1)
    starts = np.zeros(2, np.int32)
    sort_kernels.gaps_of(0, positions, starts, positions.copy())
    sort_kernels.gap_pairs(starts, positions, none, none)
    sort_kernels.merge(starts, positions, plane, none, positions.copy())


def _warm_functions() -> None:
    """Functions are opened in words of 16 to 64 bits, and summed in those of 32 or 64; groups in words of 64."""
    n, small, sizes = bits.BLOCK, (np.uint16, np.uint32, np.uint64), (np.uint32, np.uint64)
    r, plane, harmonics = np.zeros(n, np.uint64), np.zeros(n // 64, np.uint64), np.ones(1, np.int64)
    waves_of, none = fourier.wave_table(), np.zeros(0, np.int64)
    powers, cells = fourier.power_tables(17, 16), fourier.cell_powers(3, 17, 16)
    for opened in small:
        x = np.zeros(n, opened)
        for word in sizes:
            pair, slots, out = np.zeros((n, 2), word), np.zeros((n, 8), word), np.zeros(n, word)
            fourier.deal_waves(x, 21, harmonics, 14, waves_of, pair)
            for cosines, sines in ((harmonics, none), (none, harmonics)):
                fourier.sum_waves(x, 21, harmonics, cosines, sines, pair, waves_of, out)
            fourier.deal_powers(x, 17, 16, 3, 15, powers, slots)
            fourier.sum_powers(x, 17, 16, 3, 14, powers, cells, slots, out)
            rows, table = np.zeros((n, 3, 8), word), piecewise.rotated_table([(1, 2, 3)] * 8, word)
            piecewise.deal_cells(x, 10, 0, 3, rows)
            piecewise.evaluate(x, 10, 0, 3, table, rows, out)
    for opened in sizes:
        for t in small:
            parts = np.zeros(n, t)
            for first in (True, False):
                y = np.zeros(n, opened)
                select.keep_parts(y, plane, r, r, r, parts, parts, 13, 30, first, r.copy())
            select.deal_selection(r, r, 17, r.copy(), r.copy(), parts, parts.copy())
        for carried in (np.uint8, np.uint64):
            parts = np.zeros(n, carried)
            select.deal_product(np.zeros(n, opened), r, 31, r.copy(), parts)
            select.keep_opened(r, np.zeros(n, opened), plane, r, r, parts, 31, r.copy())
    keys, hot, sums = np.zeros(n, np.uint8), np.zeros((n, 4), np.uint64), np.zeros(8, np.uint64)
    groups.deal_groups(keys, r, hot)
    groups.count_groups(keys, hot, sums)
    groups.sum_groups(keys, r, hot, hot, sums)
    groups.fold(sums, sums[:4].copy())
    for first in (True, False):
        groups.mask_low(keys, 2, hot, hot, keys.copy(), first, hot.copy())
    groups.mask_high(keys, r.reshape(1, n), hot, hot.reshape(1, n, 4), hot, 4, hot.copy())
    groups.add_outer(hot, hot, np.zeros((4, 4), np.uint64))
    _warm_limbs(hot, r)


def _warm_limbs(rows: NDArray[np.uint64], words: NDArray[np.uint64]) -> None:
    """Shares of a result cannot be written, as they arrive."""
    arrived = rows.copy()
    arrived.flags.writeable = False
    for one, other in ((rows, rows), (arrived, arrived), (rows, arrived)):
        limbs.add(one, other, rows.copy())
    limbs.subtract(rows, rows, rows.copy())
    limbs.add_product(rows, rows, rows.copy())
    limbs.add_rows(rows, rows[:1].copy())
    for first in (True, False):
        limbs.widen(words, rows, first, rows.copy())


def _warm_aggregates() -> None:
    """Rows cannot be written, as folds hand them on; numbers are of three types."""
    bits, signed, places = np.zeros(1, np.uint64), np.zeros(1, np.int64), np.zeros(1, np.int64)
    doubles, digits, seen = np.zeros(1), np.zeros((1, 270), np.int64), np.zeros(1, np.bool_)
    for rows in (bits, signed, places, doubles):
        rows.flags.writeable = False
    exact_sums.add_doubles(bits, digits)
    exact_sums.add_doubles_at(bits, places, digits)
    exact_sums.add_double_squares(bits, digits)
    exact_sums.add_double_squares_at(bits, places, digits)
    exact_powers.add_double_powers_at(bits, places, 3, digits)
    exact_powers.add_double_products_at(bits, bits, places, digits)
    cells.within(places, 1)
    cells.count_at(places, np.zeros(1, np.uint64))
    cells.key_ends(signed)
    cells.least_key_at(signed, places, np.zeros(1, np.int64), seen)
    cells.largest_key_at(signed, places, np.zeros(1, np.int64), seen)
    cells.two_largest_at(bits, places, np.zeros(1, np.uint64), np.zeros(1, np.uint64))
    for integers in (signed, bits):
        exact_sums.add_integers(integers, digits)
        exact_sums.add_integers_at(integers, places, digits)
        exact_sums.add_squares(integers, digits)
        exact_sums.add_squares_at(integers, places, digits)
        exact_powers.add_powers_at(integers, places, 3, digits)
        for others in (signed, bits):
            exact_powers.add_products_at(integers, others, places, digits)
        cells.least_at(integers, places, np.zeros(1, integers.dtype), seen)
        cells.largest_at(integers, places, np.zeros(1, integers.dtype), seen)
    cells.keys_of(signed)
    keys_of_doubles = np.zeros(1, np.int64)
    for keys in (signed, bits, keys_of_doubles):
        lows, firsts, beyond = np.zeros((1, 1), keys.dtype), np.zeros((1, 1), np.uint64), np.zeros((1, 1), np.bool_)
        left, below, counts = np.uint64(0), np.zeros((1, 1), np.int64), np.zeros((1, 1, 2), np.int64)
        cells.count_keys(keys, lows, firsts, beyond, left, below, counts)
        cells.count_keys_at(keys, places, lows, firsts, beyond, left, below, counts)
    for numbers in (signed, bits, doubles):
        grid, thresholds = np.zeros(2, np.int64), np.zeros(1, numbers.dtype)
        cells.grid_of(thresholds, 0.0, 0.0, grid)
        cells.count_bins(numbers, thresholds, 0.0, 0.0, grid, np.zeros(2, np.int64))
    exact_sums.carry(digits)


if __name__ == "__main__":
    warm()
