"""Tables of groups in other shapes: keys as columns, what two questions found side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analytics.withheld import Reasons, labels_of, mark

__all__ = ["beside", "keys_as_columns", "stacked"]


def keys_as_columns(table: Any) -> Any:
    """A DataFrame whose first columns are the keys, as pandas has it where they are no index."""
    reasons, width = table.attrs["withheld"], table.index.nlevels
    places = {labels_of(label): place for place, label in enumerate(table.index)}
    if table.ndim == 1:
        table = table.rename("size" if table.name is None else table.name)
    name = () if table.ndim == 2 else (table.name,)
    cells = (((places[key[:width]], *key[width:], *name), reason) for key, reason in reasons.cells)
    return mark(table.reset_index(), Reasons(cells, tuple(reasons)))


def stacked(table: Any, names: Sequence[str], qs: Sequence[float], *, series: bool) -> Any:
    """What pandas has of several quantiles: a row for each of them in each group, q as the last level of the index.

    table: of groups, its columns (name, place among the quantiles).
    """
    import numpy as np
    import pandas as pd

    reasons, size = table.attrs["withheld"], len(table)
    order = np.arange(len(qs) * size).reshape(len(qs), size).T.ravel()
    groups = table.index.take(np.repeat(np.arange(size), len(qs)))
    levels = [groups.get_level_values(level) for level in range(groups.nlevels)]
    index = pd.MultiIndex.from_arrays([*levels, pd.Index([*qs] * size, dtype="float64")], names=[*groups.names, None])
    columns = {
        name: pd.concat([table[name, place] for place in range(len(qs))], ignore_index=True).iloc[order]
        for name in names
    }
    made = pd.DataFrame({name: column.set_axis(index) for name, column in columns.items()}, index=index)
    cells = [((*key[:-2], qs[key[-1]], *(() if series else key[-2:-1])), reason) for key, reason in reasons.cells]
    return mark(made[names[0]] if series else made, Reasons(cells, tuple(reasons)))


def beside(known: Any, found: Any, labels: Sequence[Any], *, flat: bool, series: bool) -> Any:
    """What two questions found of the groups of the first: columns numbered as the labels are. found: None of no group.

    Of `known` column -1 is none.
    """
    import pandas as pd

    tables = [known] if found is None else [known, found.reindex(known.index)]
    made = pd.concat(tables, axis=1).reindex(columns=range(len(labels)))
    if found is None:
        made = made.astype({place: "float64" for place in made if place not in known})
    there = {labels_of(label) for label in known.index}
    cells = [cell for table in tables for cell in _cells(known if table is known else found) if cell[0] in there]
    reasons = [reason for table in (known, found) if table is not None for reason in table.attrs["withheld"]]
    kept = [
        ((*group, *(() if series else labels_of(labels[place]))), reason)
        for group, place, reason in cells
        if place >= 0
    ]
    if series:
        return mark(made[0].rename(labels[0]), Reasons(kept, reasons))
    made.columns = pd.Index(labels) if flat else pd.MultiIndex.from_tuples(labels)
    return mark(made, Reasons(kept, reasons))


def _cells(table: Any) -> list[tuple[tuple[Any, ...], int, str]]:
    """(labels of the group, number of the column, reason) of what is withheld."""
    return [(key[:-1], key[-1], reason) for key, reason in table.attrs["withheld"].cells]
