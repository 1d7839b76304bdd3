"""From one kind to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from icm_ray.errors import ColumnError
from icm_ray.query.expressions.function import Function, Typed, any_nullable
from icm_ray.query.expressions.tree import Scalar

__all__ = ["FUNCTIONS", "TARGETS"]

TARGETS: Final = ("int", "float", "bool", "string")
_FROM: Final = {
    "int": {"int", "float", "bool", "string"},
    "float": {"int", "float", "bool", "string"},
    "bool": {"int", "float", "bool"},
    "string": {"int", "float", "bool", "string"},
}


def _cast(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
    target = options[0] if len(options) == 1 else None
    if not isinstance(target, str) or target not in TARGETS:
        raise ColumnError(f"astype takes one of {', '.join(TARGETS)}")
    (argument,) = arguments
    decimal = argument.kind.startswith("decimal") and target in {"int", "float"}
    if not decimal and argument.kind not in _FROM[target] | {"null"}:
        raise ColumnError(f"{argument.kind} is not made {target}")
    if target == argument.kind:
        return argument
    if target == "bool":
        return Typed("bool")
    refused = target == "int" and argument.kind in {"float", "string"}  # where one is missing, as pandas has it
    kept = any_nullable(arguments) or (target == "float" and argument.kind == "string")
    return Typed(target, kept and not refused)


FUNCTIONS = (Function("cast", 1, _cast, lambda arguments, options: f"{arguments[0]}.astype({options[0]!r})"),)
