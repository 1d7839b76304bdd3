"""Files on the owners' own nodes, read by the owners' own workers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from analytics.csv_options import dialect_of, refuse_options
from analytics.frame import SecureFrame
from analytics.source_checks import check_owners, frame_of, log2_bounds
from icm_ray.errors import IcmError, InputError, SourceError
from icm_ray.policy import Policy
from icm_ray.query.tasks import CsvSource, ParquetSource
from icm_ray.runtime.driver.engine import Engine, Table

__all__ = ["Paths", "owner_paths", "read_csv", "read_parquet"]

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def read_csv(
    session: Engine,
    sources: Mapping[str, Paths],
    bounds: Mapping[str, Any] | None = None,
    columns: Sequence[str] | None = None,
    policy: Policy | None = None,
    *,
    sep: str = ",",
    decimal: str = ".",
    thousands: str | None = None,
    encoding: str = "utf-8",
    na_values: Any = None,
    dtype: Any = None,
    true_values: Sequence[str] | None = None,
    false_values: Sequence[str] | None = None,
    comment: str | None = None,
    skiprows: int | Sequence[int] | None = None,
    **others: Any,
) -> SecureFrame:
    """Open every owner's CSV files with a header line as one frame, cells read as pandas.read_csv reads them.

    Args:
        session: An open session.
        sources: By owner, a path or several; wildcards and directories too. Paths belong to the owner's node; relative
            ones are taken on a local cluster only. Columns may lie in directories' names: `year=2020/a.csv`. Files
            may be compressed, whatever they are called: gzip, bz2, xz, zstd, lz4, zip.
        bounds: By column the largest magnitude, in the column's unit, rounded up to a power of two; public; for
            `share`, which says what holds for columns without one. Of dates and times (first, last), of durations and
            decimals the largest or (least, largest).
        columns: Names of the columns to read; None: all.
        policy: What may be revealed of these rows, checked by every party's own worker; None: everything.
        sep: The character between cells.
        decimal: The decimal point.
        thousands: The character between groups of digits; None: there is none.
        encoding: The encoding of the text, by Python's name for it.
        na_values: A word or number, or a list of them, that stands for a missing value in any column, beside those of
            pandas; None: no other.
        dtype: One for all columns, or by column: int, float, bool or str; `dtype={"zip": str}` keeps "01234". None:
            what the cells look like.
        true_values: Words for truth beside true, True, TRUE.
        false_values: Words for the opposite beside false, False, FALSE.
        comment: The character that begins a comment, to the end of the line; None: there is none.
        skiprows: The number of lines before the header, or the numbers of lines to leave out, from 0 on; None: the
            header is the first line.
        **others: What else pandas.read_csv takes is refused, with what to write instead.

    Returns:
        A frame of the columns that all owners have. What is int with one owner and float with another is float.

    Raises:
        InputError: A setting that cannot be, or is of the wrong type.
        OwnerError: No owner, one that is not in the session, or nobody has rows.
        SourceError: A file that is missing, is not what the settings say (with the line, and what was expected), or is
            another one on another node.
        ColumnError: A column that is asked for, or has a bound, and is not there; a bound for a column without numbers.
            What is wrong with the values of a column is raised when it is used: `ColumnError` for kinds that differ, or
            integers that no kind holds; `NullError` for infinite values.
        BoundError: A bound that is no positive number.
        SessionError: The session is closed, or has lost all its lanes.
        FaultError: A worker fails.

    Examples:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> north.to_csv(folder / "north.csv", index=False)
        >>> south.to_csv(folder / "south.csv", index=False)
        >>> frame = an.read_csv(session, {"alice": folder / "north.csv", "bob": folder / "south.csv"})
        >>> frame["age"].sum().reveal()
        241
    """
    refuse_options(others)
    dialect = dialect_of(
        sep=sep,
        decimal=decimal,
        thousands=thousands,
        encoding=encoding,
        na_values=na_values,
        dtype=dtype,
        true_values=true_values,
        false_values=false_values,
        comment=comment,
        skiprows=skiprows,
    )
    return _read(session, sources, partial(CsvSource, dialect=dialect), bounds, columns, policy)


def read_parquet(
    session: Engine,
    sources: Mapping[str, Paths],
    bounds: Mapping[str, Any] | None = None,
    columns: Sequence[str] | None = None,
    policy: Policy | None = None,
) -> SecureFrame:
    """Open every owner's Parquet files as one frame.

    Args:
        session: An open session.
        sources: By owner, a path or several; wildcards and directories too. A directory stands for all files below it,
            as pandas and Spark write them with partition columns. Paths belong to the owner's node; relative ones are
            taken on a local cluster only.
        bounds: As in `read_csv`.
        columns: Names of the columns to read; None: all.
        policy: What may be revealed of these rows, checked by every party's own worker; None: everything.

    Returns:
        A frame of the columns that all owners have. What is int with one owner and float with another is float.

    Raises:
        InputError: An argument of the wrong type.
        OwnerError: No owner, one that is not in the session, or nobody has rows.
        SourceError: A file that is missing, cannot be read as Parquet, or is another one on another node.
        ColumnError: As in `read_csv`.
        BoundError: A bound that is no positive number.
        SessionError: The session is closed, or has lost all its lanes.
        FaultError: A worker fails.

    Examples:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> north.to_parquet(folder / "north.parquet")
        >>> south.to_parquet(folder / "south.parquet")
        >>> frame = an.read_parquet(session, {"alice": folder / "north.parquet", "bob": folder / "south.parquet"})
        >>> frame["age"].sum().reveal()
        241
    """
    return _read(session, sources, ParquetSource, bounds, columns, policy)


def _read(
    session: Engine,
    sources: Mapping[str, Paths],
    kind: Callable[[tuple[str, ...], tuple[str, ...] | None], CsvSource | ParquetSource],
    bounds: Mapping[str, Any] | None,
    columns: Sequence[str] | None,
    policy: Policy | None,
) -> SecureFrame:
    check_owners(session, sources, policy)
    log2_bounds(bounds, None)
    if isinstance(columns, str) or not isinstance(columns, Iterable | None):
        raise InputError(f"columns must be a list of names, not {columns!r}")
    # An engine whose workers share no file system with this process says local = False.
    local = bool(getattr(session, "local", True))
    wanted = None if columns is None else tuple(map(str, columns))
    paths = {owner: owner_paths(owner, given, local) for owner, given in sources.items()}
    tables: dict[str, Table] = {}
    try:
        for owner, own in paths.items():
            tables[owner] = session.open_table(owner, kind(own, wanted))
    except IcmError:
        session.forget([table.name for table in tables.values()])
        raise
    return frame_of(session, tables, bounds, policy)


def owner_paths(owner: str, given: Paths, local: bool) -> tuple[str, ...]:
    """Absolute paths; `~` is left to the owner's node. local: whether relative ones are taken, as of this process.

    Raises `SourceError` for what is no path, or none of a file.
    """
    listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else [given]
    if not listed:
        raise SourceError(f"owner {owner!r} brings no file", owner=owner)
    paths = []
    for item in listed:
        if not isinstance(item, str | os.PathLike):
            raise SourceError(f"owner {owner!r}: a path is needed, not {item!r}", owner=owner)
        path = _of_scheme(owner, os.fspath(item))
        if not os.path.isabs(path) and not path.startswith("~"):
            if not local:
                raise SourceError(
                    f"owner {owner!r}: {path!r} is relative, and paths belong to the owner's node; make it absolute",
                    owner=owner,
                    path=path,
                )
            path = os.path.abspath(path)
        paths.append(path)
    return tuple(paths)


def _of_scheme(owner: str, path: str) -> str:
    """The path of a file:// address; other paths as they are. Errors: `SourceError` (another scheme)."""
    if not _SCHEME.match(path):
        return path
    parts = urlsplit(path)
    if parts.scheme.lower() == "file" and parts.netloc in {"", "localhost"}:
        return unquote(parts.path)
    raise SourceError(
        f"owner {owner!r}: {parts.scheme}:// is not read; paths are files on the owner's own node (mount the store, or "
        "use from_pandas)",
        owner=owner,
        path=path,
    )
