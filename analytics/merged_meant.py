"""The merged rows that a frame or a column means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from msgspec import structs

from analytics.dataset import Dataset
from analytics.execute import Part
from analytics.meant import Groups, Meant
from icm_ray.errors import ColumnError
from icm_ray.query.expressions.tree import Of, Scalar, apply, literal
from icm_ray.query.expressions.words import words
from icm_ray.query.merge import Merge, MergedRows
from icm_ray.query.merged_shares import MergedShares, rows_of_merge
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.private_keys import MOST_INTEGER, PrivateKeys
from icm_ray.query.rows import column_of
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.selection import Selection
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.tasks import ColumnInfo

__all__ = ["EMPTY", "MergedMeant"]

EMPTY: Final[Mapping[str, Scalar]] = {"int": 0, "bool": False, "string": ""}
"""Of each kind of private keys a value that stands where one is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedMeant(Meant):
    """dataset: of the left frame. right: of the right one. merge: of all rows, as questions have it. where: of the
    merged rows those that are meant.
    """

    right: Dataset
    merge: Merge

    @property
    def origin(self) -> object:
        """What columns that are computed with one another have in common."""
        return self.merge

    @property
    def facts(self) -> OwnerRows | SecretRows:
        rows = rows_of_merge(self.merge, self.dataset.facts, self.right.facts)
        return rows.joined if isinstance(rows, MergedShares) else self.dataset.facts

    def asked(self, by: Groups = ()) -> Merge:
        """The merged rows that are meant, in groups; rows that lack a private key of theirs are in none."""
        if not isinstance(by, PrivateKeys):
            return structs.replace(self.merge, where=self.where, by=tuple(by))
        if isinstance(self.dataset.facts, SecretRows):
            return structs.replace(self.merge, where=self.where, private=by)
        where, keys = self.where, []
        right = {column.name: column.of for column in self.merge.columns if column.right}
        bounds: Mapping[Of, int] = dict(self.right.facts.log2_bounds) if isinstance(self.right.facts, OwnerRows) else {}
        for key in by.keys:
            info, of = self.info(key.of), key.of
            if info.nullable:
                there = apply("not", (apply("is_null", (of,)),))
                where = there if where is None else apply("and", (where, there))
                of = apply("fill", (of, literal(EMPTY[key.kind])))
            size = key.size
            if key.kind == "int":
                held = right.get(key.of) if isinstance(key.of, str) else None
                size = min(max(bounds.get(held, MOST_INTEGER), 0), MOST_INTEGER) if held is not None else MOST_INTEGER
            keys.append(structs.replace(key, of=of, size=size))
        return structs.replace(self.merge, where=where, private=structs.replace(by, keys=tuple(keys)))

    def rows(self, by: Groups = ()) -> MergedRows:
        """Their public facts. Errors: those of `MergedRows`."""
        return rows_of_merge(self.asked(by), self.dataset.facts, self.right.facts)

    @property
    def added_up(self) -> bool:
        """Where their owners hold both frames."""
        return not self.facts.shared

    def titled(self, title: str) -> str:
        """What is asked of them, in words."""
        return f"{title} of merged rows"

    def check_column(self, of: Of) -> None:
        """Refuse what is of both sides, or not computed. Errors: `ColumnError`, `BoundError`."""
        self.rows().check_column(of)

    def info(self, of: Of) -> ColumnInfo:
        """The name, the kind of an expression, and whether values may be missing. Errors: `ColumnError`."""
        return column_of(self.rows(), of)

    def chosen(self, condition: Of) -> MergedMeant:
        """Those of these rows where a condition is true as well. Errors: `ColumnError` (no condition)."""
        if (kind := self.info(condition).kind) != "bool":
            raise ColumnError(f"{words(condition)}: rows are chosen by a condition, not by {kind}")
        where = condition if self.where is None else apply("and", (self.where, condition))
        made = replace(self, where=where)
        made.rows()  # refuses what cannot be
        return made

    def selection(self, by: Groups = ()) -> Selection | None:
        """None: no rows of a dataset. Errors: those of `rows`."""
        self.rows(by)  # refuses what cannot be
        return None

    def name(self, by: Groups = ()) -> str:
        """Under which statistics speak of them."""
        return self.asked(by).name

    def part(self, statistic: Statistic, by: Groups = ()) -> Part:
        """A statistic of these rows, which it names. Errors: those of `MergedRows.check`."""
        self.rows(by).check(statistic)
        return Part(self.dataset, statistic, None, (self.asked(by), self.right))
