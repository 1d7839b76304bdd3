"""What pandas offers and frames of rows that are not here cannot: each is refused with its reason, and a way out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from icm_ray.errors import UnsupportedError

__all__ = [
    "OF_COLUMNS",
    "OF_FRAMES",
    "OF_GROUPS",
    "OF_TEXT",
    "OF_TIMES",
    "REASONS",
    "RowsStay",
    "RowsStayError",
    "refused",
]

_SHOWS: Final = (
    "would show rows, and these stay with their owners; ask for statistics: describe(), groupby(...).agg(...)"
)
_RUNS: Final = (
    "would run your function on rows, and these stay with their owners; they compute columns with operators and "
    "methods: assign(...), where(...), isin(...), str, dt"
)
_PLACES: Final = "picks rows by their places, and rows of several owners have none; choose them: frame[condition]"
_ORDER: Final = (
    "takes rows one after the other, and rows of several owners have no order; sort_values(...).head(k) shows the "
    "first of one, groupby(...) puts them together"
)
_WIDE: Final = (
    "makes columns of values; ask for groupby([...]).agg(...), and take its result apart: reveal().unstack(), or "
    "an.crosstab(...)"
)
_DRAWS: Final = "would draw rows; draw what is revealed: histogram(...).reveal().plot()"
_MOST: Final = (
    "would show a row, and these stay with their owners; ask for max() and min(), or sort_values(...).head(k)"
)
_PAIRS: Final = "is not offered of several columns; group by them: groupby([...]).size(), or ask each column"
_UNCHANGED: Final = "is not offered: frames and columns do not change, and need no copy; take what a method gives"
_ELSEWHERE: Final = "is not offered of rows that stay with their owners; docs/from-pandas.md lists what is"
REASONS: Final = {
    **dict.fromkeys(
        ("head", "tail", "sample", "values", "array", "to_numpy", "to_pandas", "to_dict", "to_list", "tolist", "to_csv",
         "to_parquet", "to_arrow", "to_records", "to_excel", "to_json", "to_string", "iterrows", "itertuples", "items"),
        _SHOWS,
    ),
    **dict.fromkeys(("apply", "map", "applymap", "transform", "pipe"), _RUNS),
    **dict.fromkeys(("iloc", "iat", "at", "index", "reset_index", "set_index", "sort_index", "T", "transpose",
                     "take", "reindex"), _PLACES),
    **dict.fromkeys(("rolling", "expanding", "ewm", "shift", "diff", "pct_change", "cumsum", "cumprod", "cummax",
                     "cummin", "ffill", "bfill", "interpolate", "rank", "first", "last", "nth",
                     "is_monotonic_increasing", "duplicated", "drop_duplicates", "autocorr"), _ORDER),
    **dict.fromkeys(("idxmax", "idxmin", "argmax", "argmin"), _MOST),
    **dict.fromkeys(("pivot_table", "pivot", "melt", "stack", "unstack", "explode", "get_dummies"), _WIDE),
    **dict.fromkeys(("plot", "hist", "boxplot"), _DRAWS),
    **dict.fromkeys(("copy", "insert", "pop", "update"), _UNCHANGED),
    **dict.fromkeys(("reveal", "explain"), "is of what is asked: column.mean().reveal()"),
    "kurtosis": "is called kurt here",
    "product": "is not offered: products of many rows leave every range; ask for a sum of logarithms",
    "resample": "groups rows by their times; group by what these are: groupby(frame['time'].dt.month, "
    "domain=range(1, 13))",
    "merge": "is a function here, for frames of any owners: an.merge(frame, other, on=...)",
    "join": "joins rows by their places, and rows of several owners have none; an.merge(frame, other, on=...)",
    "append": "is a function here: an.concat([frame, other])",
    "crosstab": "is a function here: an.crosstab(frame['one'], frame['other'])",
    "info": "is what print(frame) says: names, kinds and numbers of rows; count() counts the values of each column",
    "select_dtypes": "is not offered: pick columns by their names, frame[[...]]; dtypes says what each holds",
    "filter": "is not offered: pick columns by their names, frame[[...]], and rows by a condition, frame[condition]",
    "replace": "is not offered: compute the column, frame['name'].where(frame['name'] != old, new)",
    "prod": "is not offered: products of many rows leave every range; ask for a sum of logarithms",
    "unique": "would show values, and these stay with their owners; ask which public ones are there: "
    "value_counts(domain=[...]), nunique(domain=[...])",
}  # fmt: skip
OF_FRAMES: Final = {
    "value_counts": _PAIRS,
    "mode": "is asked of one column, frame['name'].mode(domain=[...])",
    **dict.fromkeys(
        ("where", "mask", "isin", "between", "any", "all", "eq", "ne", "lt", "le", "gt", "ge"),
        "is asked of one column: frame['name'], and put into a frame by assign(...)",
    ),
    **dict.fromkeys(("size", "ndim", "empty"), "is not offered: shape says how many rows and columns there are"),
}
"""What columns offer, and frames do not."""
OF_COLUMNS: Final = {
    **dict.fromkeys(
        ("add", "sub", "subtract", "mul", "multiply", "div", "divide", "truediv", "floordiv", "mod", "pow", "radd",
         "rsub", "rmul", "rdiv", "rtruediv", "rfloordiv", "rmod", "eq", "ne", "lt", "le", "gt", "ge"),
        "is not offered: write the operator, as in frame['cost'] + 1 or frame['cost'] >= 1",
    ),
    **dict.fromkeys(("size", "shape", "ndim", "empty"), "is not offered: len(column) is the number of rows"),
    **dict.fromkeys(("dtype", "dtypes"), "is not offered: kind says what the column holds"),
    **dict.fromkeys(
        ("share", "to_frame"), "is of frames: pick the column as one, frame[['name']]"
    ),
    "rename": "is of frames: frame.rename(columns={...})",
    "hasnans": "is secret before it is revealed: column.isna().any()",
    "is_unique": "is secret before it is revealed: column.nunique()",
    "combine_first": "is not offered: frame['one'].fillna(frame['other'])",
}  # fmt: skip
"""What columns do not have, beside."""
OF_TEXT: Final = (
    "is not offered: owners write text anew with lower(), upper() and strip(), and ask it startswith(), endswith(), "
    "contains() and len(); make other text of it where the rows are, before they are opened"
)
OF_TIMES: Final = (
    "is not offered: take parts (year, quarter, month, day, day_of_week, hour, ...), date, floor(), ceil(), round() or "
    "days; names for them are given to what is revealed"
)
OF_GROUPS: Final = {
    "value_counts": "of each group is not offered; group by both: groupby([key, column]).size()",
    **dict.fromkeys(("any", "all"), "of each group is not offered; take min() or max() of a condition"),
    **dict.fromkeys(("get_group", "groups", "indices", "ngroup", "cumcount"), _SHOWS),
    "ngroups": "is secret before it is revealed; len(groups.size().reveal()) is it",
    **dict.fromkeys(("corr", "cov"), "of each group is not offered; filter for one group at a time"),
    **dict.fromkeys(
        ("nlargest", "nsmallest"),
        "of each group is not offered; take max() or min(), or filter for one group at a time",
    ),
    **dict.fromkeys(("mode", "unique"), "of each group is not offered; group by both: groupby([key, column]).size()"),
}
"""What frames offer, and groups do not."""


class RowsStayError(UnsupportedError, AttributeError):
    """What cannot be asked of rows that are not here; also an AttributeError, so that `hasattr` is False."""


def refused(
    name: str, reasons: Mapping[str, str] | None = None, *, like: str = "Series", others: str = _ELSEWHERE
) -> None:
    """Raise `RowsStayError` for what pandas has under this name, and rows of owners cannot.

    reasons: others beside `REASONS`. like: what has the name in pandas: "DataFrame", "Series", an accessor of one, or
    groups. others: the reason for what is in neither table.
    """
    reason = (reasons or {}).get(name) or (REASONS.get(name) if others == _ELSEWHERE else None)
    if not reason and not name.startswith("_") and hasattr(_pandas(like), name):
        reason = others
    if reason:
        raise RowsStayError(f"{name} {reason}")


def _pandas(like: str) -> Any:
    import pandas as pd

    kinds = {"DataFrame": pd.DataFrame, "Series": pd.Series, "str": pd.Series.str, "dt": pd.Series.dt}
    return kinds.get(like, pd.api.typing.DataFrameGroupBy)


class RowsStay:
    """Objects that say why they do not have what pandas' have."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        refused(name, OF_COLUMNS)
        raise AttributeError(f"a {type(self).__name__} has no attribute {name!r}")
