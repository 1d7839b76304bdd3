"""Kernels of counts, extremes and bins by cell; cells (rows,) are in [0, cells), which `within` says.

Arrays are contiguous. Doubles are ordered by their keys, IEEE's total order as int64 (`ring.fixed.key_of_float`).
"""

from __future__ import annotations

import numpy as np

from icm_ray.ring.kernel import compiled, kernel

__all__ = [
    "count_at", "count_bins", "count_keys", "count_keys_at", "grid_of", "key_ends", "keys_of", "largest_at",
    "largest_key_at", "least_at", "least_key_at", "two_largest_at", "within",
]  # fmt: skip

_LARGEST = np.finfo(np.float64).max
_MAGNITUDE = np.int64(0x7FFF_FFFF_FFFF_FFFF)


@kernel
def within(cells, count):  # type: ignore[no-untyped-def]
    """Whether all of cells int64 (rows,) are in [0, count)."""
    outside = np.int64(0)
    for row in range(cells.size):
        outside |= cells[row] | (np.int64(count) - np.int64(1) - cells[row])
    return outside >= 0


@kernel
def count_at(cells, counts):  # type: ignore[no-untyped-def]
    """Add the rows of each cell to counts (cells,)."""
    for row in range(cells.size):
        counts[cells[row]] += counts.dtype.type(1)


@compiled
def _key(bits):  # type: ignore[no-untyped-def]
    """The order key of a double, from its bits as int64."""
    return bits ^ ((bits >> np.int64(63)) & _MAGNITUDE)


@kernel
def key_ends(bits):  # type: ignore[no-untyped-def]
    """(least, largest) order key of doubles, given as their bits int64 (rows,)."""
    least = _MAGNITUDE
    largest = -_MAGNITUDE - np.int64(1)
    for row in range(bits.size):
        key = _key(bits[row])
        least = min(least, key)
        largest = max(largest, key)
    return least, largest


@kernel
def least_at(values, cells, ends, seen):  # type: ignore[no-untyped-def]
    """The least of each cell's values, of ends (cells,) and of what it has come to; seen (cells,): it has values."""
    for row in range(values.size):
        cell = cells[row]
        ends[cell] = min(ends[cell], values[row])
        seen[cell] = True


@kernel
def largest_at(values, cells, ends, seen):  # type: ignore[no-untyped-def]
    """The largest, likewise."""
    for row in range(values.size):
        cell = cells[row]
        ends[cell] = max(ends[cell], values[row])
        seen[cell] = True


@kernel
def least_key_at(bits, cells, ends, seen):  # type: ignore[no-untyped-def]
    """The least order key, likewise, of doubles, given as their bits int64 (rows,)."""
    for row in range(bits.size):
        cell = cells[row]
        ends[cell] = min(ends[cell], _key(bits[row]))
        seen[cell] = True


@kernel
def largest_key_at(bits, cells, ends, seen):  # type: ignore[no-untyped-def]
    """The largest order key, likewise."""
    for row in range(bits.size):
        cell = cells[row]
        ends[cell] = max(ends[cell], _key(bits[row]))
        seen[cell] = True


@kernel
def two_largest_at(values, cells, largest, second):  # type: ignore[no-untyped-def]
    """The two largest of each cell's values uint64 (rows,), of them and of what largest and second (cells,) have."""
    for row in range(values.size):
        cell = cells[row]
        value = values[row]
        if value > largest[cell]:
            second[cell] = largest[cell]
            largest[cell] = value
        elif value > second[cell]:
            second[cell] = value


@compiled
def _guess(value, low, scale, last):  # type: ignore[no-untyped-def]
    """The cell of a grid, 0 .. last, that a number falls into, as doubles round it: monotone, whatever they round.

    Halves of numbers have differences that are finite.
    """
    place = (min(np.float64(value), _LARGEST) * 0.5 - low) * scale
    return np.uint64(np.int64(min(max(place, 0.0), last)))


@kernel
def grid_of(thresholds, low, scale, grid):  # type: ignore[no-untyped-def]
    """grid[g]: how many of the ascending thresholds (n,) are in cells before g, for cells 0 .. grid.size - 2."""
    last = np.float64(grid.size - 2)
    grid[:] = 0
    for k in range(thresholds.size):
        grid[_guess(thresholds[k], low, scale, last) + np.uint64(1)] += 1
    for g in range(1, grid.size):
        grid[g] += grid[g - 1]


@kernel
def count_bins(values, thresholds, low, scale, grid, counts):  # type: ignore[no-untyped-def]
    """Add values (rows,) that reach k of the ascending thresholds (n,) to counts[k], k = 0 .. n.

    `_guess` is monotone: a value reaches all thresholds of cells before its own, and none of those after it. The few
    of its own cell are searched, by exact comparison.
    """
    last = np.float64(grid.size - 2)
    for row in range(values.size):
        value = values[row]
        cell = _guess(value, low, scale, last)
        reached = np.uint64(grid[cell])
        end = np.uint64(grid[cell + np.uint64(1)])
        while reached < end:
            middle = (reached + end) >> np.uint64(1)
            if thresholds[middle] <= value:
                reached = middle + np.uint64(1)
            else:
                end = middle
        counts[reached] += 1


@kernel
def keys_of(bits):  # type: ignore[no-untyped-def]
    """The order keys of doubles, given as their bits int64 (rows,)."""
    keys = np.empty(bits.size, np.int64)
    for row in range(bits.size):
        keys[row] = _key(bits[row])
    return keys


@kernel
def count_keys(keys, lows, firsts, beyond, left, below, counts):  # type: ignore[no-untyped-def]
    """Add keys (rows,) to below (ranges, 1) where they come before a range, to counts (ranges, 1, digits) in it.

    A range begins at lows (ranges, 1), of the keys' dtype, whose digit is firsts; a digit has `left` bits behind it.
    beyond (ranges, 1): it lies behind all numbers of the dtype.
    """
    digits = np.uint64(counts.shape[2])
    for place in range(lows.shape[0]):
        if beyond[place, 0]:
            below[place, 0] += keys.size
            continue
        low, first = lows[place, 0], firsts[place, 0]
        room = digits - min(first, digits)  # a key's digit is not added to the first: the sum may leave 64 bits
        before = np.int64(0)
        for row in range(keys.size):  # apart, since half of the keys of a median are below, by chance
            before += keys[row] < low
        below[place, 0] += before
        for row in range(keys.size):
            digit = (np.uint64(keys[row]) - np.uint64(low)) >> left
            if digit < room and keys[row] >= low:
                counts[place, 0, first + digit] += np.int64(1)


@kernel
def count_keys_at(keys, cells, lows, firsts, beyond, left, below, counts):  # type: ignore[no-untyped-def]
    """The same of each cell: ranges are (ranges, cells), digits (ranges, cells, digits)."""
    digits = np.uint64(counts.shape[2])
    for row in range(keys.size):
        key, cell = keys[row], cells[row]
        for place in range(lows.shape[0]):
            low = lows[place, cell]
            before = beyond[place, cell] | (key < low)
            below[place, cell] += before
            first = firsts[place, cell]
            digit = (np.uint64(key) - np.uint64(low)) >> left
            if digit < digits - min(first, digits) and not before:
                counts[place, cell, first + digit] += np.int64(1)
