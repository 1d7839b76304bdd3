"""The type of an expression: its kind, and whether a value may be missing; found from public facts alone."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from icm_ray.errors import ColumnError
from icm_ray.query.expressions.catalogue import FUNCTIONS
from icm_ray.query.expressions.function import Typed
from icm_ray.query.expressions.tree import Apply, Column, Expression, Literal, Node, Of, nodes_of
from icm_ray.query.expressions.words import words
from icm_ray.query.tasks import ColumnInfo

__all__ = ["resolved", "typed", "types_of"]


def typed(of: Of, column: Callable[[str], ColumnInfo]) -> Typed:
    """Of the last node. column: the facts of a column by its name.

    Errors: `ColumnError` naming the part of the expression that cannot be, as the user wrote it; those of `column`.
    """
    return types_of(of, column)[-1]


def types_of(of: Of, column: Callable[[str], ColumnInfo]) -> list[Typed]:
    """Of each node. Errors: those of `typed`."""
    types: list[Typed] = []
    nodes = nodes_of(of)
    for number, node in enumerate(nodes):
        if isinstance(node, Column):
            types.append(_of_column(column(node.name)))
        elif isinstance(node, Literal):
            types.append(Typed(node.kind, node.value is None, node.value))
        else:
            types.append(_of_function(node, types, nodes[: number + 1]))
    return types


def _of_column(info: ColumnInfo) -> Typed:
    if info.fault:
        raise ColumnError(info.fault, column=info.name)
    return Typed(info.kind, info.nullable, categories=info.categories)


def _of_function(node: Apply, types: list[Typed], nodes: tuple[Node, ...]) -> Typed:
    function = FUNCTIONS.get(node.function)
    if function is None:
        raise ColumnError(f"there is no function {node.function!r} of columns")
    arguments = [types[argument] for argument in node.arguments]
    if not function.takes(len(arguments)):
        raise ColumnError(f"{node.function} does not take {len(arguments)} arguments")
    try:
        return function.infer(arguments, node.options)
    except ColumnError as error:
        raise ColumnError(f"{words(Expression(nodes))}: {error}") from None


def resolved(of: Of, column: Callable[[str], ColumnInfo]) -> Of:
    """The expression with the kind of each column that it reads, for whoever reads it."""
    if isinstance(of, str):
        return of
    nodes = (
        msgspec.structs.replace(node, kind=column(node.name).kind) if isinstance(node, Column) else node
        for node in of.nodes
    )
    return Expression(tuple(nodes))
