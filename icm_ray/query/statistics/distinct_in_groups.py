"""How many different values each group of public values has, whatever these are: an int; missing values do not count.

Of rows that owners hold it is found in tables of them (`query.values_in_groups`), of shared rows by their order within
groups (`query.ordered_groups`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ColumnError, InputError, PolicyError, ProgramError
from icm_ray.program.build import Builder
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.opened import Known, Number, Opened
from icm_ray.query.ordered_groups import OrderedGroups, ranks_of
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.partials import Taken, shared
from icm_ray.query.private_groups import places
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.rows import Rows, cells, column_of
from icm_ray.query.selection import MOST_ROWS, SelectedRows
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.values_in_groups import ValuesInGroups, distinct_in_groups

__all__ = ["COUNTED", "DistinctInGroups"]

COUNTED = frozenset({"int", "bool", "string"})
"""The kinds of values that are compared, each of which stands for itself."""


class DistinctInGroups(OfColumn, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="distinct_in_groups"):
    """values: of rows that owners hold, the column as a private key; None: of shared rows."""

    adds_up: ClassVar[bool] = False

    values: PrivateKeys | None = None

    @property
    def operation(self) -> str:
        return "nunique"

    @property
    def title(self) -> str:
        return f"number of distinct values of {self.in_words}"

    def partials(self, rows: Rows) -> tuple[OrderedGroups | ValuesInGroups, ...]:
        if not isinstance(rows, SelectedRows):
            stated = "" if rows.shared else ", domain={...}"
            raise ColumnError(
                f"{self.title}: of groups of merged rows that is not offered; group by both, and count the groups: "
                f"groupby([key, column]{stated}).size()",
                column=self.in_words,
            )
        if not rows.by:
            raise ProgramError(f"{self.title}: the rows are in no groups of public values")
        if rows.policy is not None:
            reason = f"{self.title}: values that few rows have would count, and the policy withholds such"
            raise PolicyError(reason, dataset=rows.source)
        kind = column_of(rows, self.column).kind
        if kind not in COUNTED:
            raise ColumnError(
                f"{self.title}: different values are counted of text, whole numbers and booleans, not of {kind}; ask "
                "before .share()",
                column=self.in_words,
            )
        if not rows.count:
            return ()
        if rows.shared:
            return (OrderedGroups(self.column),)
        if self.values is None or [key.of for key in self.values.keys] != [self.column]:
            raise ProgramError(f"{self.title}: nothing is said of how owners bring the values")
        if self.values.keys[0].kind != kind:
            raise ColumnError(f"{self.title}: it is {kind}, and not {self.values.keys[0].kind}", column=self.in_words)
        if isinstance(rows.base, OwnerRows) and (size := places(rows.base, self.values)) > MOST_ROWS:
            raise InputError(f"{self.title}: {size} places for different values; {MOST_ROWS} can be asked for")
        return (ValuesInGroups(self.column, self.values),)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        if not values:
            return {}
        if rows.shared or self.values is None:
            return {"distinct": ranks_of(builder, rows, shared(values[0]), self.column).distinct()}
        return {"distinct": distinct_in_groups(builder, shared(values[0]), self.values, cells(rows))}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> int:
        return numbers["distinct"].integers[0]

    def decode_cells(
        self, numbers: Mapping[str, Opened | Known], rows: Rows, cells: int
    ) -> list[Any] | NDArray[np.generic]:
        return np.array(numbers["distinct"].integers, np.int64) if numbers else np.zeros(cells, np.int64)

    def error(self, rows: Rows) -> ErrorBound:
        return EXACT

    def discloses(self, rows: Rows) -> str:
        return "how many different values there are; neither which, nor how many rows have them"

    def notes(self, rows: Rows) -> tuple[str, ...]:
        if self.values is None:
            return ("values are sorted on shares, in an order that nobody sees",)
        return (f"an owner brings {self.values.most} different values in groups at the most from a lane, public",)
