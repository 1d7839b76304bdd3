"""What every statistic says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from icm_ray.program.build import Builder
from icm_ray.query.error_bound import ErrorBound
from icm_ray.query.opened import Number
from icm_ray.query.partials import PartialAggregate, RowCount, Taken
from icm_ray.query.rows import Rows, column_of

__all__ = ["OfColumn", "StatisticFaces"]


class StatisticFaces(Protocol):
    """One statistic of one column; `rows`: the public facts of its dataset."""

    @property
    def dataset(self) -> str:
        """Of what rows."""

    @property
    def column(self) -> str:
        """Of which column."""

    @property
    def title(self) -> str:
        """What it is, in words: "mean of cost"."""

    def partials(self, rows: Rows) -> tuple[PartialAggregate | RowCount, ...]:
        """What it takes of the lanes."""

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        """What the result is read from, by a word that says what it is: shared values are opened, others public.

        values: those of `partials`.
        """

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> Any:
        """The result, from the numbers of `finish`."""

    def error(self, rows: Rows) -> ErrorBound:
        """How far the result may be from the plaintext one."""

    def error_in_words(self, rows: Rows) -> str:
        """The same, for people."""

    def discloses(self, rows: Rows) -> str:
        """What is opened, in words."""

    def notes(self, rows: Rows) -> tuple[str, ...]:
        """What else to know about the result."""


class OfColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """dataset, column: of what. Statistics of numbers have most faces in common."""

    dataset: str
    column: str

    def whole(self, rows: Rows) -> bool:
        """Whether results are integers."""
        return column_of(rows, self.column).kind != "float"

    def error_in_words(self: StatisticFaces, rows: Rows) -> str:
        """The bound, for people."""
        return str(self.error(rows))

    def notes(self, rows: Rows) -> tuple[str, ...]:
        """What else to know about the result."""
        return ()
