"""Shuffle: rows in a random order that no n - 1 parties know, by a chain of masked permutations.

Party p knows a permutation pi_p and words c_p, both from its stream with the dealer; every party but the first has
words a_q. The rows travel masked from party to party, each of which permutes them and adds words of its own:

    u_0 = pi_0(x + sum of a_q) + c_0,    u_p = pi_p(u_(p-1)) + c_p,    the last adds none.

With pi = pi_(n-1) ... pi_0 the last one's u is pi(x) + M, where M, the masks permuted likewise, is known to the dealer
who deals shares of -M: the last party adds u to its own, everyone else's is its share of pi(x). (Permutation
correlations: Chase, Ghosh, Poburinnaya 2020; here the dealer knows all of pi, for it sees no row.)

n rounds; sent 2 (n - 1) times the rows in all, dealt one word for each word of a row.

*Functionality.* Draw pi uniformly, give fresh shares of pi(x); leaks nothing. *Security* against any n - 1 semi-honest
parties that do not collude with the dealer. Let h be honest. pi_h is uniform and independent of what the others hold,
so pi is uniform given all pi_p, p != h. What h sends is masked by words that nobody else has and that mask nothing
else: x_h + a_h to the first party (h > 0), u_h under c_h to the next one (h < n - 1). The dealt shares of -M are
uniform to anyone without all of them. So the coalition sees uniform words only, whatever x and pi are: the simulator
draws them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.cost import Cost
from icm_ray.ops.seams import Words
from icm_ray.ops.sorting import Shuffle
from icm_ray.ops.values import ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Coins, Context, Dealing, Exchange, Round, Share
from icm_ray.ring.array import RingArray
from icm_ray.ring.sort_kernels import SPARE_WORDS, draw

__all__ = ["SHUFFLE_TAGS", "Shuffles", "deal_shuffle", "permutation", "run_shuffle", "shuffle_cost"]

SHUFFLE_TAGS = 4
_A, _C, _PI, _M = 0, 1, 2, 3


def permutation(words: Words, count: int) -> NDArray[np.int32]:
    """The permutation of `count` rows that count + SPARE_WORDS words stand for."""
    order = np.empty(count, np.int32)
    draw(words, order)
    return order


@spends(Part.KERNELS)
def deal_shuffle(dealing: Dealing, tag: int, rows: int, columns: int) -> None:
    """Share -M, M = pi(a) and the masks added on the way, permuted by those who come after."""
    first, *others = dealing.parties
    masks = np.zeros((rows, columns), np.uint64)
    for name in others:
        masks += dealing.party_words(tag + _A, name, masks.size).reshape(masks.shape)
    for name in (first, *others):
        pi = permutation(dealing.party_words(tag + _PI, name, rows + SPARE_WORDS), rows)
        masks = masks.take(pi, axis=0)
        if name != dealing.parties[-1]:
            masks += dealing.party_words(tag + _C, name, masks.size).reshape(masks.shape)
    dealing.give(tag + _M, -masks.reshape(-1))


def run_shuffle(context: Context, tag: int, x: RingArray) -> Generator[Exchange, None, RingArray]:
    """This party's share of the rows x (rows, columns), shuffled."""
    corr, parties = context.correlations, context.parties
    rank, last = parties.index(context.me), len(parties) - 1
    pi = permutation(corr.words(tag + _PI, len(x) + SPARE_WORDS), len(x))
    masked = np.ascontiguousarray(x)
    if rank:
        with spends(Part.KERNELS):
            masked = masked + corr.words(tag + _A, x.size).reshape(x.shape)
        yield Exchange({parties[0]: (masked,)})
    else:
        parts = {name: (np.empty_like(masked),) for name in context.others}
        yield Exchange({}, dict(parts))
        with spends(Part.KERNELS):
            masked = masked.copy()
            for (part,) in parts.values():
                masked += part
    for hop in range(last):
        if hop == rank:
            with spends(Part.KERNELS):
                masked = masked.take(pi, axis=0) + corr.words(tag + _C, x.size).reshape(x.shape)
            yield Exchange({parties[hop + 1]: (masked,)})
        elif hop + 1 == rank:
            masked = np.empty_like(masked)
            yield Exchange({}, {parties[hop]: (masked,)})
        else:
            yield Exchange()
    share = corr.dealt(tag + _M, x.size).view(np.uint64).reshape(x.shape)
    with spends(Part.KERNELS):
        return share + masked.take(pi, axis=0) if rank == last else share


def shuffle_cost(parties: int, rows: int, columns: int) -> Cost:
    """What `run_shuffle` declares."""
    size, last = 8 * rows * columns, parties - 1
    return Cost(parties, tuple(size * ((rank > 0) + (rank < last)) for rank in range(parties)), size)


class Shuffles:
    """Shuffle. The reference takes the order from its coins ("order": which row comes where); in a run nobody knows."""

    def reference(
        self, op: Shuffle, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        return inputs[0].take(coins["order"], axis=0)

    def deal(self, op: Shuffle, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        deal_shuffle(dealing, 0, out.shape[0], out.count // out.shape[0])

    def run(
        self, op: Shuffle, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        share = yield from run_shuffle(context, 0, inputs[0].words.reshape(out.shape[0], -1))
        return Share(share.reshape(out.shape))

    def cost(self, op: Shuffle, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return shuffle_cost(len(parties), out.shape[0], out.count // out.shape[0])
