"""Looking up shares of one-hot words at public chunks, 64 values in one go, as LLVM's IR for the host's vectors.

For a 16-bit one-hot word h of r_j and a public chunk c:  [r_j == c] is bit c of h,  [r_j > c] the parity of the bits
above it. Both are linear in h, and so in its XOR shares. With y the parities of all suffixes, y_i = h_i ^ .. ^ h_15, by
four shifts, the second is bit c of y >> 1.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from icm_ray.ring.vectors import instruction

__all__ = ["look_up_narrow", "look_up_wide"]

_VALUES = 64
_WORD = ir.IntType(64)
_HALVES = ir.VectorType(ir.IntType(16), _VALUES)
_BYTES = ir.VectorType(ir.IntType(8), _VALUES)


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _all(value: int) -> Any:
    return ir.Constant(_HALVES, [value] * _VALUES)


def _repeated(builder: Any, word: Any) -> Any:
    """The low 16 bits of a word in every place."""
    nothing = ir.Constant(_HALVES, ir.Undefined)
    first = builder.insert_element(nothing, builder.trunc(word, ir.IntType(16)), ir.IntType(32)(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), _VALUES), [0] * _VALUES))


def _planes(builder: Any, hot: Any, chunks: Any, shift: Any, mask: Any) -> tuple[Any, Any]:
    """The two planes, from one-hot words and halves of the public numbers whose chunk begins at bit `shift`."""
    at = builder.and_(builder.lshr(chunks, _repeated(builder, shift)), mask)
    suffix = hot
    for step in (1, 2, 4, 8):
        suffix = builder.xor(suffix, builder.lshr(suffix, _all(step)))
    words = (hot, builder.lshr(suffix, _all(1)))
    bits = [builder.and_(builder.lshr(word, at), _all(1)) for word in words]
    equal, greater = (builder.bitcast(builder.icmp_unsigned("!=", bit, _all(0)), _WORD) for bit in bits)
    return equal, greater


def _stored(builder: Any, planes: tuple[Any, Any], p: Any, g: Any) -> None:
    for plane, address in zip(planes, (p, g), strict=True):
        builder.store(plane, _pointer(builder, address, _WORD), align=8)


@instruction
def look_up_wide(typing, hot, halves, shift, p, g):  # type: ignore[no-untyped-def]
    """One chunk of four bits of 64 values. Addresses: 16-bit one-hot words; the 16 bits of the public numbers in which
    the chunk begins at bit `shift`; where the planes' words go.
    """

    def lower(context, builder, signature, args):  # type: ignore[no-untyped-def]
        words, chunks = (builder.load(_pointer(builder, args[at], _HALVES), align=2) for at in (0, 1))
        _stored(builder, _planes(builder, words, chunks, args[2], _all(15)), *args[3:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), lower


@instruction
def look_up_narrow(typing, hot, halves, shift, p, g, mask):  # type: ignore[no-untyped-def]
    """As `look_up_wide` for one-hot words of 8 bits and the chunk's bits in `mask`."""

    def lower(context, builder, signature, args):  # type: ignore[no-untyped-def]
        words = builder.zext(builder.load(_pointer(builder, args[0], _BYTES), align=1), _HALVES)
        chunks = builder.load(_pointer(builder, args[1], _HALVES), align=2)
        _stored(builder, _planes(builder, words, chunks, args[2], _repeated(builder, args[5])), *args[3:5])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), lower
