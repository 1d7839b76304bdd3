"""What questions know of the rows behind a dataset, wherever these are: public facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from icm_ray.errors import ColumnError
from icm_ray.ops.labels import Labels
from icm_ray.policy import Policy
from icm_ray.query.tasks import ColumnInfo

__all__ = ["Rows", "column_of"]


class Rows(Protocol):
    """The rows of a dataset: with their owners, or as shares of the parties."""

    @property
    def name(self) -> str:
        """Of the dataset, unlike all others of the session."""

    @property
    def policy(self) -> Policy | None:
        """What may be revealed."""

    @property
    def source(self) -> str:
        """The name under which parties keep that policy."""

    @property
    def columns(self) -> tuple[ColumnInfo, ...]:
        """Names and kinds."""

    @property
    def count(self) -> int:
        """Rows of all owners together."""

    @property
    def owners(self) -> Mapping[str, int]:
        """The rows that each owner brought."""

    @property
    def shared(self) -> bool:
        """Whether the rows are shares."""

    @property
    def lanes(self) -> frozenset[int]:
        """The lanes whose workers hold or read rows."""

    def labels(self, lane: int) -> Labels:
        """Whose rows anything is made of that is computed of all rows of a lane, merged."""

    @property
    def kept(self) -> Sequence[str]:
        """The names under which workers keep the rows: of tables, or of shares."""

    def rounding(self, column: str) -> float:
        """How far one value of the column, as it is computed with, may be from the plain one."""

    def one_word(self, column: str) -> bool:
        """Whether the sum of a column's values, whatever they are, stays in 64 bits wherever it is put together."""

    def step(self, column: str) -> int:
        """Fractional bits of the values that counts and extremes compare; -1 where owners compare plain values."""


def column_of(rows: Rows, name: str) -> ColumnInfo:
    """A column by its name; raises `ColumnError` where there is none."""
    for column in rows.columns:
        if column.name == name:
            return column
    raise ColumnError(f"{rows.name} has no column {name!r}", column=name)
