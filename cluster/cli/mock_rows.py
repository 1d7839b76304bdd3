"""Mock rows as `icm data` states them: `--mock 1000 --mock-values ward=A,B,C --mock-values age=0..120
--mock-values patient=1..`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icm_ray.owner.mock_rows import MockColumn, MockRows

__all__ = ["stated"]


def stated(rows: int, values: Sequence[str]) -> MockRows | None:
    """None for no rows. Errors: `InputError` for what cannot be read, or values of no rows."""
    from icm_ray.errors import InputError
    from icm_ray.owner.mock_rows import MOST_MOCK_ROWS, MockRows

    if not 0 <= rows <= MOST_MOCK_ROWS:
        raise InputError(f"--mock {rows}: 0 (none) to {MOST_MOCK_ROWS} rows")
    if not rows and values:
        raise InputError("--mock-values is of mock rows: --mock 1000 says how many")
    columns = tuple(map(_column, values))
    names = [column.name for column in columns]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--mock-values {twice[0]}: it is stated twice")
    return MockRows(rows, columns) if rows else None


def _column(text: str) -> MockColumn:
    from icm_ray.errors import InputError
    from icm_ray.owner.mock_rows import MockColumn
    from icm_ray.query.kinds import one_form

    name, given, among = text.partition("=")
    if not (name and given and among):
        raise InputError(f"--mock-values {text}: it is COLUMN=A,B,C, COLUMN=LEAST..MOST or COLUMN=FIRST..")
    least, between, most = among.partition("..")
    if between:
        return MockColumn(one_form(name), between=(least, most))
    return MockColumn(one_form(name), tuple(among.split(",")))
