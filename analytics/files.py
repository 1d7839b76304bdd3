"""Files on the owners' own nodes, read by the owners' own workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from analytics.frame import SecureFrame
from analytics.source_checks import check_owners, frame_of, log2_bounds
from icm_ray.errors import IcmError, InputError, SourceError
from icm_ray.policy import Policy
from icm_ray.query.tasks import CsvSource, ParquetSource
from icm_ray.runtime.driver.engine import Engine, Table

__all__ = ["Paths", "read_csv", "read_parquet"]

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
_Source = TypeVar("_Source", CsvSource, ParquetSource)


def read_csv(
    session: Engine,
    sources: Mapping[str, Paths],
    bounds: Mapping[str, float] | None = None,
    columns: Sequence[str] | None = None,
    policy: Policy | None = None,
) -> SecureFrame:
    """One frame over every owner's CSV files with a header line; sources: by owner, a path or several, wildcards too.

    Paths belong to the owner's node; relative ones are taken on a local cluster only. columns: those to read (all).
    bounds: by column the largest magnitude, in the column's unit, rounded up to a power of two; public; for `share`.
    policy: what may be revealed of these rows, checked by every party's own worker.
    Errors, before anything is shared: `OwnerError`, `SourceError` (missing or unreadable), `ColumnError` (unequal
    columns or kinds), `BoundError`; null, NaN and infinite values are refused by the owner's worker (`NullError`) when
    they are used.

    Examples:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> north.to_csv(folder / "north.csv", index=False)
        >>> south.to_csv(folder / "south.csv", index=False)
        >>> frame = an.read_csv(session, {"alice": folder / "north.csv", "bob": folder / "south.csv"})
        >>> frame["age"].sum().reveal()
        241
    """
    return _read(session, sources, CsvSource, bounds, columns, policy)


def read_parquet(
    session: Engine,
    sources: Mapping[str, Paths],
    bounds: Mapping[str, float] | None = None,
    columns: Sequence[str] | None = None,
    policy: Policy | None = None,
) -> SecureFrame:
    """One frame over every owner's Parquet files; arguments and errors as in `read_csv`.

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
    kind: Callable[[tuple[str, ...], tuple[str, ...] | None], _Source],
    bounds: Mapping[str, float] | None,
    columns: Sequence[str] | None,
    policy: Policy | None,
) -> SecureFrame:
    check_owners(session, sources, policy)
    log2_bounds(bounds, None)
    if isinstance(columns, str):
        raise InputError(f"columns must be a list of names, not the string {columns!r}")
    # An engine whose workers share no file system with this process says local = False.
    local = bool(getattr(session, "local", True))
    wanted = None if columns is None else tuple(columns)
    paths = {owner: _paths(owner, given, local) for owner, given in sources.items()}
    tables: dict[str, Table] = {}
    try:
        for owner, own in paths.items():
            tables[owner] = session.open_table(owner, kind(own, wanted))
    except IcmError:
        session.forget([table.name for table in tables.values()])
        raise
    return frame_of(session, tables, bounds, policy)


def _paths(owner: str, given: Paths, local: bool) -> tuple[str, ...]:
    """Absolute paths; `~` is left to the owner's node."""
    listed = [given] if isinstance(given, str | os.PathLike) else list(given)
    if not listed:
        raise SourceError(f"owner {owner!r} brings no file", owner=owner)
    paths = []
    for item in listed:
        if not isinstance(item, str | os.PathLike):
            raise SourceError(f"owner {owner!r}: a path is needed, not {item!r}", owner=owner)
        path = os.fspath(item)
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
