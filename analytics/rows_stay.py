"""What pandas offers and frames of rows that are not here cannot: each is refused with its reason, and a way out."""

from __future__ import annotations

from typing import Any, Final

from icm_ray.errors import UnsupportedError

__all__ = ["RowsStay", "RowsStayError", "refused"]

_SHOWS: Final = (
    "would show rows, and these stay with their owners; ask for statistics: describe(), groupby(...).agg(...)"
)
_RUNS: Final = (
    "would run your function on rows, and these stay with their owners; they compute columns with operators and "
    "methods: assign(...), where(...), isin(...), str, dt"
)
_PLACES: Final = "picks rows by their places, and rows of several owners have none; choose them: frame[condition]"
_REASONS: Final = {
    **dict.fromkeys(
        ("head", "tail", "sample", "values", "array", "to_numpy", "to_pandas", "to_dict", "to_list", "tolist", "to_csv",
         "to_parquet", "to_arrow", "to_records", "iterrows", "itertuples"),
        _SHOWS,
    ),
    **dict.fromkeys(("apply", "map", "transform", "pipe"), _RUNS),
    **dict.fromkeys(("iloc", "loc", "iat", "at", "index", "reset_index", "set_index", "T", "transpose"), _PLACES),
    "unique": "would show values, and these stay with their owners; ask which public ones are there: "
    "value_counts(domain=[...]), nunique(domain=[...])",
}  # fmt: skip


class RowsStayError(UnsupportedError, AttributeError):
    """What cannot be asked of rows that are not here; also an AttributeError, so that `hasattr` is False."""


def refused(name: str) -> None:
    """Raise `RowsStayError` for what pandas has under this name, and rows of owners cannot."""
    if name in _REASONS:
        raise RowsStayError(f"{name} {_REASONS[name]}")


class RowsStay:
    """Objects that say why they do not have what pandas' have."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        refused(name)
        raise AttributeError(f"a {type(self).__name__} has no attribute {name!r}")
