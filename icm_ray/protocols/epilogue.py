"""What follows a masked opening x^ = x + r (mod 2^w): division by 2^f, ReLU, or both in one.

Division (truncation). On x + 2^(w-2), with H = x^ >> f, m = msb(x^), rho = r >> f as a signed number, t = msb(r):
    x >> f = H - rho - m t 2^(w-f) - 2^(w-2-f)
Dealt: [rho], [t]. Ideal functionality (ePrint 2024/1127 on why it matters): draw u in [0, 2^f) uniformly, publish u,
return floor((x + 2^f - 1 - u) / 2^f). Here u = x^ mod 2^f, uniform because r is; it never fails, for any number of
parties.

ReLU, division fused: z = (x^ >> f) - (r >> f) mod 2^(w-f) is the truncated value, and its sign is
    msb(x^ >> f) xor msb(r >> f) xor [ low(r >> f) > low(x^ >> f) ],
so only w-f-1 bits are compared. The bit is opened as d^ = [z >= 0] xor r_d, and the product with z is linear in what is
dealt: [r_d], [rho], [r_d rho], [t], [r_d t]  (`ring.epilogue.relu_parts`). Functionality: the division's, then
max(., 0).

Opened: masked bits, uniform whatever x is. Secure against any n-1 semi-honest parties that do not collude with the
dealer.
"""

from __future__ import annotations

import numpy as np

from icm_ray.ops.cost import Cost
from icm_ray.ops.products import Epilogue
from icm_ray.ops.seams import SECOND, Words
from icm_ray.ops.tree import TreeShape, tree_of
from icm_ray.ops.values import FULL_WIDTH, container
from icm_ray.profile import Part, spends
from icm_ray.protocols import comparison
from icm_ray.protocols.base import Context, Dealing, Round, open_xor
from icm_ray.ring import bits, epilogue
from icm_ray.ring.array import RingArray
from icm_ray.ring.narrow import bytes_of, narrowed, widened, word_of

__all__ = ["FINISH_TAGS", "deal_finish", "finish_cost", "finish_reference", "run_finish", "t_type", "word_type"]


FINISH_TAGS = 32
_RHO, _T, _RD_T, _S, _CHUNKS, _TREE = 0, 1, 4, 5, 6, 8
_RD, _RELU_RHO, _RD_RHO = (SECOND + tag for tag in range(3))
"""A ReLU's large words come over one line, what compares over another: about as much."""


def word_type(width: int) -> type[np.unsignedinteger]:
    """The word in which a value of `width` bits is opened."""
    sizes: dict[int, type[np.unsignedinteger]] = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
    return sizes[container(width)]


def t_type(bits_below: int) -> type[np.unsignedinteger]:
    """t is used as t 2^bits_below: the low bits that matter."""
    return word_type(max(FULL_WIDTH - bits_below, 1))


def _sizes(op: Epilogue) -> tuple[int, int]:
    """Bytes in which parts of the mask are dealt: as many as are read, and of t, which is used as t 2^(w-f)."""
    return bytes_of(op.reads), bytes_of(op.reads - op.width + op.shift)


def _full(op: Epilogue, own_mask: bool) -> bool:
    """Whether r itself is shared: then its product with r_d replaces the parts of r."""
    return own_mask and op.shift == 0 and op.width == FULL_WIDTH


def _tree(op: Epilogue, count: int) -> TreeShape:
    return tree_of(op.width - op.shift - 1, count)


def _high(x: Words, f: int, w: int) -> RingArray:
    """(x mod 2^w) >> f in whole blocks of words: x itself where it is that."""
    if not f and w == FULL_WIDTH:
        return comparison.public_words(x, w)
    high = np.empty(bits.blocks_of(x.size) * bits.BLOCK, np.uint64)
    epilogue.high_part(x, f, w, high)
    return high


