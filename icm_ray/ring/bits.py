"""Bit-sliced kernels of comparison: XOR shares of bits, 512 values at a time.

A *plane* holds one bit of every value: value e of a block of 512 is bit e % 64 of word e // 64, so that a block is
eight words and one vector instruction works on all of its values. Arrays of planes have shape (blocks, planes, 8).
Numbers and one-hot words are padded to whole blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from icm_ray.ring.branchless import ones_if
from icm_ray.ring.kernel import compiled, kernel
from icm_ray.ring.lookup import look_up_narrow, look_up_wide

__all__ = [
    "BLOCK",
    "ZERO",
    "blocks_of",
    "deal_one_hot",
    "deal_products",
    "look_up",
    "mask_level",
    "narrow_one_hot",
    "padded",
    "reduce_level",
    "unpack",
]

BLOCK = 512
_LANES = 8
U64 = NDArray[np.uint64]
ZERO = np.uint64(0)
_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


def blocks_of(count: int) -> int:
    """Blocks that hold `count` values."""
    return -(-count // BLOCK)


def padded(x: U64) -> U64:
    """A flat copy of `x` (or itself) with zeros up to a whole number of blocks."""
    flat = x.reshape(-1)
    size = blocks_of(flat.size) * BLOCK
    if size == flat.size:
        return flat
    out = np.zeros(size, np.uint64)
    out[: flat.size] = flat
    return out


@kernel
def look_up(x, offset, drop, wide, narrow, top_bits, p, g):  # type: ignore[no-untyped-def]
    """Shares of [r_j == c_j] and [r_j > c_j] for every chunk c_j of the public numbers: no communication.

    The public numbers are (x - offset) >> drop, x: (n,) uint64; wide: (wide chunks, n) uint16 shares of one-hot words;
    narrow: (narrow chunks, n) uint8, of three bits each above those, the last one of `top_bits`; p, g: planes out,
    contiguous (`ring.lookup` goes by addresses).
    """
    halves = np.empty((5, 64), np.uint16)
    hot, low, planes, above = wide.ctypes.data, narrow.ctypes.data, p.ctypes.data, g.ctypes.data
    row, chunks = x.size, wide.shape[0] + narrow.shape[0]
    upper = np.uint64(4 * wide.shape[0] if narrow.shape[0] else 0)
    for block in range(p.shape[0]):
        for lane in range(8):
            start = block * 512 + lane * 64
            for e in range(64):
                public = (x[start + e] - offset) >> np.uint64(drop)
                for quarter in range(4):
                    halves[quarter, e] = np.uint16(public >> np.uint64(16 * quarter))
                halves[4, e] = np.uint16(public >> upper)
            at = ((block * p.shape[1]) * 8 + lane) * 8
            for j in range(chunks):
                if j < wide.shape[0]:
                    chunk = halves.ctypes.data + 128 * (j >> 2)
                    look_up_wide(hot + 2 * (row * j + start), chunk, 4 * (j & 3), planes + at, above + at)
                else:
                    chunk, i = halves.ctypes.data + 512, j - wide.shape[0]
                    mask = (1 << top_bits) - 1 if j == chunks - 1 else 7
                    look_up_narrow(low + row * i + start, chunk, 3 * i, planes + at, above + at, mask)
                at += 64


@kernel
def deal_one_hot(r, out):  # type: ignore[no-untyped-def]
    """XOR 2^(bits 4 j to 4 j + 3 of r) into out (chunks, n) uint16; whole blocks, whose numbers stay in the cache."""
    for block in range(r.size // 512):
        for j in range(out.shape[0]):
            for at in range(512):
                e = block * 512 + at
                out[j, e] ^= np.uint16(1) << np.uint16((r[e] >> np.uint64(4 * j)) & np.uint64(15))


@kernel
def narrow_one_hot(r, shift, top_bits, out):  # type: ignore[no-untyped-def]
    """XOR 2^(three bits of r, from `shift` on) into out (chunks, n) uint8; the last chunk has `top_bits` of them."""
    for i in range(out.shape[0]):
        mask, at = np.uint64((1 << top_bits) - 1 if i == out.shape[0] - 1 else 7), np.uint64(shift + 3 * i)
        for e in range(out.shape[1]):
            out[i, e] ^= np.uint8(1) << np.uint8((r[e] >> at) & mask)


@kernel
def mask_level(p, g, nodes, masked):  # type: ignore[no-untyped-def]
    """XOR what a level opens into `masked`, which holds this party's mask shares: for each node p_1.., g_0.., p_0."""
    for block in range(p.shape[0]):
        first = 0
        out = 0
        for index in range(nodes.size):
            m = nodes[index]
            if m > 1:
                for i in range(1, m):
                    for lane in range(8):
                        masked[block, out, lane] ^= p[block, first + i, lane]
                    out += 1
                for j in range(m - 1):
                    for lane in range(8):
                        masked[block, out, lane] ^= g[block, first + j, lane]
                    out += 1
                if index > 0:
                    for lane in range(8):
                        masked[block, out, lane] ^= p[block, first, lane]
                    out += 1
            first += m


