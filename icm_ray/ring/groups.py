"""Kernels of sums over small domains: one pass over the dealt words, contiguous, sums in the first cache.

Slot s of a row with public key k^ belongs to group (k^ - s) mod M: to place M - 1 - k^ + s of a row of 2 M sums, which
`fold` adds up to M.

Of keys of two digits: slot s of a digit whose public, masked value is d^ belongs to the digit (d^ - s) mod its size.
"""

from __future__ import annotations

import numpy as np

from icm_ray.ring.kernel import kernel

__all__ = ["add_outer", "count_groups", "deal_groups", "fold", "mask_high", "mask_low", "sum_groups"]


@kernel
def deal_groups(r, a, out):  # type: ignore[no-untyped-def]
    """out (n, M), the others' words, becomes the correction: a one-hot(r mod M) minus them; a empty: one-hot."""
    domain = out.shape[1]
    plain = a.size == 0
    for e in range(r.size):
        for s in range(domain):
            out[e, s] = -out[e, s]
        out[e, np.int64(r[e]) & (domain - 1)] += out.dtype.type(1) if plain else a[e]


@kernel
def count_groups(k_hat, hot, sums):  # type: ignore[no-untyped-def]
    """sums (2 M) of the slots of hot (n, M)."""
    domain = hot.shape[1]
    for e in range(k_hat.size):
        base = domain - 1 - (np.int64(k_hat[e]) & (domain - 1))
        for s in range(domain):
            sums[base + s] += hot[e, s]


@kernel
def sum_groups(k_hat, v_hat, hot, masked, sums):  # type: ignore[no-untyped-def]
    """sums (2 M) of v^ hot - masked, both (n, M)."""
    domain = hot.shape[1]
    for e in range(k_hat.size):
        base = domain - 1 - (np.int64(k_hat[e]) & (domain - 1))
        v = v_hat[e]
        for s in range(domain):
            sums[base + s] += v * hot[e, s] - masked[e, s]


@kernel
def fold(sums, out):  # type: ignore[no-untyped-def]
    """out[i], i = 0 .. M - 1: the two places of group i."""
    for i in range(out.size):
        out[i] = sums[out.size - 1 - i] + sums[2 * out.size - 1 - i]


@kernel
def mask_low(k_hat, low, hot, masks, carries, first, out):  # type: ignore[no-untyped-def]
    """Lower digits of keys k^ (n,): out (n, b) becomes their one-hot words less masks (n, b); hot (n, b): of slots.

    carries uint8 (n,), a mask, becomes what is opened of the upper digits: less [lower digit of the mask > that of k^].
    """
    size = hot.shape[1]
    for e in range(k_hat.size):
        key = np.int64(k_hat[e])
        digit = key & (size - 1)
        for j in range(size):
            out[e, j] = hot[e, (digit - j) & (size - 1)] - masks[e, j]
        borrowed = np.uint64(0)
        for s in range(digit + 1, size):
            borrowed += hot[e, s]
        carries[e] -= np.uint8(borrowed)
        if first:
            carries[e] += np.uint8(key >> low)


@kernel
def mask_high(digits, values, hot, masked, masks, used, out):  # type: ignore[no-untyped-def]
    """Upper digits (n,): out (n, k used) becomes values^ (columns, n) in the place of each row's digit, less masks.

    hot (n, a), masked (columns, n, a): shares of one-hot words, and of the values' masks times these. Digits from
    `used` on have no place. With k = columns + 1 ones stand behind the values.
    """
    size, columns = hot.shape[1], values.shape[0]
    counts = out.shape[1] > columns * used
    for e in range(digits.size):
        digit = np.int64(digits[e])
        for i in range(used):
            s = (digit - i) & (size - 1)
            for c in range(columns):
                place = c * used + i
                out[e, place] = values[c, e] * hot[e, s] - masked[c, e, s] - masks[e, place]
            if counts:
                place = columns * used + i
                out[e, place] = hot[e, s] - masks[e, place]


@kernel
def add_outer(x, y, out):  # type: ignore[no-untyped-def]
    """Add x^T y to out (k, b), for x (n, k) and y (n, b)."""
    for e in range(x.shape[0]):
        for i in range(x.shape[1]):
            word = x[e, i]
            for j in range(y.shape[1]):
                out[i, j] += word * y[e, j]
