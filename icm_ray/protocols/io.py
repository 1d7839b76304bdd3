"""Where values enter and leave: input by an owner, keeping, revealing.

Input. The owner and every party share a key that dealer and driver do not know; a party's share is its words, and the
owner's party (or, for an owner that is no party, one party in turn, which gets it over its link) holds x minus them.
Any n-1 parties other than the owner see uniform words only.

Reveal. Every party adds a share of zero from pairwise keys, and sends the sum to the recipient alone: the recipient
sees the value and shares that are uniform but for their sum, whatever the party's shares were before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from icm_ray.errors import BoundError, ProgramError, ShapeError
from icm_ray.names import DRIVER
from icm_ray.ops import linear as ops
from icm_ray.ops.cost import Cost
from icm_ray.ops.values import Kind, ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Coins, Context, Dealing, Exchange, Round, Share
from icm_ray.ring import limbs
from icm_ray.ring.array import RingArray
from icm_ray.ring.prg import Key
from icm_ray.ring.wide import to_signed

__all__ = ["Inputs", "Keeping", "Loading", "Reveals", "array_shape", "owner_share", "receiver_of", "reconstruct"]


def array_shape(kind: ValueType) -> tuple[int, ...]:
    """The shape of the words of a value: wide numbers have their limbs on a last axis."""
    return (*kind.shape, kind.limbs) if kind.kind is Kind.WIDE else kind.shape


@spends(Part.KERNELS)
def reconstruct(kind: ValueType, x: RingArray, y: RingArray, sign: int = 1) -> RingArray:
    """x + y or x - y in the value's ring."""
    if kind.kind is Kind.WIDE:
        rows, others = (np.ascontiguousarray(part.reshape(-1, kind.limbs)) for part in (x, y))
        found = np.empty_like(rows)
        (limbs.add if sign > 0 else limbs.subtract)(rows, others, found)
        return found.reshape(x.shape)
    return x + y if sign > 0 else x - y


def _words(key: Key, operation: int, tag: int, kind: ValueType) -> RingArray:
    shape = array_shape(kind)
    return key.words(operation, tag, int(np.prod(shape, dtype=np.int64))).reshape(shape)


def _ends(value: RingArray, kind: ValueType) -> tuple[int, int]:
    if kind.kind is Kind.WIDE:
        numbers = to_signed(value)
        return min(numbers), max(numbers)
    signed = value.view(np.int64)
    return int(signed.min()), int(signed.max())


@spends(Part.KERNELS)
def owner_share(value: RingArray, keys: Sequence[Key], operation: int, kind: ValueType) -> RingArray:
    """`value` minus the words of the other parties: the share that is left."""
    if value.shape != array_shape(kind) or value.dtype != np.uint64:
        raise ShapeError(f"an input of shape {value.shape} where the program has {array_shape(kind)}")
    if value.size and kind.kind is not Kind.BITS:
        (least, largest), top = _ends(value, kind), 1 << (kind.width - 1)
        if least < -top or largest >= top:
            raise BoundError(f"an input beyond its declared width of {kind.width} bits", width=kind.width)
    share = np.ascontiguousarray(value)
    for key in keys:
        share = reconstruct(kind, share, _words(key, operation, 0, kind), -1)
    return share


def receiver_of(operation: int, parties: tuple[str, ...]) -> str:
    """The party that takes the corrected share of an operation; they take turns."""
    return parties[operation % len(parties)]


class Inputs:
    """The owner brings a value; the others expand their shares."""

    def reference(
        self, op: ops.Input, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        return inputs[0]

    def deal(self, op: ops.Input, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        pass

    def run(
        self, op: ops.Input, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        if context.me == op.owner:
            if op.name not in context.inputs:
                raise ProgramError(f"{context.me} has no input {op.name}")
            keys = [context.keys[name] for name in context.others]
            return Share(owner_share(context.inputs[op.name], keys, context.operation, out), out.kind)
        if op.owner not in context.parties:  # the round is every party's, so that all stay in step
            taking = context.me == receiver_of(context.operation, context.parties)
            words = np.empty(array_shape(out), np.uint64)
            yield Exchange({}, {op.owner: (words,)} if taking else {})
            if taking:
                return Share(words, out.kind)
        return Share(_words(context.keys[op.owner], context.operation, 0, out), out.kind)

    def cost(self, op: ops.Input, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost(0 if op.owner in parties else 1, (0,) * len(parties), 0)


class Loading:
    """What is kept comes back."""

    def reference(
        self, op: ops.Load, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        return inputs[0]

    def deal(self, op: ops.Load, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        pass

    def run(
        self, op: ops.Load, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        yield from ()
        words = context.store.get(op.key)
        if not isinstance(words, np.ndarray):
            raise ProgramError(f"{context.me} keeps no value under {op.key}")
        if words.shape != array_shape(out):
            raise ShapeError(f"{op.key} is kept with shape {words.shape}, the program has {array_shape(out)}")
        return Share(words, out.kind)

    def cost(self, op: ops.Load, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost.free(len(parties))


class Keeping:
    """Each party keeps its own share."""

    def reference(
        self, op: ops.Store, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        return inputs[0]

    def deal(self, op: ops.Store, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        pass

    def run(
        self, op: ops.Store, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        yield from ()
        context.store[op.key] = inputs[0].words
        return inputs[0]

    def cost(self, op: ops.Store, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost.free(len(parties))


class Reveals:
    """A value is put together at its recipient."""

    def reference(
        self, op: ops.Reveal, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        return inputs[0]

    def deal(self, op: ops.Reveal, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        pass

    def run(
        self, op: ops.Reveal, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        share = np.ascontiguousarray(inputs[0].words)
        rank = context.parties.index(context.me)
        for name in context.others:
            sign = 1 if rank < context.parties.index(name) else -1
            share = reconstruct(out, share, _words(context.keys[name], context.operation, 1, out), sign)
        if op.to == DRIVER:  # the shares, one from every party, meet in the driver
            yield Exchange()
            context.results[op.name] = share
            return inputs[0]
        if context.me != op.to:
            yield Exchange({op.to: (share,)})
            return inputs[0]
        parts = {name: (np.empty_like(share),) for name in context.others}
        yield Exchange({}, dict(parts))
        for (part,) in parts.values():
            share = reconstruct(out, share, part)
        context.results[op.name] = share
        return inputs[0]

    def cost(self, op: ops.Reveal, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        size = 0 if op.to == DRIVER else 8 * int(np.prod(array_shape(out), dtype=np.int64))
        return Cost(1, tuple(0 if name == op.to else size for name in parties), 0)
