"""The value of an expression for every row of a batch: an Arrow array, null where a value is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from icm_ray.errors import BoundError, ColumnError, ProgramError
from icm_ray.owner.expressions.catalogue import EVALUATORS
from icm_ray.owner.expressions.evaluator import Unfit
from icm_ray.owner.expressions.kinds import as_kind
from icm_ray.query.expressions.tree import Apply, Column, Literal, Of, nodes_of
from icm_ray.query.expressions.words import words

__all__ = ["evaluate"]


def evaluate(of: Of, column: Callable[[str, str], Any], rows: int) -> Any:
    """The array (rows,) of an expression. column: the array of a column by its name and agreed kind.

    Errors: `BoundError` where integers leave 64 bits, `ColumnError` where values cannot be what they should;
    `ProgramError` for a function that nobody evaluates. None of them tells a value.
    """
    import pyarrow as pa

    values: list[Any] = []
    for node in nodes_of(of):
        if isinstance(node, Column):
            values.append(column(node.name, node.kind))
        elif isinstance(node, Literal):
            values.append(as_kind(node.value, node.kind))
        else:
            values.append(_applied(node, [values[argument] for argument in node.arguments], of))
    whole = values[-1]
    if isinstance(whole, pa.Scalar):
        return pa.repeat(whole, rows)
    return whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole


def _applied(node: Apply, arguments: list[Any], of: Of) -> Any:
    import pyarrow as pa

    evaluator = EVALUATORS.get(node.function)
    if evaluator is None:
        raise ProgramError(f"no owner evaluates {node.function!r}")
    try:
        return evaluator(arguments, node.options)
    except OverflowError:
        raise BoundError(f"{words(of)}: a result is beyond 64 bits; make floats of it: astype('float')") from None
    except Unfit as error:
        raise ColumnError(f"{words(of)}: {error}") from None
    except (pa.ArrowException, ValueError, TypeError):  # its text holds values
        raise ColumnError(f"{words(of)}: {node.function} cannot be evaluated for all rows") from None
