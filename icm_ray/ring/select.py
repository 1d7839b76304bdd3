"""Kernels of a selection by a bit that was opened under a mask, of values that were opened under masks too."""

from __future__ import annotations

import numpy as np

from icm_ray.ring.branchless import negated_where, ones_at, ones_if
from icm_ray.ring.kernel import compiled, kernel

__all__ = ["deal_product", "deal_selection", "keep_opened", "keep_parts"]


@kernel
def deal_selection(high, r_d, bits, rho, rd_rho, t, rd_t):  # type: ignore[no-untyped-def]
    """The dealer's parts of a mask for `keep_parts`; r_d is the mask of the bit.

    high = r >> f; rho its low `bits` bits, t the bit above. Every output is the true value.
    """
    k, one = np.uint64(bits), np.uint64(1)
    low = (one << k) - one
    for e in range(r_d.size):  # two loops, each with as few arrays as vector instructions take
        rho[e] = high[e] & low
        rd_rho[e] = (np.uint64(0) - r_d[e]) & high[e] & low
    for e in range(r_d.size):
        t[e] = (high[e] >> k) & one
        rd_t[e] = (high[e] >> k) & r_d[e]


@compiled
def _kept_part(flip, mine, k, offset, mask, f, y_hat, r_d, rho, rd_rho, t, rd_t):  # type: ignore[no-untyped-def]
    high = ((np.uint64(y_hat) + offset) & mask) >> f
    value = high - (offset >> f)
    share = negated_where(value * r_d - rd_rho, flip) + (((value & mine) - rho) & flip)
    carried = negated_where(np.uint64(rd_t), flip) + (np.uint64(t) & flip)
    return share + negated_where(carried << k, ones_at(high, k))


@kernel
def keep_parts(y_hat, d_hat, r_d, rho, rd_rho, t, rd_t, f, w, first, out):  # type: ignore[no-untyped-def]
    """d (y >> f), d = d^ xor r_d, where d = 1 implies |y| <= 2^(w-2); y may be anything else.

    H = (y^ + 2^(w-2)) >> f with m its top bit, K = H - 2^(w-2-f), L = w - 1 - f, kappa = (1 - 2m) 2^L:
    d^ = 0: K [r_d] - [r_d rho] + kappa [r_d t];  d^ = 1: K (1 - [r_d]) - ([rho] - [r_d rho]) + kappa ([t] - [r_d t]).
    """
    k, drop, mine = np.uint64(w - 1 - f), np.uint64(f), ones_if(first)
    offset = np.uint64(1) << np.uint64(w - 2)
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - w)
    for at in range(out.size >> 6):
        word = d_hat[at]
        for bit in range(64):
            e = (at << 6) + bit
            dealt = r_d[e], rho[e], rd_rho[e], t[e], rd_t[e]
            out[e] = _kept_part(ones_at(word, bit), mine, k, offset, mask, drop, y_hat[e], *dealt)
    for e in range(out.size & ~63, out.size):
        dealt = r_d[e], rho[e], rd_rho[e], t[e], rd_t[e]
        out[e] = _kept_part(ones_at(d_hat[e >> 6], e & 63), mine, k, offset, mask, drop, y_hat[e], *dealt)


@kernel
def deal_product(r, r_d, bits, rd_rho, rd_t):  # type: ignore[no-untyped-def]
    """r_d times the low `bits` bits of r, and times the bit above: for `keep_opened`."""
    one = np.uint64(1)
    low = (one << np.uint64(bits)) - one
    for e in range(r_d.size):
        x = np.uint64(r[e])
        rd_rho[e] = (np.uint64(0) - r_d[e]) & x & low
        rd_t[e] = r_d[e] & ((x >> np.uint64(bits)) & one)


@compiled
def _kept(flip, k, offset, mask, x, x_hat, r_d, rd_rho, rd_t):  # type: ignore[no-untyped-def]
    value = (np.uint64(x_hat) + offset) & mask
    kept = (value - offset) * r_d - rd_rho + negated_where(np.uint64(rd_t) << k, ones_at(value, k))
    return negated_where(kept, flip) + (x & flip)


@kernel
def keep_opened(x, x_hat, d_hat, r_d, rd_rho, rd_t, bits, out):  # type: ignore[no-untyped-def]
    """out += d x, d = d^ xor r_d; |x| <= 2^(bits - 1), x^ opened in words of bits + 1.

    With H = x^ + 2^(bits-1), m its top bit:  r_d x = (H - 2^(bits-1)) [r_d] - [r_d rho] + (1 - 2m) 2^bits [r_d t];
    d^ = 0: that;  d^ = 1: [x] minus that.
    """
    k = np.uint64(bits)
    offset = np.uint64(1) << np.uint64(bits - 1)
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(63 - bits)
    for at in range(out.size >> 6):
        word = d_hat[at]
        for bit in range(64):
            e = (at << 6) + bit
            out[e] += _kept(ones_at(word, bit), k, offset, mask, x[e], x_hat[e], r_d[e], rd_rho[e], rd_t[e])
    for e in range(out.size & ~63, out.size):
        flip = ones_at(d_hat[e >> 6], e & 63)
        out[e] += _kept(flip, k, offset, mask, x[e], x_hat[e], r_d[e], rd_rho[e], rd_t[e])
