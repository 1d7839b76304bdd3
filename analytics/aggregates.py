"""Aggregates of columns by pandas' names, one or several, and what they are put together to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from analytics.group_keys import label_of
from analytics.group_table import series_of
from analytics.query import Query, together
from analytics.withheld import Reasons, mark, withheld_cells
from icm_ray.errors import InputError
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.withheld import Withheld

if TYPE_CHECKING:
    from analytics.column import SecureColumn

__all__ = ["Aggregated", "Verb", "kind_of_result", "names_of", "row_of", "verb_of"]

Verb = Callable[["SecureColumn"], Query]

_VERBS: Final[Mapping[str, Verb]] = {
    "count": lambda column: column.count(),
    "sum": lambda column: column.sum(),
    "mean": lambda column: column.mean(),
    "median": lambda column: column.median(),
    "var": lambda column: column.var(),
    "std": lambda column: column.std(),
    "sem": lambda column: column.sem(),
    "min": lambda column: column.min(),
    "max": lambda column: column.max(),
    "skew": lambda column: column.skew(),
    "kurt": lambda column: column.kurt(),
}


def verb_of(name: str) -> Verb:
    """What asks a column for an aggregate. Errors: `InputError` where there is none of that name."""
    if name not in _VERBS:
        raise InputError(f"there is no aggregate {name!r}; there are {', '.join(_VERBS)}")
    return _VERBS[name]


def names_of(given: Any) -> list[str]:
    """One aggregate or several, by name. Errors: `InputError`."""
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"aggregates are given by name, one or more: {', '.join(_VERBS)}; not {given!r}")
    return list(names)


def kind_of_result(function: str, kind: str) -> str:
    """Of an aggregate of a column of that kind: "int", "float", "bool" or "other"."""
    if function in {"count", "size", "nunique"}:
        return "int"
    if function == "sum" and kind in NUMBERS:
        return "float" if kind == "float" else "int"
    if kind not in NUMBERS:
        return "other"
    return kind if function in {"min", "max"} else "float"


def row_of(results: Sequence[Any], kinds: Sequence[str], labels: Sequence[Any], name: Any = None) -> Any:
    """Results of several columns, or several results of one, as a pandas Series: of one dtype that holds all, as pandas
    has it. What is withheld is NaN, and `withheld` of the result says why.
    """
    import pandas as pd

    withheld = any(isinstance(result, Withheld) for result in results)
    index = pd.Index(list(labels))
    if (
        "bool" in kinds
        and not withheld
        and not any(isinstance(result, float) and math.isnan(result) for result in results)
    ):
        values = [bool(result) if kind == "bool" else result for result, kind in zip(results, kinds, strict=True)]
        row = pd.Series(values, index=index, dtype="bool" if set(kinds) == {"bool"} else "object")
    else:
        kind = next((name for name in ("other", "float") if name in kinds), "int")
        row = series_of(list(results), kind, index)
    return mark(row.rename(name), Reasons(withheld_cells([results], list(labels), ())))


class Aggregated:
    """Columns that are asked for aggregates by their names."""

    __slots__ = ()

    if TYPE_CHECKING:
        name: str
        kind: str

    def agg(self: Any, functions: str | Sequence[str]) -> Query:
        """Ask for aggregates by pandas' names.

        Args:
            functions: The name of an aggregate ("count", "sum", "mean", "var", "std", "sem", "min", "max", "skew",
                "kurt"), or several.

        Returns:
            A query for what the method of that name gives, or of several a pandas Series with the names as its index.

        Raises:
            InputError: Another aggregate, or none.
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["age"].agg(["min", "max"]).reveal().tolist()
            [29, 70]
        """
        names = names_of(functions)
        queries = [verb_of(name)(self) for name in names]
        if isinstance(functions, str):
            return queries[0]
        kinds = [kind_of_result(name, self.kind) for name in names]
        title = f"{', '.join(names)} of {self.name}"
        return together(queries, title, lambda results: row_of(results, kinds, names, label_of(self)))
