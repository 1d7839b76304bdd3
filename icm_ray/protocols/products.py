"""Products: Beaver's, in any bilinear form, with the mask of what follows absorbed (Beaver 1991; Orca; ABY2.0).

E = X - A and F = Y - B are opened; X.Y = E.B + A.F + E.F + A.B. Where the product is opened next anyway, under a
mask r, nothing is dealt for A.B: r = q - A.B with q the parties' own words. Otherwise C = A.B is dealt.

Fixed weight W of one party (its owner): F = W - B is opened for the others once, when the weight is loaded. For every
batch the others send X_p - A_p to the owner alone, and
    owner: (E + X_0).W + q_0        others: A_p.F + q_p        r = q - A.B,   A = sum of the others' A_p
which sums to X.W + r: n + 1 products in all, and traffic one way. The owner sees X_p - A_p, uniform; the others saw
F, uniform. What is added to the product each party adds to its share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from icm_ray.errors import AddressReused, ProgramError, ShapeError
from icm_ray.ops import products as ops
from icm_ray.ops.cost import Cost
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.products import Epilogue
from icm_ray.ops.seams import Words
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Coins, Context, Dealing, Exchange, Round, Share, mask, open_low, open_sum
from icm_ray.protocols.epilogue import deal_finish, finish_cost, finish_reference, run_finish, word_type
from icm_ray.ring import epilogue as kernels
from icm_ray.ring.array import RingArray
from icm_ray.ring.gemm import SHORT
from icm_ray.ring.narrow import add_narrow, bytes_of, narrowed

__all__ = ["Finisher", "FixedWeight", "Products", "Squares", "WeightLoading"]

_A, _B, _Q, _FINISH = 0, 1, 2, 16


def _short(epilogue: Epilogue | None) -> bool:
    """Whether low bits of the product are all that is read of it, and their kernel is the cheaper one."""
    return epilogue is not None and epilogue.width <= SHORT


def _width(epilogue: Epilogue | None) -> int:
    """How many low bits of a product are read."""
    return FULL_WIDTH if epilogue is None else epilogue.width


def _opened(context: Context, masked: Words, width: int) -> Round:
    (x_hat,) = yield from open_low(context, width, masked)
    context.opened("x_hat", x_hat)
    return x_hat


class Finisher:
    """Truncate and Relu on a value of their own: open x^ = x + r, then epilogue."""

    def reference(
        self,
        op: ops.Truncate | ops.Relu,
        types: Sequence[ValueType],
        inputs: Sequence[RingArray],
        coins: Coins,
        out: ValueType,
    ) -> RingArray:
        return finish_reference(op.epilogue, inputs[0], coins.get("x_hat"))

    def deal(self, op: ops.Truncate | ops.Relu, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        r = dealing.words(_Q, out.count, word_type(op.epilogue.width))
        deal_finish(dealing, _FINISH, r, op.epilogue, own_mask=True)

    def run(
        self,
        op: ops.Truncate | ops.Relu,
        types: Sequence[ValueType],
        inputs: Sequence[Share],
        context: Context,
        out: ValueType,
    ) -> Round:
        dtype = word_type(op.epilogue.width)
        r = context.correlations.words(_Q, out.count, dtype)
        x_hat = yield from _opened(context, mask(inputs[0].words, r), op.epilogue.width)
        words = yield from run_finish(context, _FINISH, x_hat, op.epilogue, r)
        return Share(words.reshape(out.shape))

    def cost(
        self, op: ops.Truncate | ops.Relu, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType
    ) -> Cost:
        opening = Cost.opening(len(parties), bytes_of(op.epilogue.width) * out.count)
        return opening.then(finish_cost(op.epilogue, out.count, len(parties), own_mask=True))


def _absorbed_deal(dealing: Dealing, product: RingArray, epilogue: Epilogue | None) -> None:
    """Deal for a product of masks: C = A.B itself, or what finishes a value opened under r = q - A.B."""
    flat = product.reshape(-1)
    if epilogue is None:
        dealing.give(_Q, flat)
        return
    q = dealing.words(_Q, flat.size)
    with spends(Part.KERNELS):
        r = np.subtract(q, flat, out=q).astype(word_type(epilogue.width), copy=False)
    deal_finish(dealing, _FINISH, r, epilogue, own_mask=False)


def _last_words(context: Context, count: int, epilogue: Epilogue | None) -> RingArray:
    """What is added to the share of a product: C as it was dealt, or the mask q of what follows."""
    corr = context.correlations
    words: RingArray = (corr.dealt(_Q, count) if epilogue is None else corr.words(_Q, count)).view(np.uint64)
    return words


def _absorbed_run(
    context: Context, share: RingArray, epilogue: Epilogue | None, out: ValueType, *, masked: bool = False
) -> Round:
    """masked: whether what comes last is in the share already."""
    with spends(Part.KERNELS):
        flat = share.reshape(-1)
        if not masked:
            flat += _last_words(context, flat.size, epilogue)
        if epilogue is not None:
            flat = flat.astype(word_type(epilogue.width), copy=False)
    del share
    return (yield from _finished(context, flat, epilogue, out))


def _finished(context: Context, masked: Words, epilogue: Epilogue | None, out: ValueType) -> Round:
    if epilogue is None:
        return Share(masked.view(np.uint64).reshape(out.shape))
    x_hat = yield from _opened(context, masked, epilogue.width)
    del masked
    words = yield from run_finish(context, _FINISH, x_hat, epilogue, None)
    return Share(words.reshape(out.shape))


def _absorbed_cost(epilogue: Epilogue | None, count: int, parties: int) -> Cost:
    if epilogue is None:
        return Cost(0, (0,) * parties, 8 * count)
    opening = Cost.opening(parties, bytes_of(epilogue.width) * count)
    return opening.then(finish_cost(epilogue, count, parties, own_mask=False))


class Products:
    """Both factors are shared: E and F opened in one round, 2n + 1 products in all."""

    def reference(
        self, op: ops.Product, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        x, y = inputs
        raw = op.form.apply(x, y)
        return raw if op.epilogue is None else finish_reference(op.epilogue, raw, coins.get("x_hat"))

    def deal(self, op: ops.Product, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        a, b = (dealing.words(tag, t.count).reshape(t.shape) for tag, t in zip((_A, _B), types, strict=True))
        with dealing.threads() as threads:
            product = op.form.apply(a, b, threads=threads, short=_short(op.epilogue))
        _absorbed_deal(dealing, product, op.epilogue)

    def run(
        self, op: ops.Product, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        x, y = (share.words for share in inputs)
        a, b = (
            context.correlations.words(tag, t.size).reshape(t.shape) for tag, t in zip((_A, _B), (x, y), strict=True)
        )
        with spends(Part.KERNELS):
            masked = x - a, y - b
        e, f = yield from open_low(context, _width(op.epilogue), *masked)
        del masked  # the larger arrays go as soon as they were used: what a party holds is bounded
        if isinstance(op.form, Elementwise) and e.shape == f.shape:
            words = np.empty(out.count, np.uint64 if op.epilogue is None else word_type(op.epilogue.width))
            last = _last_words(context, out.count, op.epilogue)
            kernels.share_of_product(*(part.reshape(-1) for part in (e, f, a, b)), last, context.first, words)
            del e, f, a, b, last
            return (yield from _finished(context, words, op.epilogue, out))
        with spends(Part.KERNELS), context.threads() as threads:  # E.(B_p + [p = 0] F) + A_p.F
            if context.first:
                b += f
            share = op.form.apply(e, b, threads=threads, short=_short(op.epilogue))
            del e, b
            share = op.form.apply(a, f, out=share, threads=threads, short=_short(op.epilogue))
            del a, f
        return (yield from _absorbed_run(context, share, op.epilogue, out))

    def cost(self, op: ops.Product, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        size = bytes_of(_width(op.epilogue))
        opening = Cost.opening(len(parties), size * (types[0].count + types[1].count))
        return opening.then(_absorbed_cost(op.epilogue, out.count, len(parties)))


class WeightLoading:
    """F = W - B goes from the weight's owner to the other parties, once for each model; B is the owner's with the
    dealer.
    """

    def reference(
        self, op: ops.LoadWeight, types: Sequence[ValueType], inputs: Sequence[RingArray], coins: Coins, out: ValueType
    ) -> RingArray:
        return np.zeros(out.shape, np.uint64)

    def deal(self, op: ops.LoadWeight, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        if op.key in dealing.store:
            raise AddressReused(f"weight {op.key} was loaded before; a reload takes a new key", step=op.key)
        dealing.store[op.key] = dealing.party_words(_B, op.owner, out.count).reshape(out.shape)

    def run(
        self, op: ops.LoadWeight, types: Sequence[ValueType], inputs: Sequence[Share], context: Context, out: ValueType
    ) -> Round:
        if op.key in context.store:
            raise AddressReused(f"weight {op.key} was loaded before; a reload takes a new key", step=op.key)
        if context.me == op.owner:
            weight = context.inputs[op.name]
            if weight.shape != out.shape:
                raise ShapeError(f"weight {op.name} of shape {weight.shape} where the program has {out.shape}")
            b = context.correlations.words(_B, out.count).reshape(out.shape)
            with spends(Part.KERNELS):
                masked = np.ascontiguousarray(weight) - b
            bias = None if op.bias is None else context.inputs[op.bias]
            context.store[op.key] = (weight, bias)
            yield Exchange(dict.fromkeys(context.others, (masked,)))
        else:
            masked = np.empty(out.shape, np.uint64)
            yield Exchange({}, {op.owner: (masked,)})
            context.store[op.key] = (masked, None)
        return Share(np.zeros(0, np.uint64))

    def cost(self, op: ops.LoadWeight, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        sent = tuple(8 * out.count * (len(parties) - 1) if name == op.owner else 0 for name in parties)
        return Cost(1, sent, 0)


class FixedWeight:
    """One factor is a party's own weight, loaded before."""

    def reference(
        self,
        op: ops.OwnedProduct,
        types: Sequence[ValueType],
        inputs: Sequence[RingArray],
        coins: Coins,
        out: ValueType,
    ) -> RingArray:
        x, *added = inputs[: 1 + op.added]
        weight, *bias = inputs[1 + op.added :]
        raw = op.form.apply(x, weight)
        if bias:
            raw = _biased(raw, bias[0], op.channel_axis)
        for more in added:
            raw = raw + more
        return raw if op.epilogue is None else finish_reference(op.epilogue, raw, coins.get("x_hat"))

    def deal(self, op: ops.OwnedProduct, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        shape = types[0].shape
        with spends(Part.KERNELS):
            others = [name for name in dealing.parties if name != op.owner]
            a, *more = (dealing.party_words(_A, name, types[0].count).reshape(shape) for name in others)
            for words in more:
                a += words
        if op.key not in dealing.store:
            raise ProgramError(f"weight {op.key} was not loaded")
        with dealing.threads() as threads:
            product = op.form.apply(a, dealing.store[op.key], threads=threads, short=_short(op.epilogue))
        _absorbed_deal(dealing, product, op.epilogue)

    def run(
        self,
        op: ops.OwnedProduct,
        types: Sequence[ValueType],
        inputs: Sequence[Share],
        context: Context,
        out: ValueType,
    ) -> Round:
        x = inputs[0].words
        loaded = context.store.get(op.key)
        if not isinstance(loaded, tuple):
            raise ProgramError(f"weight {op.key} was not loaded")
        weight, bias = loaded
        if weight.shape != op.weight.shape:
            raise ShapeError(f"weight {op.key} was loaded with shape {weight.shape}, the program has {op.weight.shape}")
        short, size = _short(op.epilogue), bytes_of(_width(op.epilogue))
        if context.me == op.owner:
            parts = {name: (np.empty(x.size * size, np.uint8),) for name in context.others}
            yield Exchange({}, dict(parts))
            q = self._mask(op, context, out)
            with spends(Part.KERNELS):
                total: RingArray = x.flatten()
                for (part,) in parts.values():
                    add_narrow(total, part, size)
                del parts, part
                total = total.reshape(x.shape)
                with context.threads() as threads:
                    share = op.form.apply(total, weight, out=q, threads=threads, short=short)
                if bias is not None:
                    share = _biased(share, bias, op.channel_axis)
        else:
            a = context.correlations.words(_A, x.size).reshape(x.shape)
            with spends(Part.KERNELS):
                masked = narrowed((x - a).reshape(-1), size).view(np.uint8)
            yield Exchange({op.owner: (masked,)})
            q = self._mask(op, context, out)
            with context.threads() as threads:
                share = op.form.apply(a, weight, out=q, threads=threads, short=short)
        with spends(Part.KERNELS):
            for more in inputs[1:]:
                share += more.words
        return (yield from _absorbed_run(context, share, op.epilogue, out, masked=q is not None))

    def _mask(self, op: ops.OwnedProduct, context: Context, out: ValueType) -> RingArray | None:
        """The mask of what follows, to which the product is added as it is made: a pass over memory less."""
        return None if op.epilogue is None else _last_words(context, out.count, op.epilogue).reshape(out.shape)

    def cost(self, op: ops.OwnedProduct, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        size = bytes_of(_width(op.epilogue))
        sent = tuple(0 if name == op.owner else size * types[0].count for name in parties)
        return Cost(1, sent, 0).then(_absorbed_cost(op.epilogue, out.count, len(parties)))


def _biased(raw: RingArray, bias: RingArray, axis: int) -> RingArray:
    shape = [1] * raw.ndim
    shape[axis] = bias.size
    raw += bias.reshape(shape)
    return raw


class Squares:
    """sum x^2 = sum x^ (x^ - 2 r) + sum r^2 with x^ = x + r opened once and [sum r^2] dealt: 8 bytes in all."""

    def reference(
        self,
        op: ops.SumOfSquares,
        types: Sequence[ValueType],
        inputs: Sequence[RingArray],
        coins: Coins,
        out: ValueType,
    ) -> RingArray:
        return np.array([(inputs[0] * inputs[0]).sum(dtype=np.uint64)], np.uint64)

    def deal(self, op: ops.SumOfSquares, types: Sequence[ValueType], dealing: Dealing, out: ValueType) -> None:
        r = dealing.words(_A, types[0].count).astype(np.uint64, copy=False)
        with spends(Part.KERNELS):
            square = np.dot(r, r).reshape(1)
        dealing.give(_B, square)

    def run(
        self,
        op: ops.SumOfSquares,
        types: Sequence[ValueType],
        inputs: Sequence[Share],
        context: Context,
        out: ValueType,
    ) -> Round:
        x = inputs[0].words.reshape(-1)
        r = context.correlations.words(_A, x.size)
        (x_hat,) = yield from open_sum(context, mask(x, r))
        share = context.correlations.dealt(_B, 1)
        with spends(Part.KERNELS):
            share = share - np.uint64(2) * np.dot(x_hat, r).reshape(1)
            if context.first:
                share += np.dot(x_hat, x_hat).reshape(1)
        return Share(share)

    def cost(self, op: ops.SumOfSquares, types: Sequence[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
        return Cost.opening(len(parties), 8 * types[0].count, 8)
