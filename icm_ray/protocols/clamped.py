"""Functions with a domain: what is computed of an opened value is kept inside, and replaced outside.

x^ = x + r is opened once, for the function and for comparisons with one or two edges on its upper part: with the low
bits left out, z = (x^ >> drop) - (r >> drop) is x / 2^drop rounded by the public coin (`protocols.epilogue`), and
    b_j = [z >= edge_j] = 1 xor msb(z^ - edge_j) xor msb(r) xor G_j           (`protocols.comparison`)
    inside = b_0, or b_0 xor b_1 where there are two.
The sum y is opened as y^ = y + r_y beside inside^ = inside xor r_0 and b_1^ = b_1 xor r_1 (r_0 = s_0, or s_0 xor msb(r)
for one edge; r_1 = s_1 xor msb(r)), and its division by 2^excess is selected by the bit, much as in a ReLU after a
division (`ring.select.keep_parts`). y may be anything where the bit is 0: it is multiplied by 0. Above the upper edge
follows a constant, and x by a selection of its own: b_1 x from x^ (`ring.select.keep_opened`).

Dealt: one-hot words and tree products; [r_0], [rho], [r_0 rho], [t], [r_0 t] of r_y; [r_1], and for x [r_1 rho_x],
[r_1 t_x]. Opened: x^, tree bits, y^, the masked bits: all uniform. Rounds: 2 and the levels of the tree. Without an
edge: x^, then y^ and a division alone, 2 rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from icm_ray.ops.cost import Cost
from icm_ray.ops.products import Epilogue
from icm_ray.ops.seams import Words
from icm_ray.ops.smooth import DomainEdges
from icm_ray.ops.tree import tree_shape
from icm_ray.profile import Part, spends
from icm_ray.protocols import comparison
from icm_ray.protocols.base import Coins, Context, Dealing, Exchange, Round, Share, mask, open_sum
from icm_ray.protocols.epilogue import deal_finish, finish_cost, finish_reference, run_finish, t_type, word_type
from icm_ray.ring import bits, epilogue, select
from icm_ray.ring.array import RingArray

__all__ = ["ClampedFunction", "signed_word"]

_R, _Y, _FINISH = 0, 2, 16
_S, _RD, _RHO, _RD_RHO, _T, _RD_T, _RD_ABOVE, _RD_X, _RD_TX, _CHUNKS, _TREE = (*range(64, 74), 80)


def signed_word(total: RingArray, word: int) -> RingArray:
    """Sums modulo 2^word as ring elements of their signed numbers."""
    return total.astype(np.uint32).view(np.int32).astype(np.int64).view(np.uint64) if word == 32 else total


def _add(total: Words, words: Words) -> None:
    np.add(total, words, out=total)


class ClampedFunction:
    """The frame around a function of x^: opens x^ before, divides (and selects) after.

    width: of the opening without edges; excess, word: the sum's fractional bits beyond the result's, and its word.
    """

    def __init__(self, edges: DomainEdges | None, width: int, excess: int, word: int) -> None:
        self.edges, self.excess, self.word = edges, excess, word
        self.dtype = word_type(width if edges is None else edges.width)
        self.sums = word_type(word)
        self._finish = Epilogue(shift=excess, width=word)
        self._below = word - excess - 1
        if edges is not None:
            self._shape = tree_shape(edges.width - edges.drop - 1)
            self._top = edges.width - edges.drop - 1

    @property
    def _x_bits(self) -> int:
        return 8 * np.dtype(self.dtype).itemsize - 1

    def reference(self, x: RingArray, total: RingArray, coins: Coins) -> RingArray:
        """The result, from the sum modulo 2^word."""
        inner = finish_reference(self._finish, signed_word(total, self.word), coins["x_hat_2"])
        if self.edges is None:
            return inner
        low = np.uint64((1 << self.edges.drop) - 1)
        z = (x.view(np.int64) >> self.edges.drop) + ((x & low) > (coins["x_hat"] & low))
        inside = z >= self.edges.low
        if self.edges.high is None:
            return np.where(inside, inner, np.uint64(0))
        above = np.uint64(self.edges.above % 2**64) + (x if self.edges.follows else np.uint64(0))
        return np.where(z >= self.edges.high, above, np.where(inside, inner, np.uint64(0)))

    def deal(self, dealing: Dealing, count: int) -> Words:
        """Everything but what the function itself needs; returns the mask of x^."""
        r, r_y = dealing.words(_R, count, self.dtype), dealing.words(_Y, count, self.sums)
        edges = self.edges
        if edges is None:
            deal_finish(dealing, _FINISH, r_y, self._finish, own_mask=True)
            return r
        trees = len(edges.edges)
        high = np.empty(bits.blocks_of(count) * bits.BLOCK, np.uint64)
        epilogue.high_part(r, edges.drop, edges.width, high)
        comparison.deal_chunks(dealing, _CHUNKS, high, self._shape)
        comparison.deal_tree(dealing, _TREE, count, self._shape, trees)
        s = dealing.planes(_S, trees * high.size // 64).reshape(trees, -1)
        top = np.zeros(high.size // 64, np.uint64)
        epilogue.signs(high, bits.ZERO, self._top, 0, top)
        r_d = np.empty((trees, count), np.uint64)
        bits.unpack(s[0] if trees == 2 else s[0] ^ top, r_d[0])  # b_0 xor b_1 is free of msb(r)
        y_high = np.empty(high.size, np.uint64)
        epilogue.high_part(r_y, self.excess, self.word, y_high)
        rho, rd_rho = np.empty(count, np.uint64), np.empty(count, np.uint64)
        t, rd_t = (np.empty(count, t_type(self._below)) for _ in range(2))
        select.deal_selection(y_high, r_d[0], self._below, rho, rd_rho, t, rd_t)
        given = [(_RD, r_d[0]), (_RHO, rho), (_RD_RHO, rd_rho), (_T, t), (_RD_T, rd_t)]
        if trees == 2:
            bits.unpack(s[1] ^ top, r_d[1])
            given.append((_RD_ABOVE, r_d[1]))
        if edges.follows:
            rd_x, rd_tx = np.empty(count, np.uint64), np.empty(count, t_type(self._x_bits))
            select.deal_product(r, r_d[1], self._x_bits, rd_x, rd_tx)
            given += [(_RD_X, rd_x), (_RD_TX, rd_tx)]
        for tag, value in given:
            dealing.give(tag, value)
        return r

    def run(self, context: Context, x: RingArray, function: Callable[[Words], Words]) -> Round:
        """This party's share of the result, flat; `function` gives its share of the sum from x^."""
        corr, count = context.correlations, x.size
        (x_hat,) = yield from open_sum(context, mask(x, corr.words(_R, count, self.dtype)))
        context.opened("x_hat", x_hat)
        r_y = corr.words(_Y, count, self.sums)
        edges = self.edges
        if edges is None:
            (y_hat,) = yield from open_sum(context, mask(function(x_hat), r_y))
            context.opened("x_hat_2", y_hat)
            inner = yield from run_finish(context, _FINISH, y_hat, self._finish, r_y)
            return Share(inner)
        public = comparison.public_words(x_hat, edges.width)
        cuts = [edge << edges.drop for edge in edges.edges]
        planes = yield from comparison.compare(context, _CHUNKS, _TREE, public, self._shape, cuts, edges.drop)
        if context.first:
            for plane, edge in zip(planes, cuts, strict=True):
                epilogue.signs(public, np.uint64(edge % 2**64), edges.width - 1, 1, plane)
        with spends(Part.KERNELS):
            if len(cuts) == 2:
                planes[0] ^= planes[1]
            planes ^= corr.words(_S, planes.size).reshape(planes.shape)
        masked = mask(function(x_hat), r_y)
        d_hat, y_hat = yield from _open_both(context, planes, masked)
        context.opened("x_hat_2", y_hat)
        return Share(self._selected(context, x, x_hat, y_hat, d_hat))

    def _selected(self, context: Context, x: RingArray, x_hat: Words, y_hat: Words, d_hat: RingArray) -> RingArray:
        dealt, count, edges = context.correlations.dealt, x.size, self.edges
        out = context.empty(count)
        r_d, rho, rd_rho = (dealt(tag, count) for tag in (_RD, _RHO, _RD_RHO))
        t, rd_t = (dealt(tag, count, t_type(self._below)) for tag in (_T, _RD_T))
        first = context.first
        select.keep_parts(y_hat, d_hat[0], r_d, rho, rd_rho, t, rd_t, self.excess, self.word, first, out)
        if edges is None or edges.high is None:
            return out
        r_above = dealt(_RD_ABOVE, count)
        if edges.above:
            bit = np.empty(count, np.uint64)
            epilogue.bit_words(d_hat[1], r_above, first, bit)
            with spends(Part.KERNELS):
                bit *= np.uint64(edges.above % 2**64)
                out += bit
        if edges.follows:
            rd_x, rd_tx = dealt(_RD_X, count), dealt(_RD_TX, count, t_type(self._x_bits))
            select.keep_opened(x, x_hat, d_hat[1], r_above, rd_x, rd_tx, self._x_bits, out)
        return out

    def cost(self, count: int, parties: int, dealt: int) -> Cost:
        """The whole, with `dealt` bytes for the function itself."""
        opening = Cost.opening(parties, np.dtype(self.dtype).itemsize * count, dealt)
        second = Cost.opening(parties, self.word // 8 * count)
        edges = self.edges
        if edges is None:
            return opening.then(second).then(finish_cost(self._finish, count, parties, own_mask=True))
        trees = len(edges.edges)
        levels, products = comparison.tree_bytes(self._shape, count, trees)
        opened = sum(levels) + bits.blocks_of(count) * bits.BLOCK // 8 * trees
        each = 24 + 2 * np.dtype(t_type(self._below)).itemsize + 8 * (trees - 1)
        if edges.follows:
            each += 8 + np.dtype(t_type(self._x_bits)).itemsize
        words = comparison.chunk_bytes(self._shape, count) + products + count * each
        return opening.then(second).then(Cost.opening(parties, opened, words, rounds=len(levels)))


def _open_both(context: Context, bits_: RingArray, words: Words) -> Round:
    """Open XOR-shared planes and an additively shared array in one round."""
    mine: Sequence[Words] = (bits_, words)
    theirs = {name: tuple(np.empty_like(part) for part in mine) for name in context.others}
    yield Exchange(dict.fromkeys(context.others, tuple(mine)), dict(theirs))
    with spends(Part.KERNELS):
        planes, total = bits_.copy(), words.copy()
        for part, number in theirs.values():
            np.bitwise_xor(planes, part, out=planes)
            _add(total, number)
    return planes, total
