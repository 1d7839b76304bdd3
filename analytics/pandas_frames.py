"""pandas frames that this process holds for the owners: sent to the owners' workers, a partition at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from analytics.arrow_streams import ArrowRows, Rows, streams, twice
from analytics.frame import SecureFrame
from analytics.source_checks import check_columns, check_owners, frame_of, log2_bounds
from icm_ray.errors import ColumnError, IcmError, InputError, OwnerError
from icm_ray.owner.columns import kind_of
from icm_ray.policy import Policy
from icm_ray.query.kinds import one_form
from icm_ray.query.selection import MOST_CELLS
from icm_ray.query.tasks import ColumnInfo, PushedSource, TableInfo
from icm_ray.runtime.driver.engine import Engine, Table

__all__ = ["from_pandas"]


def from_pandas(
    session: Engine,
    sources: Mapping[str, Any],
    bounds: Mapping[str, Any] | None = None,
    policy: Policy | None = None,
) -> SecureFrame:
    """Send what this process holds for every owner to the owners' workers, as one frame.

    Args:
        session: An open session.
        sources: By owner a pandas.DataFrame, a Series, a dict of columns, or whatever offers an Arrow stream (tables of
            polars, duckdb, pyarrow). Indices are left out; names of columns that are integers become text. Integers,
            floats and booleans, nullable and sparse ones too, are numbers; a column of Python objects is what its
            values are; periods and intervals are none. The categories of a categorical column of text are public: it
            is grouped by without stating a domain.
        bounds: As in `read_csv`.
        policy: As in `read_csv`.

    Returns:
        A frame of the columns that all owners have. What is int with one owner and float with another is float.

    Raises:
        OwnerError: No owner, one that is not in the session, or nobody has rows.
        InputError: What is no frame, a policy that is none, or a partition that is too large for a link.
        ColumnError: Names of columns that are neither text nor integers, no columns, or a bound for what is no column
            of numbers. What is wrong with the values of a column is raised when it is used, as in `read_csv`.
        BoundError: A bound that is no positive number.
        SessionError: The session is closed, or has lost all its lanes.
        FaultError: A worker fails.

    Examples:
        >>> frame = an.from_pandas(session, {"alice": north, "bob": south})
        >>> len(frame)
        5
    """
    check_owners(session, sources, policy)
    brought = {owner: _rows_of(owner, source) for owner, source in sources.items()}
    counts = {owner: len(rows) for owner, rows in brought.items()}
    if not any(counts.values()):
        raise OwnerError(f"no rows: {', '.join(counts)} bring none")
    log2_bounds(bounds, check_columns({owner: rows.columns for owner, rows in brought.items()}, counts))
    tables: dict[str, Table] = {}
    try:
        for owner, rows in brought.items():
            partitions, payloads = streams(rows, session.config.partition_bytes)
            table = session.open_table(owner, PushedSource(partitions), payloads)
            lacking = {column.name: column.nullable for column in table.info.columns}
            columns = (msgspec.structs.replace(info, nullable=lacking.get(info.name, True)) for info in rows.columns)
            tables[owner] = replace(table, info=TableInfo(tuple(columns), table.info.rows))
    except IcmError:
        session.forget([table.name for table in tables.values()])
        raise
    return frame_of(session, tables, bounds, policy)


def _rows_of(owner: str, source: Any) -> Rows:
    """Errors: `InputError`, `ColumnError`."""
    import pandas as pd

    if isinstance(source, pd.Series):
        return PandasRows.of(owner, source.to_frame(0 if source.name is None else source.name))
    if isinstance(source, Mapping):
        try:
            return PandasRows.of(owner, pd.DataFrame(dict(source)))
        except (ValueError, TypeError):
            reason = f"owner {owner!r}: a dict must hold columns of one length, by name"
            raise InputError(reason, owner=owner) from None
    if isinstance(source, pd.DataFrame):
        return PandasRows.of(owner, source)
    rows = ArrowRows.of(owner, source)
    if rows is None:
        raise InputError(
            f"owner {owner!r}: a pandas.DataFrame, a Series, a dict of columns or an Arrow table is needed, "
            f"not {type(source).__name__}",
            owner=owner,
        )
    return rows


@dataclass(frozen=True, slots=True)
class PandasRows:
    """A frame, and how each of its columns that can be sent becomes Arrow's: position, Arrow type, what prepares it."""

    frame: Any
    columns: tuple[ColumnInfo, ...]
    sent: Mapping[str, tuple[int, Any, Callable[[Any], Any]]]

    @classmethod
    def of(cls, owner: str, frame: Any) -> PandasRows:
        """Errors: `ColumnError` (no columns, or names that are neither text nor integers)."""
        import pyarrow as pa

        names = [_name(owner, given) for given in frame.columns]
        if not names:
            raise ColumnError(f"{owner}: the frame has no columns", owner=owner)
        infos: list[ColumnInfo] = []
        sent: dict[str, tuple[int, Any, Callable[[Any], Any]]] = {}
        for position, name in enumerate(names):
            if name in names[:position]:
                continue
            if names.count(name) > 1:
                infos.append(ColumnInfo(name, "unequal", fault=twice(owner, name)))
                continue
            column = frame.iloc[:, position]
            prepare, kind = _preparation(column)
            try:
                held = _arrow_type(prepare(column), column)
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                fault = f"{owner}: column {name!r} ({column.dtype}) holds values of different types; convert it to one"
                infos.append(ColumnInfo(name, "unequal", fault=fault))
                continue
            empty = len(column) > 0 and bool(column.iloc[:1].isna().all()) and bool(column.isna().all())
            kind = "null" if empty else kind or kind_of(pa.field(name, held))
            infos.append(ColumnInfo(name, kind, categories=_categories(column, kind)))
            sent[name] = (position, held, prepare)
        if not sent:
            raise ColumnError(infos[0].fault, owner=owner, column=infos[0].name)
        return cls(frame, tuple(infos), sent)

    def __len__(self) -> int:
        return len(self.frame)

    def cut(self, start: int, stop: int) -> Any:
        import pyarrow as pa

        piece = self.frame.iloc[start:stop]
        arrays = {
            name: pa.array(prepare(piece.iloc[:, position]), held, from_pandas=True)
            for name, (position, held, prepare) in self.sent.items()
        }
        return pa.table(arrays, schema=pa.schema([(name, held) for name, (_, held, _) in self.sent.items()]))