def deal_finish(dealing: Dealing, tag: int, r: Words, op: Epilogue, own_mask: bool) -> None:
    """Deal for a value opened under r (any word type, flat). own_mask: the parties hold shares of r themselves."""
    f, w, count = op.shift, op.width, r.size
    size, carried = _sizes(op)
    if not op.relu:
        if f == 0:
            return
        parts = dealing.others_narrow(tag + _RHO, count, size)
        top = dealing.others_narrow(tag + _T, count, carried, word_of(carried))
        epilogue.deal_truncation(r, f, w, parts, top)
        dealing.send(tag + _RHO, narrowed(parts, size))
        dealing.send(tag + _T, narrowed(top, carried))
        return
    nbits, shape = w - f - 1, _tree(op, count)
    high = _high(r, f, w)
    comparison.deal_chunks(dealing, tag + _CHUNKS, high, shape)
    comparison.deal_tree(dealing, tag + _TREE, count, shape)
    s = dealing.planes(tag + _S, high.size // 64)
    if _full(op, own_mask):
        r_d, rd_rho = (dealing.others_sum(tag + which, count) for which in (_RD, _RD_RHO))
        epilogue.deal_full(high, s, r_d, rd_rho)
        dealing.send(tag + _RD, r_d)
        dealing.send(tag + _RD_RHO, rd_rho)
        return
    r_d, rho, rd_rho = (dealing.others_narrow(tag + which, count, size) for which in (_RD, _RELU_RHO, _RD_RHO))
    t, rd_t = (dealing.others_narrow(tag + which, count, carried, word_of(carried)) for which in (_T, _RD_T))
    epilogue.deal_parts(high, s, nbits, r_d, rho, rd_rho, t, rd_t)
    for which, words in ((_RD, r_d), (_RELU_RHO, rho), (_RD_RHO, rd_rho)):
        dealing.send(tag + which, narrowed(words, size))
    for which, words in ((_T, t), (_RD_T, rd_t)):
        dealing.send(tag + which, narrowed(words, carried))


def run_finish(context: Context, tag: int, x_hat: Words, op: Epilogue, own_mask: Words | None) -> Round:
    """This party's share of the finished value, flat. own_mask: its share of r where it has one."""
    dealt, f, w, count = context.correlations.dealt, op.shift, op.width, x_hat.size
    out = context.empty(count)
    size, carried = _sizes(op)

    def words(which: int, size: int, word: type[np.unsignedinteger] = np.uint64) -> Words:
        return widened(dealt(tag + which, count * size, np.uint8).view(np.uint8), size, word)

    if not op.relu:
        rho, t = words(_RHO, size), words(_T, carried, word_of(carried))
        epilogue.truncated(x_hat, rho, t, f, w, context.first, out)
        return out
    nbits, shape = w - f - 1, _tree(op, count)
    high = _high(x_hat, f, w)
    (plane,) = yield from comparison.compare(context, tag + _CHUNKS, tag + _TREE, high, shape)
    # d^ = [z >= 0] xor r_d with r_d = s xor t, so that t cancels: G xor s xor m xor 1
    with spends(Part.KERNELS):
        plane ^= context.correlations.words(tag + _S, plane.size)
    if context.first:
        epilogue.signs(high, bits.ZERO, nbits, 1, plane)
    (d_hat,) = yield from open_xor(context, plane)
    if _full(op, own_mask is not None):
        r_d = dealt(tag + _RD, count)
        epilogue.relu_full(x_hat, d_hat, r_d, own_mask, dealt(tag + _RD_RHO, count), context.first, out)
        return out
    r_d, rho, rd_rho = (words(which, size) for which in (_RD, _RELU_RHO, _RD_RHO))
    t, rd_t = (words(which, carried, word_of(carried)) for which in (_T, _RD_T))
    epilogue.relu_parts(high, d_hat, r_d, rho, rd_rho, t, rd_t, nbits, context.first, out)
    return out


def finish_cost(op: Epilogue, count: int, parties: int, own_mask: bool) -> Cost:
    """What `run_finish` declares, after the opening of x^."""
    if not op.relu:
        dealt = count * sum(_sizes(op)) if op.shift else 0
        return Cost(0, (0,) * parties, dealt)
    shape, (size, carry) = _tree(op, count), _sizes(op)
    levels, products = comparison.tree_bytes(shape, count)
    full = _full(op, own_mask)
    second = count * (16 if full else 3 * size)
    carried = 0 if full else 2 * count * carry
    dealt = comparison.chunk_bytes(shape, count) + products + carried + second
    opened = sum(levels) + bits.blocks_of(count) * bits.BLOCK // 8
    return Cost.opening(parties, opened, dealt, len(levels) + 1, second)


def finish_reference(op: Epilogue, x: RingArray, x_hat: RingArray | None) -> RingArray:
    """The functionality on ring elements; `x_hat` gives the public coin u = x^ mod 2^f."""
    z = x.view(np.int64)
    if op.shift:
        if x_hat is None:
            raise ValueError("a division needs the public coins of the run")
        mask = np.uint64((1 << op.shift) - 1)
        z = (z >> op.shift) + ((x & mask) > (x_hat.reshape(x.shape) & mask))
    if op.relu:
        z = np.maximum(z, 0)
    return z.astype(np.int64).view(np.uint64)
