"""The rows that a frame or a column means: all of a dataset, or those where a condition is true."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analytics.dataset import Dataset, pool_of
from analytics.execute import Part
from analytics.other_lanes import in_lanes
from analytics.sharing import share
from icm_ray.errors import InputError
from icm_ray.query.expressions.tree import Of, apply
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.question import SharedColumn
from icm_ray.query.result_units import Ticks
from icm_ray.query.rows import column_of
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.tasks import ColumnInfo, GroupKey

__all__ = ["Groups", "Meant", "same_lanes"]

Groups = Sequence[GroupKey] | PrivateKeys
"""What rows are grouped by: public values, or private ones."""


@dataclass(frozen=True, slots=True)
class Meant:
    """dataset: of what. where: the rows that are meant; None: all."""

    dataset: Dataset
    where: Of | None = None

    @property
    def origin(self) -> object:
        """What columns that are computed with one another have in common."""
        return self.dataset

    @property
    def dataset_facts(self) -> OwnerRows | SecretRows:
        """The public facts of the dataset."""
        return self.dataset.facts

    @property
    def facts(self) -> OwnerRows | SecretRows:
        """The public facts of the rows whose columns these are."""
        return self.dataset_facts

    @property
    def mock(self) -> bool:
        """Whether rows are invented ones."""
        return self.dataset.engine.mock

    @property
    def home(self) -> object:
        """What rows of one session, or of one connection, have in common."""
        return self.dataset.engine.home

    def among(self, others: Iterable[str]) -> Meant:
        """The same rows in lanes with these organisations, if the session has such. Errors: those of `in_lanes`."""
        return Meant(in_lanes(self.dataset, self.dataset.engine.among(others)), self.where)

    def above(self, others: Sequence[Meant]) -> Meant:
        """All of these rows, the others' below them, in lanes of all of their owners. Errors: `InputError` for those of
        different sessions, and those of `in_lanes` and `pool_of`.
        """
        if (found := same_lanes([self, *others])) is None:
            raise InputError("frames of different sessions cannot be concatenated")
        return Meant(pool_of([part for meant in found for part in meant.dataset.bases]), self.where)

    def shares(self, columns: tuple[SharedColumn, ...]) -> Meant:
        """Columns of these rows as shares. Errors: those of `share`."""
        made = share(self.dataset, columns, self.where)
        return Meant(made, made.facts.where)

    def forget(self) -> None:
        """Let the workers drop the rows of the dataset."""
        self.dataset.forget()

    def aligned(self, other: Meant) -> bool:
        """Whether a column of other rows has a value for each of these: they are the same, or all."""
        return other.origin is self.origin and other.where in (None, self.where)

    @property
    def added_up(self) -> bool:
        """Whether nothing but counts, sums and extremes is asked of them, in groups where there are any."""
        return False

    def titled(self, title: str) -> str:
        """What is asked of them, in words."""
        return title

    def check_column(self, of: Of) -> None:
        """Refuse what is no column of these rows, though it has a kind. Errors: `ColumnError`."""

    def info(self, of: Of) -> ColumnInfo:
        """The name, the kind of an expression, and whether values may be missing. Errors: `ColumnError`."""
        return column_of(self.dataset_facts, of)

    def ticks(self, of: Of, *, from_zero: bool = False) -> Ticks:
        """What a column of dates, times, durations or decimals is as whole numbers. from_zero: whether 0 stands for 0,
        as what is added up needs it.
        """
        facts = self.facts
        if not isinstance(facts, SecretRows):
            return Ticks(apply("ticks", (of,)))
        origin, step = facts.grid(of).in_ticks(self.info(of).kind)
        if from_zero:
            origin, step = 0, math.gcd(origin, step)
        return Ticks(apply("ticks", (of,), (origin, step)), origin, step)

    def chosen(self, condition: Of) -> Meant:
        """Those of these rows where a condition is true as well. Errors: `ColumnError` (no condition)."""
        where = condition if self.where is None else apply("and", (self.where, condition))
        SelectedRows(Selection(self.dataset.facts.name, where), self.dataset.facts)  # refuses what is no condition
        return Meant(self.dataset, where)

    def selection(self, by: Groups = ()) -> Selection | None:
        """As a question names them; None: the whole dataset."""
        if isinstance(by, PrivateKeys):
            return Selection(self.dataset.facts.name, self.where, private=by)
        if self.where is None and not by:
            return None
        return Selection(self.dataset.facts.name, self.where, tuple(by))

    def name(self, by: Groups = ()) -> str:
        """Under which statistics speak of them."""
        selection = self.selection(by)
        return self.dataset.facts.name if selection is None else selection.name

    def part(self, statistic: Statistic, by: Groups = ()) -> Part:
        """A statistic of these rows, which it names."""
        return Part(self.dataset, statistic, self.selection(by))


def same_lanes(meants: Sequence[Meant]) -> list[Meant] | None:
    """The rows of all of them in lanes of all of their owners; None: of different sessions. Shares beside rows that are
    none stay where they are: whoever takes both refuses them.

    Errors: `InputError` (rows that were forgotten), those of assembling lanes, and of opening rows in them.
    """
    if len({meant.dataset_facts.shared for meant in meants}) > 1:
        return list(meants)
    if any(meant.home is not meants[0].home for meant in meants):
        return None
    owners = {owner for meant in meants for owner in meant.dataset_facts.owners}
    return [meant.among(owners) for meant in meants]
