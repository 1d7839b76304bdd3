"""Compile every kernel once and fill Numba's cache: `python -m icm_ray.ring.warm`."""

from __future__ import annotations

import numpy as np

from icm_ray.ring import bits, finish, order

__all__ = ["warm"]


def warm() -> None:
    """Call every kernel with the word types that protocols use."""
    n = bits.BLOCK
    r, plane = np.zeros(n, np.uint64), np.zeros(n // 64, np.uint64)
    nodes = np.array((4, 3))
    wide, top = np.zeros((2, n), np.uint16), np.zeros(n, np.uint8)
    p, g = (np.zeros((1, 7, 8), np.uint64) for _ in range(2))
    bits.look_up(r, wide, top, 3, 3, p[:, :3].copy(), g[:, :3].copy())
    bits.deal_one_hot(r, 0, wide[0])
    bits.top_chunk_one_hot(r, 0, 3, top)
    masks, dealt = np.zeros((1, 11, 8), np.uint64), np.zeros((1, 40, 8), np.uint64)
    bits.mask_level(p, g, nodes, masks)
    out = np.zeros((1, 2, 8), np.uint64)
    for first in (True, False):
        bits.reduce_level(p, g, nodes, masks, masks, dealt, first, out, out.copy())
    bits.deal_products(nodes, masks, dealt)
    bits.unpack(plane, r)
    finish.signs(r, 0, 1, plane)
    words = (np.uint8, np.uint16, np.uint32, np.uint64)
    for dtype in words:
        finish.high_part(r.astype(dtype), 0, 8, r)
        finish.deal_parts(r, plane, 7, r, r.copy(), r.copy(), np.zeros(n, dtype), np.zeros(n, dtype))
        for first in (True, False):
            finish.relu_parts(r, plane, r, r, r, np.zeros(n, dtype), np.zeros(n, dtype), 7, first, r.copy())
            for opened in words:
                finish.truncated(np.zeros(n, opened), r, np.zeros(n, dtype), 3, 8, first, r.copy())
    for first in (True, False):
        finish.relu_full(r, plane, r, r, r, first, r.copy())
        finish.bit_words(plane, r, first, r.copy())
        finish.count_bits(plane, r, first, n)
    finish.select(r, plane, r, r, r, r.copy())
    _warm_order(words)


def _warm_order(words: tuple[type[np.unsignedinteger], ...]) -> None:
    positions, none, plane = np.zeros(1, np.int32), np.zeros(0, np.int32), np.zeros(1, np.uint64)
    order.draw(np.zeros(2, np.uint64), positions.copy())
    for dtype in words:
        order.add_differences(plane, positions, positions, np.zeros(1, dtype))
    order.search_pairs(0, positions, positions, 1, 0, positions.copy(), positions.copy())
    order.descend(positions.copy(), plane, 1)
    starts = np.zeros(2, np.int32)
    order.gaps_of(0, positions, starts, positions.copy())
    order.gap_pairs(starts, positions, none, none)
    order.merge(starts, positions, plane, none, positions.copy())


if __name__ == "__main__":
    warm()
