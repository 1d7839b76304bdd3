"""Vector instructions for kernels of 64-bit words, written as LLVM's IR: the same on every CPU, lowered for the host.

`tile` is the register-blocked micro-kernel of Goto and van de Geijn (2008) and of BLIS (Van Zee and van de Geijn 2015):
a tile of the product stays in vector registers while a column of A and a row of B at a time are multiplied into it.
Addresses are integers and lengths count words, so that kernels have one signature whatever the arrays look like.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

__all__ = [
    "MACHINE",
    "Machine",
    "copy_lanes",
    "copy_vector",
    "instruction",
    "load",
    "merge_lanes",
    "store",
    "tile",
    "transpose",
]

_WORD = ir.IntType(64)
_BYTES = 8


class Machine(NamedTuple):
    """What fits the registers: words in a vector; rows and vectors in a tile. short: whether the low 52 bits of
    products come cheaper than words. halves: whether products are made of 32-bit ones, for want of larger.
    """

    lanes: int
    rows: int
    vectors: int
    short: bool = False
    halves: bool = False


def _machine() -> Machine:
    """From the features that Numba compiles for, which are part of the key of its cache."""
    features = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    if {"+avx512f", "+avx512dq", "+avx512vl"} <= set(features):
        # 24 of 32 registers. Products in pairs, then their sums: Zen 4 runs two vectors 14 % faster than three.
        return Machine(8, 12, 2, "+avx512ifma" in features)
    # 16 registers. With halves a sum takes two of them; LLVM's own products need some to be made in.
    return Machine(4, 4, 1, halves=True) if "+avx2" in features else Machine(2, 4, 2)


MACHINE = _machine()
_LANES, _ROWS, _VECTORS = MACHINE[:3]
_VECTOR = ir.VectorType(_WORD, _LANES)
_HALVES = ir.VectorType(ir.IntType(32), 2 * _LANES)
_FLAGS = ir.VectorType(ir.IntType(1), _LANES)


def _at(builder: Any, address: Any, index: Any = 0, kind: Any = _WORD) -> Any:
    """A pointer to `kind` at word `index` (a number or a value) of an address."""
    offset = _WORD(index) if isinstance(index, int) else index
    word = builder.gep(builder.inttoptr(address, _WORD.as_pointer()), [offset])
    return builder.bitcast(word, kind.as_pointer())


def _read(builder: Any, address: Any, index: Any = 0) -> Any:
    return builder.load(_at(builder, address, index, _VECTOR), align=_BYTES)


def _write(builder: Any, value: Any, address: Any, index: Any = 0) -> None:
    builder.store(value, _at(builder, address, index, _VECTOR), align=_BYTES)


def _lanes(builder: Any, mask: Any) -> Any:
    """The low bits of a mask as flags, one for each lane."""
    return builder.bitcast(builder.trunc(mask, ir.IntType(_LANES)), _FLAGS)


def _declared(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    module, name = builder.module, f"llvm.{name}.v{_LANES}i64.p0"
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)


def _prefetch(builder: Any, address: Any, index: Any) -> None:
    flag = ir.IntType(32)
    pointer = _at(builder, address, index, ir.IntType(8))
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, flag, flag, flag])
    module = builder.module
    call = module.globals.get("llvm.prefetch.p0") or ir.Function(module, kind, "llvm.prefetch.p0")
    builder.call(call, [pointer, flag(0), flag(3), flag(1)])


def _masked_read(builder: Any, address: Any, flags: Any) -> Any:
    pointer = _at(builder, address, 0, _VECTOR)
    call = _declared(builder, "masked.load", _VECTOR, pointer.type, ir.IntType(32), _FLAGS, _VECTOR)
    return builder.call(call, [pointer, ir.IntType(32)(_BYTES), flags, _VECTOR(None)])


def instruction(function: Callable[..., Any]) -> Any:
    """An intrinsic of Numba; kernels, which have no annotations, call it without the typing context."""
    return intrinsic(function)


@instruction
def load(typing, address, index):  # type: ignore[no-untyped-def]
    """The word at `index`."""

    def lower(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.load(_at(builder, *args), align=_BYTES)

    return types.uint64(types.int64, types.int64), lower


@instruction
def store(typing, value, address, index):  # type: ignore[no-untyped-def]
    """Write a word at `index`."""

    def lower(context, builder, signature, args):  # type: ignore[no-untyped-def]
        builder.store(args[0], _at(builder, *args[1:]), align=_BYTES)
        return context.get_dummy_value()

    return types.void(types.uint64, types.int64, types.int64), lower


@instruction
def copy_vector(typing, source, target):  # type: ignore[no-untyped-def]
    """Copy one vector."""

    def lower(context, builder, signature, args):  # type: ignore[no-untyped-def]
        _write(builder, _read(builder, args[0]), args[1])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), lower


@instruction
def copy_lanes(typing, source, mask, target):  # type: ignore[no-untyped-def]
    """Write one vector: the lanes of the mask from `source`, whose other words are not touched, zero elsewhere."""

    def lower(context, builder, signature, args):  # type: ignore[no-untyped-def]
        _write(builder, _masked_read(builder, args[0], _lanes(builder, args[1])), args[2])
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64, types.int64), lower


@instruction
def merge_lanes(typing, source, mask, target):  # type: ignore[no-untyped-def]
    """As copy_lanes, but the other lanes of `target` stay."""

    def lower(context, builder, signature, args):  # type: ignore[no-untyped-def]
        flags = _lanes(builder, args[1])
        fresh = _masked_read(builder, args[0], flags)
        _write(builder, builder.select(flags, fresh, _read(builder, args[2])), args[2])
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64, types.int64), lower


@instruction
def transpose(typing, source, step, target, spacing):  # type: ignore[no-untyped-def]
    """Write the transpose of a square of one vector's width: rows `step` words apart become rows `spacing` apart."""

    def lower(context, builder, signature, args):  # type: ignore[no-untyped-def]
        source, step, target, spacing = args
        rows = [_read(builder, source, builder.mul(step, _WORD(i))) for i in range(_LANES)]
        # log2(lanes) rounds: round `half` exchanges the off-diagonal squares of that width
        half = 1
        while half < _LANES:
            lane = range(_LANES)
            upper = [j if not j & half else _LANES + j - half for j in lane]
            lower_ = [j + half if not j & half else _LANES + j for j in lane]
            for i in range(_LANES):
                if not i & half:
                    pair = rows[i], rows[i + half]
                    rows[i], rows[i + half] = (
                        builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(ir.IntType(32), _LANES), picks))
                        for picks in (upper, lower_)
                    )
            half *= 2
        for i, row in enumerate(rows):
            _write(builder, row, target, builder.mul(spacing, _WORD(i)))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), lower