def _name(owner: str, given: Any) -> str:
    if isinstance(given, str):
        return one_form(given)
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        return str(given)
    reason = f"{owner}: column names must be text or integers, not {given!r}; rename it, or join its levels"
    raise ColumnError(reason, owner=owner, column=str(given))


def _categories(column: Any, kind: str) -> tuple[str, ...]:
    """The categories of text of a categorical column, which are public with it; () where there are none, or many."""
    import pandas as pd

    if kind != "string" or not isinstance(column.dtype, pd.CategoricalDtype) or len(column.cat.categories) > MOST_CELLS:
        return ()
    return tuple(map(str, column.cat.categories))


def _preparation(column: Any) -> tuple[Callable[[Any], Any], str]:
    """(what makes what Arrow takes of some of a column's rows, its kind where Arrow's type does not tell)."""
    import pandas as pd

    if isinstance(column.dtype, pd.SparseDtype):
        return lambda some: some.sparse.to_dense(), ""
    if isinstance(column.dtype, pd.PeriodDtype | pd.IntervalDtype):
        return lambda some: some.astype("string"), str(column.dtype)
    return lambda some: some, ""


def _arrow_type(column: Any, given: Any) -> Any:
    """The type that holds all values: objects are looked at, other columns have one already."""
    import pyarrow as pa

    known = given.dtype.kind in "biuf" and isinstance(given.dtype, np.dtype)
    return pa.array(column.iloc[:0] if known else column, from_pandas=True).type
