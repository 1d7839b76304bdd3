"""Kernels of sums over small domains: one pass over the dealt words, contiguous, sums in the first cache.

Slot s of a row with public key k^ belongs to group (k^ - s) mod M: to place M - 1 - k^ + s of a row of 2 M sums, which
`fold` adds up to M.
"""

from __future__ import annotations

import numpy as np

from icm_ray.ring.kernel import kernel

__all__ = ["count_groups", "deal_groups", "fold", "sum_groups"]


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
