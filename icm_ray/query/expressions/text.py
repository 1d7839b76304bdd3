"""Text: how it begins, ends, what it contains, how long it is; in other letters, without what is around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from icm_ray.errors import ColumnError
from icm_ray.query.expressions.function import Function, Infer, Typed, Words, any_nullable
from icm_ray.query.expressions.tree import Scalar

__all__ = ["BASE", "FUNCTIONS", "TEXT_PIECE", "bytes_of"]

TEXT_PIECE: Final = 7
"""Bytes of text that one number stands for, in its order."""
BASE: Final = 257


def bytes_of(piece: int) -> bytes:
    """The bytes that a number of `text_order` stands for: digits from 1 on, 0 behind the last one."""
    digits = [piece // BASE**place % BASE for place in reversed(range(TEXT_PIECE))]
    return bytes(digit - 1 for digit in digits if digit)


def _order(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
    if arguments[0].kind != "string":
        raise ColumnError(f"the order of text is that of text, not of {arguments[0].kind}")
    if len(options) != 1 or type(options[0]) is not int or options[0] < 0:
        raise ColumnError("the order of text is of its bytes from a place on")
    return Typed("int", any_nullable(arguments))


def _of_text(name: str, kind: str, *, takes: bool = False) -> Infer:
    def infer(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
        if arguments[0].kind not in {"string", "null"}:
            raise ColumnError(f"str.{name} takes text, not {arguments[0].kind}")
        if len(options) != takes or not all(isinstance(option, str) for option in options):
            raise ColumnError(f"str.{name} takes {'one public text' if takes else 'nothing beside'}")
        return Typed(kind, any_nullable(arguments))

    return infer


def _method(name: str) -> Words:
    return lambda arguments, options: f"{arguments[0]}.str.{name}({', '.join(map(repr, options))})"


def _text_function(function: str, name: str, kind: str, *, takes: bool = False) -> Function:
    return Function(function, 1, _of_text(name, kind, takes=takes), _method(name))


FUNCTIONS = (
    _text_function("starts_with", "startswith", "bool", takes=True),
    _text_function("ends_with", "endswith", "bool", takes=True),
    _text_function("contains", "contains", "bool", takes=True),
    _text_function("length", "len", "int"),
    _text_function("lower", "lower", "string"),
    _text_function("upper", "upper", "string"),
    _text_function("strip", "strip", "string", takes=True),
    _text_function("trim", "strip", "string"),
    Function("text_order", 1, _order, lambda arguments, options: f"{arguments[0]} from byte {options[0]} on"),
)
