"""Kernels of a selection by a bit that was opened under a mask, of values that were opened under masks too."""

from __future__ import annotations

import numpy as np

from icm_ray.ring.kernel import kernel

__all__ = ["deal_product", "deal_selection", "keep_opened", "keep_parts"]


@kernel
def deal_selection(high, r_d, bits, rho, rd_rho, t, rd_t):  # type: ignore[no-untyped-def]
    """The dealer's parts of a mask for `keep_parts`; r_d is the mask of the bit.

    high = r >> f; rho its low `bits` bits, t the bit above. Every output is the true value.
    """
    one = np.uint64(1)
    low = (one << np.uint64(bits)) - one
    for e in range(r_d.size):
        top = (high[e] >> np.uint64(bits)) & one
        part = high[e] & low
        rho[e] = part
        rd_rho[e] = r_d[e] * part
        t[e] = top
        rd_t[e] = r_d[e] & top


@kernel
def keep_parts(y_hat, d_hat, r_d, rho, rd_rho, t, rd_t, f, w, first, out):  # type: ignore[no-untyped-def]
    """d (y >> f), d = d^ xor r_d, where d = 1 implies |y| <= 2^(w-2); y may be anything else.

    H = (y^ + 2^(w-2)) >> f with m its top bit, K = H - 2^(w-2-f), L = w - 1 - f, kappa = (1 - 2m) 2^L:
    d^ = 0: K [r_d] - [r_d rho] + kappa [r_d t];  d^ = 1: K (1 - [r_d]) - ([rho] - [r_d rho]) + kappa ([t] - [r_d t]).
    """
    one = np.uint64(1)
    k = np.uint64(w - 1 - f)
    offset = one << np.uint64(w - 2)
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - w)
    for e in range(out.size):
        high = ((np.uint64(y_hat[e]) + offset) & mask) >> np.uint64(f)
        value = high - (offset >> np.uint64(f))
        if (d_hat[e >> 6] >> np.uint64(e & 63)) & one:
            share = rd_rho[e] - rho[e] - value * r_d[e]
            if first:
                share += value
            carried = (np.uint64(t[e]) - np.uint64(rd_t[e])) << k
        else:
            share = value * r_d[e] - rd_rho[e]
            carried = np.uint64(rd_t[e]) << k
        out[e] = share - carried if (high >> k) & one else share + carried


@kernel
def deal_product(r, r_d, bits, rd_rho, rd_t):  # type: ignore[no-untyped-def]
    """r_d times the low `bits` bits of r, and times the bit above: for `keep_opened`."""
    one = np.uint64(1)
    low = (one << np.uint64(bits)) - one
    for e in range(r_d.size):
        x = np.uint64(r[e])
        rd_rho[e] = r_d[e] * (x & low)
        rd_t[e] = r_d[e] & ((x >> np.uint64(bits)) & one)


@kernel
def keep_opened(x, x_hat, d_hat, r_d, rd_rho, rd_t, bits, out):  # type: ignore[no-untyped-def]
    """out += d x, d = d^ xor r_d; |x| <= 2^(bits - 1), x^ opened in words of bits + 1.

    With H = x^ + 2^(bits-1), m its top bit:  r_d x = (H - 2^(bits-1)) [r_d] - [r_d rho] + (1 - 2m) 2^bits [r_d t];
    d^ = 0: that;  d^ = 1: [x] minus that.
    """
    one = np.uint64(1)
    k = np.uint64(bits)
    offset = one << np.uint64(bits - 1)
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(63 - bits)
    for e in range(out.size):
        value = (np.uint64(x_hat[e]) + offset) & mask
        kept = (value - offset) * r_d[e] - rd_rho[e]
        carried = np.uint64(rd_t[e]) << k
        kept = kept - carried if (value >> k) & one else kept + carried
        if (d_hat[e >> 6] >> np.uint64(e & 63)) & one:
            out[e] += x[e] - kept
        else:
            out[e] += kept