@compiled
def _fold(table, hats, low, k, scratch):  # type: ignore[no-untyped-def]
    """Multiply out prod (hat_i ^ a_i), i = low..k-1, given shares of every product of the a_i in `table`, by subset."""
    size = 1 << (k - low)
    for s in range(size):
        for lane in range(8):
            scratch[s, lane] = table[s, lane]
    for i in range(k - 1, low - 1, -1):  # the variable of the highest subset bit first
        half = 1 << (i - low)
        for s in range(half):
            for lane in range(8):
                scratch[s, lane] = (hats[i, lane] & scratch[s, lane]) ^ scratch[s + half, lane]


@compiled
def _pair(h, q, t, x, ta, xa):  # type: ignore[no-untyped-def]
    """Shares of (q ^ b)(h ^ a) c, with q and h opened, from shares of c (t), b c (x), a c (ta) and b a c (xa)."""
    return (h & ((q & t) ^ x)) ^ (q & ta) ^ xa


@compiled
def _product_of_four(q, b, h0, h1, h2, t, dealt, block, at, lane):  # type: ignore[no-untyped-def]
    """Shares of (q ^ b)(h0 ^ a0)(h1 ^ a1)(h2 ^ a2).

    t: shares of the products of the a_i, by subset; of those times b, b itself, and the others in `dealt` from `at` on.
    """
    part = _pair(h2, q, t[0], b, t[4], dealt[block, at + 3, lane])
    part0 = _pair(h2, q, t[1], dealt[block, at, lane], t[5], dealt[block, at + 4, lane])
    part1 = _pair(h2, q, t[2], dealt[block, at + 1, lane], t[6], dealt[block, at + 5, lane])
    part01 = _pair(h2, q, t[3], dealt[block, at + 2, lane], t[7], dealt[block, at + 6, lane])
    return (h0 & ((h1 & part) ^ part1)) ^ (h1 & part0) ^ part01


@compiled
def _reduce_four(g, hats, masks, dealt, one, wanted, block, index, first, at, deal, new_p, new_g):  # type: ignore[no-untyped-def]
    """`reduce_level` at a node of four pairs, which most are, with all but its inputs and outputs in registers."""
    for lane in range(8):
        h0, h1, h2 = hats[block, at, lane], hats[block, at + 1, lane], hats[block, at + 2, lane]
        a0, a1, a2 = masks[block, at, lane], masks[block, at + 1, lane], masks[block, at + 2, lane]
        a01, a02 = dealt[block, deal, lane], dealt[block, deal + 1, lane]
        a12, a012 = dealt[block, deal + 2, lane], dealt[block, deal + 3, lane]
        t = (one, a0, a1, a01, a2, a02, a12, a012)
        q, b = hats[block, at + 3, lane], masks[block, at + 3, lane]  # p3 p2 p1 g0
        total = _product_of_four(q, b, h0, h1, h2, t, dealt, block, deal + 4, lane)
        q, b = hats[block, at + 4, lane], masks[block, at + 4, lane]  # p3 p2 g1
        total ^= h1 & _pair(h2, q, one, b, a2, dealt[block, deal + 12, lane])
        total ^= _pair(h2, q, a1, dealt[block, deal + 11, lane], a12, dealt[block, deal + 13, lane])
        q, b = hats[block, at + 5, lane], masks[block, at + 5, lane]  # p3 g2
        total ^= _pair(h2, q, one, b, a2, dealt[block, deal + 14, lane])
        new_g[block, index, lane] = total ^ g[block, first + 3, lane]
        total = np.uint64(0)
        if wanted:
            q, b = hats[block, at + 6, lane], masks[block, at + 6, lane]  # p3 p2 p1 p0
            total = _product_of_four(q, b, h0, h1, h2, t, dealt, block, deal + 15, lane)
        new_p[block, index, lane] = total


