"""What the workers of several lanes saw of one table: parts of a pushed one, the same files of a read one."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.errors import ProgramError, SourceError
from icm_ray.query.kinds import PartColumns, agreed
from icm_ray.query.tasks import FileInfo, TableInfo

__all__ = ["merged", "one_view"]

_SECOND = 10**9  # copies keep times to a second, whatever the file system


def merged(infos: Sequence[TableInfo]) -> TableInfo:
    """One table out of what each lane holds of it: rows are added up; lanes that hold nothing have no columns.

    Errors: `ProgramError` (no lanes, or of unequal numbers of partitions).
    """
    if not infos or len({len(info.rows) for info in infos}) != 1:
        raise ProgramError("the lanes' views of a table have unequal numbers of partitions, or there are none")
    parts = [
        PartColumns(f"lane {lane}", info.columns, sum(info.rows)) for lane, info in enumerate(infos) if info.columns
    ]
    rows = tuple(sum(parts) for parts in zip(*(info.rows for info in infos), strict=True))
    return TableInfo(agreed(parts) if parts else (), rows)


def one_view(infos: Sequence[TableInfo], places: Sequence[str]) -> TableInfo:
    """The table that every lane's worker saw, each reading the same paths on its own node. places: of the lanes, in
    words.

    Errors: `SourceError` naming the first file in which two of them differ, and both places: rows of one and partitions
    of the other would be mixed.
    """
    first, *others = infos
    for info, place in zip(others, places[1:], strict=True):
        if difference := _difference(first, info, places[0], place):
            reason = f"{difference}; rows would be mixed: give all nodes the same files, their times kept"
            raise SourceError(reason, places=(places[0], place))
    return first


def _difference(one: TableInfo, other: TableInfo, here: str, there: str) -> str:
    mine, theirs = ({file.path: file for file in info.files} for info in (one, other))
    for path in [*mine, *theirs]:
        if path not in mine or path not in theirs:
            return f"{path}: there on {here if path in mine else there}, not on {there if path in mine else here}"
        if what := _file_difference(mine[path], theirs[path]):
            return f"{path}: {what[0]} on {here}, {what[1]} on {there}"
    kinds = [[(column.name, column.kind, bool(column.fault)) for column in info.columns] for info in (one, other)]
    if one.rows != other.rows or kinds[0] != kinds[1]:
        counts = [f"{sum(info.rows)} rows in {len(info.rows)} partitions" for info in (one, other)]
        return f"the files give unequal columns, or {counts[0]} on {here} and {counts[1]} on {there}"
    return ""


def _file_difference(one: FileInfo, other: FileInfo) -> tuple[str, str] | None:
    for before, after, unit in ((one.rows, other.rows, "rows"), (one.size, other.size, "bytes")):
        if before != after:
            return f"{before} {unit}", f"{after} {unit}"
    times = [file.modified // _SECOND for file in (one, other)]
    return (f"modified at {times[0]}", f"at {times[1]}") if times[0] != times[1] else None
