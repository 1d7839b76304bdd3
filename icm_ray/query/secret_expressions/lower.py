"""An expression on shares, from those of the columns that it reads."""

from __future__ import annotations

from collections.abc import Callable

from icm_ray.errors import BoundError, ColumnError
from icm_ray.query.expressions.tree import Column, Expression, Literal, Of, nodes_of
from icm_ray.query.expressions.words import words
from icm_ray.query.secret_expressions import units
from icm_ray.query.secret_expressions.catalogue import LOWERINGS
from icm_ray.query.secret_expressions.operand import Operand, Public, RowBuild, before_sharing

__all__ = ["on_shares"]


def on_shares(of: Of, rows: RowBuild, column: Callable[[str], Operand]) -> Operand:
    """What an expression gives. column: the shares of a column by its name.

    Errors: `ColumnError` where a function is not computed on shares, `BoundError` where a value does not fit; both name
    the part of the expression as the user wrote it.
    """
    found: list[Operand] = []
    nodes = nodes_of(of)
    for number, node in enumerate(nodes):
        if isinstance(node, Column):
            found.append(column(node.name))
        elif isinstance(node, Literal):
            found.append(Public(node.value, node.kind))
        else:
            operands = [found[argument] for argument in node.arguments]
            lowering = (units.LOWERINGS if units.of_units(operands) else LOWERINGS).get(node.function)
            part = words(Expression(nodes[: number + 1]))
            if lowering is None:
                raise before_sharing(part)
            try:
                found.append(lowering(rows, operands, node.options))
            except ColumnError as error:
                raise ColumnError(f"{part}: {error}") from None
            except BoundError as error:
                raise BoundError(f"{part}: {error}, or do that before .share()") from None
    return found[-1]