def _nothing() -> list[Any]:
    """A sum of no products, as the loop carries it: one vector, or two of halves."""
    return [_VECTOR(None), _HALVES(None)] if MACHINE.halves else [_VECTOR(None)]


def _added(builder: Any, total: list[Any], x: Any, y: Any, short: bool) -> list[Any]:
    """total + x y; where `short`, in the low 52 bits alone: those of a sum are those of the sum of low bits.

    In halves x y = xl yl + 2^32 (xl yh + xh yl). Of the two in brackets the low 32 bits count, so that both come from
    one product of 32-bit lanes, of x and of y with its halves changed over, and are added up apart.
    """
    if MACHINE.halves:
        low, cross = total
        least = ir.Constant(_VECTOR, [2**32 - 1] * _LANES)
        low = builder.add(low, builder.mul(builder.and_(x, least), builder.and_(y, least)))
        narrow = builder.bitcast(y, _HALVES)
        over = ir.Constant(ir.VectorType(ir.IntType(32), 2 * _LANES), [i ^ 1 for i in range(2 * _LANES)])
        crossed = builder.mul(builder.bitcast(x, _HALVES), builder.shuffle_vector(narrow, narrow, over))
        return [low, builder.add(cross, crossed)]
    (whole,) = total
    if not short:
        return [builder.add(whole, builder.mul(x, y))]
    module, name = builder.module, "llvm.x86.avx512.vpmadd52l.uq.512"
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    return [builder.call(module.globals.get(name) or ir.Function(module, kind, name), [whole, x, y])]


def _words_of(builder: Any, total: list[Any]) -> Any:
    """The sum as words: of halves, both of a lane are added to its upper 32 bits."""
    if not MACHINE.halves:
        return total[0]
    low, cross = total[0], builder.bitcast(total[1], _VECTOR)
    upper = builder.and_(cross, ir.Constant(_VECTOR, [2**64 - 2**32] * _LANES))
    return builder.add(low, builder.add(upper, builder.shl(cross, ir.Constant(_VECTOR, [32] * _LANES))))


def tile(rows: int, vectors: int, short: bool = False) -> Any:
    """The micro-kernel of `rows` by `vectors`: C = A B, or C += A B where `add` is not zero.

    short: only the low 52 bits of C are right; for machines that say so.

    a: `depth` columns of MACHINE.rows words; b: `depth` rows of MACHINE.vectors vectors; c: the addresses of the first
    row's vectors, of which the first `vectors` count; rows of C are `step` words apart.
    """

    def lower(context, builder, signature, args):  # type: ignore[no-untyped-def]
        a, b, depth, *c, step, add = args
        places = [(i, v) for i in range(rows) for v in range(vectors)]

        def spot(i: int, v: int) -> Any:
            return c[v], builder.mul(step, _WORD(i))

        begin = builder.block
        loop, old, done = (builder.append_basic_block(name) for name in ("loop", "old", "done"))
        # what is added to arrives while the loop runs
        for place in places:
            _prefetch(builder, *spot(*place))
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(_WORD)
        sums = [[builder.phi(part.type) for part in _nothing()] for _ in places]
        first = builder.mul(k, _WORD(_ROWS))
        second = builder.mul(k, _WORD(_VECTORS * _LANES))
        row = [_read(builder, b, builder.add(second, _WORD(v * _LANES))) for v in range(vectors)]
        fresh: list[list[Any]] = []
        for i in range(rows):
            word = builder.load(_at(builder, a, builder.add(first, _WORD(i))), align=_BYTES)
            spread = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), word, ir.IntType(32)(0))
            picks = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
            spread = builder.shuffle_vector(spread, spread, picks)
            fresh += [_added(builder, sums[i * vectors + v], spread, row[v], short) for v in range(vectors)]
        following = builder.add(k, _WORD(1))
        for phis, starts, after in zip(
            [[k], *sums], [[_WORD(0)], *[_nothing()] * len(sums)], [[following], *fresh], strict=True
        ):
            for phi, start, value in zip(phis, starts, after, strict=True):
                phi.add_incoming(start, begin)
                phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, old)
        builder.position_at_end(old)
        words = [_words_of(builder, total) for total in fresh]
        with builder.if_else(builder.icmp_signed("!=", add, _WORD(0))) as (more, alone):
            with more:
                for total, place in zip(words, places, strict=True):
                    _write(builder, builder.add(total, _read(builder, *spot(*place))), *spot(*place))
            with alone:
                for total, place in zip(words, places, strict=True):
                    _write(builder, total, *spot(*place))
        builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    def micro(typing, a, b, depth, c0, c1, step, add):  # type: ignore[no-untyped-def]
        return types.void(*[types.int64] * 7), lower

    return instruction(micro)
