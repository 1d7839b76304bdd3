"""Comparison of a masked opening with its mask: [ low(r) > low(x^) ] as XOR shares.

With x^ = x + r and widths w:  msb(x) = msb(x^) xor msb(r) xor [ low(r) > low(x^) ]: a public number against a dealt
one. The dealer XOR-shares the one-hot word of every 4-bit chunk of r; each party looks up its shares of (equal,
greater) at the public chunk, without communication, and a 4-to-1 tree reduces them (ops/tree.py; multi-input AND:
ABY2.0, section 3).

Opened: the masked bits of the tree, uniform words. Secure against any n-1 semi-honest parties that do not collude
with the dealer.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.seams import Correlations, Words
from icm_ray.ops.tree import Level, TreeShape
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Context, Dealing, Exchange, open_xor
from icm_ray.ring import bits, epilogue
from icm_ray.ring.array import RingArray

__all__ = [
    "TREE_TAGS",
    "OneHot",
    "chunk_bytes",
    "compare",
    "deal_chunks",
    "deal_tree",
    "greater",
    "public_words",
    "take_chunks",
    "tree_bytes",
]

TREE_TAGS = 8
"""Tags that one tree takes: a mask and a product tag for each of up to four levels."""

OneHot = tuple[NDArray[np.uint16], NDArray[np.uint8]]


def chunk_bytes(shape: TreeShape, count: int) -> int:
    """Bytes of the one-hot words of `count` values."""
    return shape.one_hot_bytes * bits.blocks_of(count) * bits.BLOCK


def tree_bytes(shape: TreeShape, count: int, trees: int = 1) -> tuple[tuple[int, ...], int]:
    """Bytes opened by one party at each level of its trees, and bytes of products dealt."""
    size = bits.blocks_of(count) * bits.BLOCK // 8 * trees
    return tuple(size * level.opened for level in shape.levels), size * shape.products


@cache
def _nodes(level: Level) -> NDArray[np.int64]:
    return np.array(level.nodes)


@spends(Part.KERNELS)
def deal_chunks(dealing: Dealing, tag: int, r: RingArray, shape: TreeShape) -> None:
    """Share the one-hot words of the chunks of the low bits of r (already shifted, any length)."""
    low = bits.padded(r)
    wide = dealing.others_xor(tag, low.size * shape.wide_chunks, np.uint16).reshape(shape.wide_chunks, low.size)
    bits.deal_one_hot(low, wide)
    if shape.wide_chunks:
        dealing.send(tag, wide.reshape(-1))
    if rows := shape.narrow_chunks:
        narrow = dealing.others_xor(tag + 1, low.size * rows, np.uint8).reshape(rows, low.size)
        bits.narrow_one_hot(low, shape.starts[shape.wide_chunks], shape.top_bits, narrow)
        dealing.send(tag + 1, narrow.reshape(-1))


def public_words(x_hat: Words, width: int) -> RingArray:
    """What was opened in words of 64 bits, in whole blocks: itself where it is that. Bits beyond `width` are noise."""
    if x_hat.dtype == np.uint64 and x_hat.size % bits.BLOCK == 0:
        same: RingArray = x_hat.view(np.uint64)
        return same
    words = np.empty(bits.blocks_of(x_hat.size) * bits.BLOCK, np.uint64)
    epilogue.high_part(x_hat, 0, width, words)
    return words


def take_chunks(correlations: Correlations, tag: int, count: int, shape: TreeShape) -> OneHot:
    """This party's shares of the one-hot words."""
    size = bits.blocks_of(count) * bits.BLOCK
    wide = np.empty((0, size), np.uint16)
    if shape.wide_chunks:
        wide = correlations.dealt(tag, size * shape.wide_chunks, np.uint16).reshape(shape.wide_chunks, size)
    narrow = np.empty((0, size), np.uint8)
    if rows := shape.narrow_chunks:
        narrow = correlations.dealt(tag + 1, size * rows, np.uint8).reshape(rows, size)
    return wide, narrow


def deal_tree(dealing: Dealing, tag: int, count: int, shape: TreeShape, trees: int = 1) -> None:
    """Share the mask products of as many trees, one for each public number."""
    blocks = bits.blocks_of(count) * trees
    for depth, level in enumerate(shape.levels):
        masks = dealing.planes(tag + 2 * depth, blocks * level.opened * 8).reshape(blocks, level.opened, 8)
        products = dealing.others_xor(tag + 2 * depth + 1, blocks * level.products * 8)
        bits.deal_products(_nodes(level), masks, products.reshape(blocks, level.products, 8))
        dealing.send(tag + 2 * depth + 1, products)


def compare(
    context: Context,
    chunks_tag: int,
    tag: int,
    x: RingArray,
    shape: TreeShape,
    offsets: Sequence[int] = (0,),
    drop: int = 0,
) -> Generator[Exchange, None, RingArray]:
    """XOR shares of [ low(r) > low((x - offset) >> drop) ], a plane for each offset; x: whole blocks. A round a level.

    The public numbers share the chunk words; each has masks of its own in the tree.
    """
    blocks = x.size // bits.BLOCK
    total = blocks * len(offsets)
    p = np.empty((total, shape.chunks, 8), np.uint64)
    g = np.empty_like(p)
    words = take_chunks(context.correlations, chunks_tag, x.size, shape)
    for index, offset in enumerate(offsets):
        rows = slice(index * blocks, (index + 1) * blocks)
        bits.look_up(x, np.uint64(offset % 2**64), drop, *words, shape.top_bits, p[rows], g[rows])
    del words  # what the parties hold is bounded, and this is the larger part of it
    for depth, level in enumerate(shape.levels):
        nodes = _nodes(level)
        masks = context.correlations.words(tag + 2 * depth, total * level.opened * 8)
        masks = masks.reshape(total, level.opened, 8)
        with spends(Part.KERNELS):
            masked = masks.copy()
        bits.mask_level(p, g, nodes, masked)
        (hats,) = yield from open_xor(context, masked)
        del masked
        products = context.correlations.dealt(tag + 2 * depth + 1, total * level.products * 8)
        new_p = np.empty((total, nodes.size, 8), np.uint64)
        new_g = np.empty_like(new_p)
        bits.reduce_level(
            p, g, nodes, hats, masks, products.reshape(total, level.products, 8), context.first, new_p, new_g
        )
        p, g = new_p, new_g
    return g.reshape(len(offsets), -1)


def greater(r: RingArray, public: RingArray, nbits: int) -> RingArray:
    """The plaintext twin: [ low(r) > low(public) ] as words 0 or 1."""
    mask = np.uint64((1 << nbits) - 1)
    return ((r & mask) > (public & mask)).astype(np.uint64)
