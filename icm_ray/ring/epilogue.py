"""Kernels of what follows a masked opening: truncation, selection, counting. One pass over memory each.

Names as in the protocols: x_hat opened, rho and t the dealt parts of the mask, d_hat the opened bit of a comparison.
rho is the mask's upper part as a signed number, t its top bit.
"""

from __future__ import annotations

import numpy as np

from icm_ray.ring.branchless import negated_where, ones_at, ones_if
from icm_ray.ring.kernel import compiled, kernel

__all__ = [
    "bit_words",
    "count_bits",
    "deal_full",
    "deal_parts",
    "deal_truncation",
    "high_part",
    "relu_full",
    "relu_parts",
    "select",
    "share_of_product",
    "signs",
    "truncated",
]


@kernel
def share_of_product(e, f, a, b, last, first, out):  # type: ignore[no-untyped-def]
    """E (B_p + [p = 0] F) + A_p F + what comes last, in the words of `out`."""
    for i in range(out.size):
        factor = b[i] + f[i] if first else b[i]
        out[i] = e[i] * factor + a[i] * f[i] + last[i]


@kernel
def truncated(x_hat, rho, t, f, w, first, out):  # type: ignore[no-untyped-def]
    """x >> f = H - rho - m t 2^(w-f) - 2^(w-2-f), on x + 2^(w-2); H = x^ >> f with m its top bit."""
    one, mine = np.uint64(1), ones_if(first)
    k, offset = np.uint64(w - 1 - f), one << np.uint64(w - 2)
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - w)
    for e in range(out.size):
        high = ((np.uint64(x_hat[e]) + offset) & mask) >> np.uint64(f)
        carried = (np.uint64(t[e]) << k << one) & ones_at(high, k)
        out[e] = ((high - (offset >> np.uint64(f))) & mine) - np.uint64(rho[e]) - carried


@kernel
def high_part(x, f, w, out):  # type: ignore[no-untyped-def]
    """out = (x mod 2^w) >> f, padded with zeros."""
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - w)
    for e in range(x.size):
        out[e] = (np.uint64(x[e]) & mask) >> np.uint64(f)
    for e in range(x.size, out.size):
        out[e] = np.uint64(0)


@kernel
def signs(x, offset, shift, constant, plane):  # type: ignore[no-untyped-def]
    """XOR bit `shift` of x - offset, and `constant`, into a plane (whole blocks)."""
    for word in range(plane.size):
        packed = np.uint64(0)
        for e in range(64):
            bit = ((x[word * 64 + e] - offset) >> np.uint64(shift)) ^ np.uint64(constant)
            packed |= (bit & np.uint64(1)) << np.uint64(e)
        plane[word] ^= packed


@compiled
def _relu_part(flip, mine, k, high, r_d, rho, rd_rho, t, rd_t):  # type: ignore[no-untyped-def]
    share = negated_where(high * r_d - rd_rho, flip) + (((high & mine) - rho) & flip)
    carried = negated_where(np.uint64(rd_t), flip) + (np.uint64(t) & flip)
    return share - ((carried << k << np.uint64(1)) & ones_at(high, k))


@kernel
def relu_parts(high, d_hat, r_d, rho, rd_rho, t, rd_t, bits, first, out):  # type: ignore[no-untyped-def]
    """The ReLU of the high part, selected by the opened bit d^.

    d^ = 0: H [r_d] - [r_d rho] - kappa [r_d t];  d^ = 1: H (1 - [r_d]) - ([rho] - [r_d rho]) - kappa ([t] - [r_d t]).

    high: H = x^ >> f with `bits` + 1 bits, m its top one; kappa = m 2^(bits+1).
    """
    k, mine = np.uint64(bits), ones_if(first)
    for at in range(out.size >> 6):
        word = d_hat[at]
        for bit in range(64):
            e = (at << 6) + bit
            out[e] = _relu_part(ones_at(word, bit), mine, k, high[e], r_d[e], rho[e], rd_rho[e], t[e], rd_t[e])
    for e in range(out.size & ~63, out.size):
        flip = ones_at(d_hat[e >> 6], e & 63)
        out[e] = _relu_part(flip, mine, k, high[e], r_d[e], rho[e], rd_rho[e], t[e], rd_t[e])


@compiled
def _relu(flip, mine, x, r_d, r, rd_r):  # type: ignore[no-untyped-def]
    return negated_where(x * r_d - rd_r, flip) + (((x & mine) - r) & flip)


@kernel
def relu_full(x_hat, d_hat, r_d, r, rd_r, first, out):  # type: ignore[no-untyped-def]
    """d x with d = d^ xor r_d:  d^ = 0: x^ [r_d] - [r_d r];  d^ = 1: x^ (1 - [r_d]) - ([r] - [r_d r])."""
    mine = ones_if(first)
    for at in range(out.size >> 6):
        word = d_hat[at]
        for bit in range(64):
            e = (at << 6) + bit
            out[e] = _relu(ones_at(word, bit), mine, x_hat[e], r_d[e], r[e], rd_r[e])
    for e in range(out.size & ~63, out.size):
        out[e] = _relu(ones_at(d_hat[e >> 6], e & 63), mine, x_hat[e], r_d[e], r[e], rd_r[e])