@kernel
def reduce_level(p, g, nodes, hats, masks, dealt, first_party, new_p, new_g):  # type: ignore[no-untyped-def]
    """Shares of the P and G of every node, from what was opened (`hats`), own mask shares and dealt products.

    A product of opened-and-masked bits is multilinear: prod (h_i ^ a_i) = XOR over subsets S of h_(not S) [a_S].
    """
    one = np.full(8, ones_if(first_party))
    subsets = 1 << (nodes.max() - 1)
    table = np.empty((subsets, 8), np.uint64)
    part = np.empty((subsets, 8), np.uint64)
    scratch = np.empty((subsets, 8), np.uint64)
    hat = np.empty((nodes.max(), 8), np.uint64)
    for block in range(p.shape[0]):
        first = 0
        at = 0
        deal = 0
        for index in range(nodes.size):
            m = nodes[index]
            if m == 1:
                for lane in range(8):
                    new_p[block, index, lane] = p[block, first, lane]
                    new_g[block, index, lane] = g[block, first, lane]
                first += 1
                continue
            if m == 4:
                wanted = index > 0
                _reduce_four(g, hats, masks, dealt, one[0], wanted, block, index, first, at, deal, new_p, new_g)
                first += 4
                at += 7 if wanted else 6
                deal += 22 if wanted else 15
                continue
            k = m - 1
            # table[S]: share of the product of the masks of p_(i+1), i in S
            for lane in range(8):
                table[0, lane] = one[lane]
            for i in range(k):
                for lane in range(8):
                    table[1 << i, lane] = masks[block, at + i, lane]
                    hat[i, lane] = hats[block, at + i, lane]
            for s in range(3, 1 << k):
                if s & (s - 1):
                    for lane in range(8):
                        table[s, lane] = dealt[block, deal, lane]
                    deal += 1
            for lane in range(8):
                new_g[block, index, lane] = g[block, first + m - 1, lane]
            for j in range(k):  # p_(m-1) .. p_(j+1) g_j
                size = 1 << (k - j)
                for s in range(size):
                    for lane in range(8):
                        part[s, lane] = hats[block, at + k + j, lane] & table[s << j, lane]
                    if s == 0:
                        for lane in range(8):
                            part[0, lane] ^= masks[block, at + k + j, lane]
                    else:
                        for lane in range(8):
                            part[s, lane] ^= dealt[block, deal, lane]
                        deal += 1
                _fold(part, hat, j, k, scratch)
                for lane in range(8):
                    new_g[block, index, lane] ^= scratch[0, lane]
            at += 2 * k
            if index > 0:
                for s in range(1 << k):
                    for lane in range(8):
                        part[s, lane] = hats[block, at, lane] & table[s, lane]
                    if s == 0:
                        for lane in range(8):
                            part[0, lane] ^= masks[block, at, lane]
                    else:
                        for lane in range(8):
                            part[s, lane] ^= dealt[block, deal, lane]
                        deal += 1
                _fold(part, hat, 0, k, scratch)
                for lane in range(8):
                    new_p[block, index, lane] = scratch[0, lane]
                at += 1
            else:
                for lane in range(8):
                    new_p[block, index, lane] = np.uint64(0)
            first += m


@kernel
def deal_products(nodes, masks, out):  # type: ignore[no-untyped-def]
    """XOR the products of masks that `reduce_level` needs into `out`, in its order; `masks` are the true masks."""
    table = np.empty((1 << (nodes.max() - 1), 8), np.uint64)
    for block in range(out.shape[0]):
        at = 0
        deal = 0
        for index in range(nodes.size):
            m = nodes[index]
            if m == 1:
                continue
            k = m - 1
            for lane in range(8):
                table[0, lane] = np.uint64(0xFFFFFFFFFFFFFFFF)
            for s in range(1, 1 << k):
                low = s & (-s)
                i = 0
                while (1 << i) < low:
                    i += 1
                for lane in range(8):
                    table[s, lane] = table[s ^ low, lane] & masks[block, at + i, lane]
                if s & (s - 1):
                    for lane in range(8):
                        out[block, deal, lane] ^= table[s, lane]
                    deal += 1
            for j in range(k):
                for s in range(1, 1 << (k - j)):
                    for lane in range(8):
                        out[block, deal, lane] ^= table[s << j, lane] & masks[block, at + k + j, lane]
                    deal += 1
            at += 2 * k
            if index > 0:
                for s in range(1, 1 << k):
                    for lane in range(8):
                        out[block, deal, lane] ^= table[s, lane] & masks[block, at, lane]
                    deal += 1
                at += 1


@kernel
def unpack(plane, out):  # type: ignore[no-untyped-def]
    """The bits of one plane as words 0 or 1: out (n,) uint64, n up to 64 times the plane's words."""
    for e in range(out.size):
        out[e] = (plane[e // 64] >> np.uint64(e % 64)) & np.uint64(1)
