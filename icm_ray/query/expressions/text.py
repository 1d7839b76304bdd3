"""Text: how it begins, ends, what it contains, how long it is; in other letters, without what is around it."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.errors import ColumnError
from icm_ray.query.expressions.function import Function, Infer, Typed, Words, any_nullable
from icm_ray.query.expressions.tree import Scalar

__all__ = ["FUNCTIONS"]


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
)
