"""What every protocol is given, and the four faces that it shows.

reference: the plaintext twin, bit exact.   deal: what the dealer makes.   run: what one party does.   cost: what is
declared.

`run` is a generator: it yields an `Exchange` for every round and is resumed when the round is over, so that the rounds
of independent operations travel together. `deal` walks the same tags in the same order and hears nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.cost import Cost
from icm_ray.ops.seams import Correlations, Words
from icm_ray.ops.values import ValueType
from icm_ray.profile import Part, spends
from icm_ray.ring.array import RingArray
from icm_ray.ring.narrow import add_narrow, bytes_of, narrowed
from icm_ray.ring.prg import Key

__all__ = [
    "Coins", "Context", "Dealing", "Exchange", "ProtocolKernel", "Round", "Share", "Threads",
    "alone", "mask", "open_low", "open_sum", "open_xor",
]  # fmt: skip

Coins = Mapping[str, NDArray[np.uint64]]
Op = TypeVar("Op", contravariant=True)
Threads = Callable[[], AbstractContextManager[int]]
"""Borrows threads for the block: how many it may keep at work, its own included. No `yield` inside."""


def alone() -> AbstractContextManager[int]:
    """`Threads` of a worker that has one."""
    return nullcontext(1)


class Share:
    """One party's share of a value: no truth, no number, no element, no content in its repr."""

    __slots__ = ("kind", "words")

    def __init__(self, words: RingArray, kind: str = "share") -> None:
        self.words = words
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.kind} of shape {self.words.shape}>"

    def _refuse(self, *_: Any) -> Any:
        raise TypeError("a share has no plain value; open it by a program's reveal")

    __bool__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __getitem__ = _refuse
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> str:
        raise TypeError("a share leaves its process over a channel only")


@dataclass(slots=True)
class Exchange:
    """One round of one operation: arrays to send to peers, arrays to fill from peers (by name)."""

    sends: dict[str, tuple[Words, ...]] = field(default_factory=dict)
    receives: dict[str, tuple[Words, ...]] = field(default_factory=dict)


Round = Generator[Exchange, None, Any]


@dataclass(slots=True)
class Context:
    """One party's view of one operation of one run.

    keys: for every other party or owner a key that dealer and driver do not know, for this address alone.
    inputs: the values that this party brings, by name. store: what it keeps between runs. results: what is revealed
    to it. observe: told of what is opened to all parties (tests need the public coins). place: where this result
    goes in a larger array, where it is known. threads: for operations that can use several.
    """

    me: str
    parties: tuple[str, ...]
    operation: int
    correlations: Correlations
    keys: Mapping[str, Key]
    inputs: Mapping[str, NDArray[Any]]
    store: MutableMapping[str, Any]
    results: MutableMapping[str, RingArray]
    observe: Callable[[int, str, RingArray], None] | None = None
    place: RingArray | None = None
    threads: Threads = alone

    def empty(self, count: int) -> RingArray:
        """Where a flat result of `count` words goes: its place in a larger one, where it has one there."""
        return self.place if self.place is not None and self.place.size == count else np.empty(count, np.uint64)

    @property
    def first(self) -> bool:
        """Whether this party adds the public constants."""
        return self.me == self.parties[0]

    @property
    def others(self) -> tuple[str, ...]:
        return _all_but(self.me, self.parties)

    def opened(self, what: str, value: RingArray) -> None:
        if self.observe is not None:
            self.observe(self.operation, what, value)


@cache
def _all_but(me: str, parties: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in parties if name != me)


class Dealing(Protocol):
    """The dealer's view of one operation: it knows every party's stream and corrects one party's share."""

    parties: tuple[str, ...]
    store: MutableMapping[str, Any]
    threads: Threads

    def words(self, tag: int, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        """The sum of all parties' words of `tag`: a mask."""

    def planes(self, tag: int, count: int) -> RingArray:
        """The XOR of all parties' words of `tag`: a mask of bits."""

    def party_words(self, tag: int, party: str, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        """One party's words of `tag`."""

    def give(self, tag: int, value: Words) -> None:
        """Share `value` additively."""

    def give_wide(self, tag: int, value: RingArray) -> None:
        """Share wide numbers (n, limbs) additively in Z_2^(64 limbs)."""

    def others_xor(self, tag: int, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        """A fresh array, the XOR of the uncorrected parties' words of `tag`: XOR the value into it, then `send`."""

    def others_sum(self, tag: int, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        """A fresh array, the sum of the uncorrected parties' words of `tag`: value minus it is what to `send`."""

    def others_narrow(self, tag: int, count: int, size: int, word: type[np.unsignedinteger] = np.uint64) -> Words:
        """As `others_sum`, of words that are dealt in `size` bytes; higher bits of the sum may be anything."""

    def send(self, tag: int, correction: Words) -> None:
        """Hand a finished correction to the corrected party."""


class ProtocolKernel(Protocol[Op]):
    """The four faces of a protocol; one object for each operation type."""

    def reference(
        self, op: Op, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray: ...

    def deal(self, op: Op, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None: ...

    def run(
        self, op: Op, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round: ...

    def cost(self, op: Op, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost: ...


@spends(Part.KERNELS)
def mask(x: Words, r: Words) -> Words:
    """x + r, flat, in the words of r: what is opened."""
    return x.reshape(-1).astype(r.dtype, copy=False) + r


def open_sum(context: Context, *mine: Words) -> Generator[Exchange, None, tuple[Words, ...]]:
    """Open additively shared (masked) arrays to every party, all in one round; returns the sums."""
    theirs = yield from _swap(context, mine)
    return _combined(np.add, mine, theirs)


def open_low(context: Context, width: int, *mine: Words) -> Generator[Exchange, None, tuple[Words, ...]]:
    """As `open_sum` of arrays that are this function's own, all of one word, of whose sums the low `width` bits are
    read: as many bytes of each word travel, and higher bits of the sums may be anything.
    """
    size = bytes_of(width)
    if mine[0].itemsize == size:
        return (yield from open_sum(context, *mine))
    with spends(Part.KERNELS):
        sums = tuple([words.reshape(-1) for words in mine])
        cut = tuple([narrowed(words, size).view(np.uint8) for words in sums])
    theirs = yield from _swap(context, cut)
    del cut
    with spends(Part.KERNELS):
        for parts in theirs:
            for total, part in zip(sums, parts, strict=True):
                add_narrow(total, part.view(np.uint8), size)
    return tuple([total.reshape(words.shape) for total, words in zip(sums, mine, strict=True)])


def open_xor(context: Context, *mine: Words) -> Generator[Exchange, None, tuple[Words, ...]]:
    """Open XOR-shared (masked) arrays to every party, all in one round; returns the XORs."""
    theirs = yield from _swap(context, mine)
    return _combined(np.bitwise_xor, mine, theirs)


def _swap(context: Context, mine: tuple[Words, ...]) -> Generator[Exchange, None, list[tuple[Words, ...]]]:
    theirs = {name: tuple([np.empty_like(words) for words in mine]) for name in context.others}
    yield Exchange(dict.fromkeys(theirs, mine), theirs)
    return list(theirs.values())


@spends(Part.KERNELS)
def _combined(combine: np.ufunc, mine: tuple[Words, ...], theirs: list[tuple[Words, ...]]) -> tuple[Words, ...]:
    for part in (mine, *theirs[1:]):
        for total, words in zip(theirs[0], part, strict=True):
            combine(total, words, out=total)
    return theirs[0]
