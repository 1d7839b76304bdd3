"""What was opened of each group as pandas has it: groups that have rows, in order, in pandas' dtypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.group_keys import NamedGroups
from analytics.withheld import Reasons, mark, withheld_cells
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.statistics.ranks import Interpolation
from icm_ray.query.withheld import Withheld

__all__ = ["GroupColumn", "Results", "Wanted", "group_table", "plain_list", "series_of"]

Results = Sequence[Any] | NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class GroupColumn:
    """A column of the result. label: None, a name, or a pair. kind: of the values: "int", "float" or "bool"."""

    label: Any
    kind: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A column of the result: its label, and the aggregate of which column it holds. ddof, q, interpolation: of
    aggregates that have them.
    """

    label: Any
    column: str
    function: str
    ddof: int = 1
    q: float = 0.5
    interpolation: Interpolation = "linear"


def group_table(
    groups: NamedGroups,
    rows: Results,
    found: Sequence[Results],
    columns: Sequence[tuple[GroupColumn, Results]],
    *,
    flat: bool,
    series: bool,
    noise: Mapping[Any, Mapping[str, float]] | None = None,
) -> Any:
    """A DataFrame, or a Series of the only column; a row for each group that has rows.

    rows: by cell how many there are. found: of private keys the values of each, by cell. flat: labels are names, no
    pairs. noise: by label what parties added: nobody knows then which groups have rows, all are there; it is
    `attrs["noise"]`. `withheld` of the result says what was withheld, and is NaN.
    """
    import pandas as pd

    if isinstance(groups.groups, PrivateKeys):
        there = sorted((key, place) for place, key in enumerate(zip(*found, strict=True)) if key[0] is not None)
        places = np.array([place for _, place in there], np.int64)
        values = [groups.index(number, [key[number] for key, _ in there]) for number in range(len(found))]
    else:
        places = np.flatnonzero(_there(rows)) if noise is None else np.arange(len(rows))
        codes = np.unravel_index(places, [key.size for key in groups.groups])
        values = [
            groups.index(number, key.domain).take(code)
            for number, (key, code) in enumerate(zip(groups.groups, codes, strict=True))
        ]
    names = list(groups.names)
    index = values[0].rename(names[0]) if len(values) == 1 else pd.MultiIndex.from_arrays(values, names=names)
    made = [series_of(_taken(results, places), column.kind, index) for column, results in columns]
    labels = [column.label for column, _ in columns]
    if series:
        table: Any = made[0].rename(labels[0])
    else:
        table = pd.DataFrame(dict(enumerate(made)), index=index)
        table.columns = pd.Index(labels) if flat else pd.MultiIndex.from_tuples(labels)
    if noise is not None:
        table.attrs["noise"] = noise
    return mark(table, _reasons(columns, places, index, [] if series else labels))


def _reasons(
    columns: Sequence[tuple[GroupColumn, Results]], places: NDArray[np.int64], index: Any, labels: Sequence[Any]
) -> Reasons:
    """Of groups that are not shown at all, private ones, nobody knows what they are: they have no labels."""
    plain: list[Results] = [[] if isinstance(results, np.ndarray) else results for _, results in columns]
    if not any(isinstance(item, Withheld) for column in plain for item in column):
        return Reasons()
    cells = withheld_cells([_taken(column, places) if len(column) else column for column in plain], index, labels)
    return Reasons(cells, (item.reason for column in plain for item in column if isinstance(item, Withheld)))


def _there(rows: Results) -> NDArray[np.bool_]:
    """The groups that have rows; those of which that is withheld are among them."""
    if isinstance(rows, np.ndarray):
        there: NDArray[np.bool_] = rows != 0
        return there
    return np.array([isinstance(count, Withheld) or count != 0 for count in rows], np.bool_)


def _taken(results: Results, places: NDArray[np.int64]) -> Results:
    if isinstance(results, np.ndarray):
        return results[places]
    return [results[place] for place in places.tolist()]


def plain_list(results: Results) -> list[Any]:
    """Results as Python's own numbers."""
    return results.tolist() if isinstance(results, np.ndarray) else list(results)


def series_of(results: Results, kind: str, index: Any = None) -> Any:
    """Results as a pandas Series: of "int" int64, uint64, or Python's integers where these do not fit; floats where one
    is missing or withheld; of "bool" booleans.
    """
    import pandas as pd

    if isinstance(results, np.ndarray):
        return pd.Series(results, index=index)
    shown = [float("nan") if isinstance(result, Withheld) else result for result in results]
    if kind == "other":
        return pd.Series(shown, index=index)
    if kind == "float" or any(isinstance(result, float) for result in shown):
        return pd.Series(shown, index=index, dtype="float64")
    if kind == "bool":
        return pd.Series(shown, index=index).astype("bool")
    return pd.Series(shown, index=index) if shown else pd.Series(shown, index=index, dtype="int64")
