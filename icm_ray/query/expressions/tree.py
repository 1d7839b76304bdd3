"""An expression as data: nodes one after the other, each function's arguments before it, the last node the whole.

Flat, so that whoever reads one that somebody else sent never calls himself; equal sub-expressions are one node. A plain
column is just its name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Union

import msgspec

from icm_ray.errors import ColumnError, InputError, ProgramError
from icm_ray.payload import Natural

__all__ = [
    "EVERY_ROW", "MOST_NODES", "Apply", "Column", "Expression", "Literal", "Node", "Of", "Scalar", "apply",
    "columns_of", "conjunction", "literal", "nodes_of",
]  # fmt: skip

MOST_NODES = 1000
_MOST_BITS = 64

Scalar = Union[bool, int, float, str, None]  # noqa: UP007 - msgspec takes a typing.Union


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="node", tag="column"):
    """A column by its name. kind: the one that all owners agreed on; "" where nobody has to read it yet."""

    name: str
    kind: str = ""


class Literal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="node", tag="literal"):
    """A public value. kind: of the column kinds; dates, times and decimals are text of that kind."""

    value: Scalar
    kind: str


class Apply(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="node", tag="apply"):
    """A function of the catalogue. arguments: numbers of earlier nodes. options: public values that it takes beside."""

    function: str
    arguments: tuple[Natural, ...]
    options: tuple[Scalar, ...] = ()


Node = Union[Column, Literal, Apply]  # noqa: UP007


class Expression(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Errors: `ProgramError` where an argument does not come before its function, or there are too many nodes."""

    nodes: Annotated[tuple[Node, ...], msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        if len(self.nodes) > MOST_NODES:
            raise ProgramError(f"an expression of {len(self.nodes)} nodes; {MOST_NODES} are the most")
        for number, node in enumerate(self.nodes):
            if isinstance(node, Apply) and any(argument >= number for argument in node.arguments):
                raise ProgramError(f"{node.function} takes what comes after it")


Of = Union[str, Expression]  # noqa: UP007
"""What a statistic is of: a column by its name, or an expression."""


def nodes_of(of: Of) -> tuple[Node, ...]:
    """The nodes, also of a plain column."""
    return (Column(of),) if isinstance(of, str) else of.nodes


def columns_of(*of: Of | None) -> tuple[str, ...]:
    """The names of all columns that are read, once each, in the order of their first use."""
    names: dict[str, None] = {}
    for item in of:
        names.update(
            (node.name, None) for node in (nodes_of(item) if item is not None else ()) if isinstance(node, Column)
        )
    return tuple(names)


def literal(value: Scalar) -> Expression:
    """A public value, of the kind that its type says.

    Errors: `InputError` for integers beyond 64 bits, for NaN (which equals nothing: ask `isna`), for other types.
    """
    if value is None:
        return Expression((Literal(None, "null"),))
    if isinstance(value, bool):
        return Expression((Literal(value, "bool"),))
    if isinstance(value, int):
        if not -(1 << (_MOST_BITS - 1)) <= value < 1 << _MOST_BITS:
            raise InputError(f"{value} is beyond 64 bits")
        return Expression((Literal(value, "int"),))
    if isinstance(value, float):
        if math.isnan(value):
            raise InputError("NaN equals nothing and is no value to compare or to compute with: use isna(), notna()")
        return Expression((Literal(value + 0.0, "float"),))  # one zero
    if isinstance(value, str):
        return Expression((Literal(value, "string"),))
    raise InputError(f"no value of a column is a {type(value).__name__}")


def apply(function: str, arguments: Sequence[Of], options: Sequence[Scalar] = ()) -> Expression:
    """A function of expressions; what these have in common is there once.

    Errors: `ColumnError` where that is too long.
    """
    nodes: dict[Node, int] = {}
    last = [_merge(nodes, argument) for argument in arguments]
    _number(nodes, Apply(function, tuple(last), tuple(options)))
    if len(nodes) > MOST_NODES:
        raise ColumnError(f"an expression of more than {MOST_NODES} parts: share or assign a part of it first")
    return Expression(tuple(nodes))


def conjunction(one: Of | None, other: Of | None) -> Of | None:
    """The condition that both are true; None: that of any row."""
    if one is None or other is None or one == other:
        return other if one is None else one
    return apply("and", (one, other))


def _merge(nodes: dict[Node, int], of: Of) -> int:
    """Add an expression's nodes to others; returns where its last one is."""
    numbers: list[int] = []
    for node in nodes_of(of):
        moved = node
        if isinstance(node, Apply):
            moved = Apply(node.function, tuple(numbers[argument] for argument in node.arguments), node.options)
        numbers.append(_number(nodes, moved))
    return numbers[-1]


def _number(nodes: dict[Node, int], node: Node) -> int:
    return nodes.setdefault(node, len(nodes))


EVERY_ROW = literal(value=True)
"""A value for every row, so that its count is that of the rows."""