@compiled
def _selected(flip, y_hat, r_d, y, rd_ry):  # type: ignore[no-untyped-def]
    return negated_where(y_hat * r_d - rd_ry, flip) + (y & flip)


@kernel
def select(y_hat, d_hat, r_d, y, rd_ry, out):  # type: ignore[no-untyped-def]
    """d y with d = d^ xor r_d:  d^ = 0: y^ [r_d] - [r_d r_y];  d^ = 1: [y] minus that."""
    for at in range(out.size >> 6):
        word = d_hat[at]
        for bit in range(64):
            e = (at << 6) + bit
            out[e] = _selected(ones_at(word, bit), y_hat[e], r_d[e], y[e], rd_ry[e])
    for e in range(out.size & ~63, out.size):
        out[e] = _selected(ones_at(d_hat[e >> 6], e & 63), y_hat[e], r_d[e], y[e], rd_ry[e])


@compiled
def _bit(flip, mine, r_d):  # type: ignore[no-untyped-def]
    return negated_where(r_d, flip) - (flip & mine)


@kernel
def bit_words(d_hat, r_d, first, out):  # type: ignore[no-untyped-def]
    """[b] = d^ + (1 - 2 d^) [r_d]: the additive share of an opened-and-masked bit."""
    mine = ones_if(first)
    for at in range(out.size >> 6):
        word = d_hat[at]
        for bit in range(64):
            e = (at << 6) + bit
            out[e] = _bit(ones_at(word, bit), mine, r_d[e])
    for e in range(out.size & ~63, out.size):
        out[e] = _bit(ones_at(d_hat[e >> 6], e & 63), mine, r_d[e])


@kernel
def count_bits(d_hat, r_d, first, count):  # type: ignore[no-untyped-def]
    """The sum of `bit_words` over the first `count` values."""
    total, mine = np.uint64(0), ones_if(first)
    for e in range(count):
        total += _bit(ones_at(d_hat[e >> 6], e & 63), mine, r_d[e])
    return total


@kernel
def deal_parts(high, s, bits, r_d, rho, rd_rho, t, rd_t):  # type: ignore[no-untyped-def]
    """The dealer's parts of a ReLU's mask: high = r >> f, `bits` + 1 bits; r_d = s xor t; rho: `high` as a signed
    number, t: its top bit.

    Every output holds the sum of the uncorrected parties' words, from which the correction is made in its place. A loop
    for each: with more arrays in one the compiler finds no vector instructions.
    """
    k, one = np.uint64(bits), np.uint64(1)
    sign = one << k
    ds = np.empty(64, np.uint64)
    for at in range(r_d.size >> 6):
        word, start = s[at], at << 6
        for bit in range(64):
            ds[bit] = ((word >> np.uint64(bit)) ^ (high[start + bit] >> k)) & one
        for e in range(64):
            r_d[start + e] = ds[e] - r_d[start + e]
        for e in range(64):
            rho[start + e] = (high[start + e] ^ sign) - sign - rho[start + e]
        for e in range(64):
            rd_rho[start + e] = ((np.uint64(0) - ds[e]) & ((high[start + e] ^ sign) - sign)) - rd_rho[start + e]
        for e in range(64):
            t[start + e] = ((high[start + e] >> k) & one) - t[start + e]
        for e in range(64):
            rd_t[start + e] = ((high[start + e] >> k) & ds[e]) - rd_t[start + e]
    for e in range(r_d.size & ~63, r_d.size):
        top = (high[e] >> k) & one
        d = ((s[e >> 6] >> np.uint64(e & 63)) & one) ^ top
        r_d[e] = d - r_d[e]
        rho[e] = (high[e] ^ sign) - sign - rho[e]
        rd_rho[e] = d * ((high[e] ^ sign) - sign) - rd_rho[e]
        t[e] = top - t[e]
        rd_t[e] = (d & top) - rd_t[e]


@kernel
def deal_full(r, s, r_d, rd_r):  # type: ignore[no-untyped-def]
    """As `deal_parts` where r itself is shared: r_d = s xor msb(r), and r_d r."""
    for at in range(r_d.size >> 6):
        word = s[at]
        for bit in range(64):
            e = (at << 6) + bit
            d = ((word >> np.uint64(bit)) ^ (r[e] >> np.uint64(63))) & np.uint64(1)
            r_d[e] = d - r_d[e]
            rd_r[e] = ((np.uint64(0) - d) & r[e]) - rd_r[e]
    for e in range(r_d.size & ~63, r_d.size):
        d = ((s[e >> 6] >> np.uint64(e & 63)) ^ (r[e] >> np.uint64(63))) & np.uint64(1)
        r_d[e], rd_r[e] = d - r_d[e], d * r[e] - rd_r[e]


@kernel
def deal_truncation(r, f, w, rho, t):  # type: ignore[no-untyped-def]
    """rho = (r mod 2^w) >> f as a signed number, and t, its top bit; corrected in the place of others' words, as of
    `deal_parts`.
    """
    mask, k = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - w), np.uint64(w - 1 - f)
    sign = np.uint64(1) << k
    for e in range(rho.size):
        high = (np.uint64(r[e]) & mask) >> np.uint64(f)
        rho[e] = (high ^ sign) - sign - rho[e]
        t[e] = (high >> k) - t[e]
