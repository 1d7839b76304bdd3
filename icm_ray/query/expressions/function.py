"""What the catalogue says of a function of columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from icm_ray.errors import ColumnError
from icm_ray.query.arrow_kinds import common_kind
from icm_ray.query.expressions.tree import Scalar

__all__ = ["Function", "Infer", "Typed", "Words", "any_nullable", "numbers", "ordered", "same"]


@dataclass(frozen=True, slots=True)
class Typed:
    """kind, categories: as of `ColumnInfo`. nullable: whether a value may be missing. value: the one of a literal."""

    kind: str
    nullable: bool = False
    value: Scalar = None
    categories: tuple[Scalar, ...] = ()


Infer = Callable[[Sequence[Typed], Sequence[Scalar]], Typed]
"""The type of a result from those of the arguments and the options. Raises `ColumnError` where there is none."""
Words = Callable[[Sequence[str], Sequence[Scalar]], str]


@dataclass(frozen=True, slots=True)
class Function:
    """name: in expressions. arguments: how many it takes, at least; more: whether it may be more. infer: its typing
    rule. words: how a user writes it, from the words of the arguments.
    """

    name: str
    arguments: int
    infer: Infer
    words: Words
    more: bool = False

    def takes(self, count: int) -> bool:
        """Whether it takes so many arguments."""
        return count == self.arguments or (self.more and count > self.arguments)


def numbers(arguments: Sequence[Typed], what: str) -> str:
    """The kind of arithmetic on arguments: "int" (booleans count as 0 and 1) or "float".

    Errors: `ColumnError` where one is no number.
    """
    for argument in arguments:
        if argument.kind not in {"int", "float", "bool", "null"}:
            hint = ": make floats of them, astype('float')" if argument.kind.startswith("decimal") else ""
            raise ColumnError(f"{what} takes numbers, not {argument.kind}{hint}")
    return "float" if any(argument.kind == "float" for argument in arguments) else "int"


def same(arguments: Sequence[Typed], what: str) -> str:
    """The kind that all arguments are of, numbers among one another counting as one kind, and so do dates and times,
    but times in zones beside others do not.

    Errors: `ColumnError` where they are not.
    """
    kinds = {argument.kind for argument in arguments} - {"null"}
    if len(kinds) <= 1:
        return next(iter(kinds), "null")
    if kinds <= {"int", "float", "bool"}:
        return "float" if "float" in kinds else "int"
    if common := common_kind(kinds):
        return common
    raise ColumnError(f"{what} takes values of one kind, not {' and '.join(sorted(kinds))}")


def ordered(arguments: Sequence[Typed], what: str) -> str:
    """The kind that all arguments are of, one whose values have an order.

    Errors: `ColumnError` where they are not.
    """
    kind = same(arguments, what)
    if kind == "bool" and any(argument.kind not in {"bool", "null"} for argument in arguments):
        raise ColumnError(f"{what} does not order {kind}")
    return kind


def any_nullable(arguments: Sequence[Typed]) -> bool:
    """Whether a value of one of the arguments may be missing."""
    return any(argument.nullable or argument.kind == "null" for argument in arguments)
