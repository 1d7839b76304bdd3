"""How many values of a public domain are there, and which are there most often; values of none of them do not count.

Of rows in groups, public or private, the groups that have rows are counted in the same way.

Counts c_v of each value v are taken on shares and not opened. The number of distinct values is the sum of the bits
[c_v >= 1]; the modes are where the product of the bits [c_v >= max c] and [c_v >= 1] is 1. Under a policy a value that
0 < c_v < k rows have would be told to be there: the number is withheld where there is one, and modes where max c is so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from icm_ray.errors import ColumnError, InputError, PolicyError, ProgramError
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import AssumeWidth, Expand, Scale, Subtract
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Product
from icm_ray.ops.values import ValueType, log2_ceil
from icm_ray.program.build import Builder, Value
from icm_ray.query.entity_units import least
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.expressions.tree import EVERY_ROW, Scalar
from icm_ray.query.opened import Known, Number, Opened
from icm_ray.query.partials import Join, PartialAggregate, Taken, largest, shared
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.selection import check_key
from icm_ray.query.small_cells import few, guarded
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.tasks import ColumnInfo, GroupKey

__all__ = ["CountsOfValues", "Distinct"]


class Distinct(OfColumn, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="distinct"):
    """domain: the values; none of rows that are grouped by the column. modes: those that are there most often, as a
    tuple in the domain's order; else how many of them are there.
    """

    adds_up: ClassVar[bool] = False

    domain: tuple[Scalar, ...] = ()
    modes: bool = False

    @property
    def operation(self) -> str:
        return "mode" if self.modes else "nunique"

    @property
    def told_at(self) -> tuple[Scalar, ...]:
        return self.domain

    @property
    def title(self) -> str:
        return f"{'mode' if self.modes else 'number of distinct values'} of {self.in_words}"

    def partials(self, rows: Rows) -> tuple[CountsOfValues | ValuesOfColumn]:
        if not self.domain:
            return self._of_groups(rows)
        if rows.groups:
            raise InputError(f"{self.title}: of each group that is not offered; filter for one group at a time")
        if rows.shared:
            raise ColumnError(f"{self.title}: of shares that is not offered; ask it of the frame before .share()")
        check_key(GroupKey(self.column, self.domain), column_of(rows, self.column))
        return (CountsOfValues(self.column, self.domain),)

    def _of_groups(self, rows: Rows) -> tuple[ValuesOfColumn]:
        if not rows.groups or (self.modes and len(rows.by) != 1):
            raise ProgramError(f"{self.title}: the rows are not grouped by their values")
        if rows.policy is not None:
            reason = f"{self.title}: values that few rows have are withheld: state them, domain=[...], before .share()"
            raise PolicyError(reason, dataset=rows.source)
        return (ValuesOfColumn(EVERY_ROW),)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        counts, policy = shared(values[0]), rows.policy
        told = self._told(builder, counts)
        if policy is None:
            return told
        compared = largest(builder, counts) if self.modes else counts
        small = builder.add(Total(), few(builder, compared, least(policy, policy.min_rows)))
        none = builder.add(AtLeast(0, small.type.width + 1), builder.add(Scale(-1), small))
        return guarded(builder, builder.add(AssumeWidth(2), none), told)

    def _told(self, builder: Builder, counts: Value) -> Mapping[str, Taken]:
        width = counts.type.width + 2
        there = builder.add(AtLeast(1, width), counts)
        if not self.modes:
            return {"distinct": builder.add(Total(), there)}
        most = builder.add(Expand(counts.type.shape), largest(builder, counts))
        short = builder.add(Subtract(), counts, most)
        first = builder.add(AtLeast(0, short.type.width + 1), short)
        return {"modes": builder.add(Product(Elementwise()), there, first)}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> int | tuple[Scalar, ...]:
        if not self.modes:
            return numbers["distinct"].integers[0]
        domain = self.domain or rows.by[0].domain
        return tuple(value for value, bit in zip(domain, numbers["modes"].integers, strict=True) if bit)

    def decode_cells(self, numbers: Mapping[str, Opened | Known], rows: Rows, cells: int) -> list[Any]:
        """One result, of all groups."""
        return [self.decode(numbers, rows)]

    def follow(self, answer: Any, rows: Rows) -> tuple[Any, Any]:
        return None, answer[0] if rows.groups else answer

    def error(self, rows: Rows) -> ErrorBound:
        return EXACT

    def discloses(self, rows: Rows) -> str:
        size = len(self.domain) or rows.groups
        if rows.private is not None:
            return "how many different values there are; neither which, nor a count"
        if self.modes:
            return f"which of {size} public values are there most often; no count"
        return f"how many of {size} public values are there; neither which, nor a count"

    def notes(self, rows: Rows) -> tuple[str, ...]:
        return () if rows.private is not None else ("values outside of the stated ones are not counted",)


@dataclass(frozen=True, slots=True)
class CountsOfValues(PartialAggregate):
    """The number of times (values,) that each of some values is there, which owners count."""

    words: ClassVar[str] = "counts"
    rule: ClassVar[Join] = Join.SUM

    domain: tuple[Scalar, ...]

    @property
    def kind(self) -> str:
        return "count"

    @property
    def by(self) -> tuple[GroupKey, ...]:
        return (GroupKey(self.column, self.domain),)

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return ValueType(shape=(cells,), width=log2_ceil(rows + 1) + 1)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ProgramError("values of shares are not counted by a domain")
