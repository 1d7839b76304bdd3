"""`describe` of groups: pandas' table of numbers, a row for each group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from analytics.described import percentiles_of, verbs_of
from analytics.group_table import Wanted
from analytics.merged_meant import EMPTY
from analytics.query import Query
from analytics.withheld import Reasons, labels_of, mark
from icm_ray.errors import ColumnError, InputError, PolicyError
from icm_ray.query.disclosure import unanswered
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.tasks import GroupKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from analytics.group_keys import NamedGroups
    from analytics.meant import Meant
    from icm_ray.query.statistics.catalogue import Statistic

__all__ = ["DescribedGroups"]


class DescribedGroups:
    """Groups that are described."""

    __slots__ = ()

    if TYPE_CHECKING:
        _meant: Meant
        _groups: NamedGroups
        _single: bool

        def _aggregated(self, *functions: str) -> tuple[str, ...]: ...

        def _kind(self, item: Wanted) -> str: ...

        def _apart(self, item: Wanted) -> bool: ...

        def _statistic(self, dataset: str, item: Wanted) -> tuple[Statistic, Callable[[Any], Any] | None]: ...

        def _query(
            self, wanted: Sequence[Wanted], *, flat: bool, series: bool, title: str = "", finish: Any = None
        ) -> Query: ...

    def describe(self, percentiles: Sequence[float] | None = None) -> Query:
        """Describe the numbers of each group: count, mean, std, min, percentiles and max.

        Args:
            percentiles: Which ones, from 0 to 1; None: the quartiles.

        Returns:
            A query for a pandas DataFrame, a row for each group, whose columns are pairs of a column and what is said
            of it; of one picked column the latter. What a policy does not allow or withholds, and what is not offered
            of shared rows, is NaN, and `withheld` of the result says why.

        Raises:
            ColumnError: No column of numbers, or one that is not described.
            InputError: Percentiles that cannot be, or one twice.
            PolicyError: The policy allows nothing of it.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].describe().reveal().round(1)
                  count  mean   std   min   25%   50%   75%   max
            ward
            a       2.0  40.5   9.2  34.0  37.2  40.5  43.8  47.0
            b       3.0  53.3  21.5  29.0  45.0  61.0  65.5  70.0
        """
        columns = self._aggregated("mean")
        if not columns:
            raise ColumnError("there is no column of numbers to describe")
        every = [
            Wanted(name if self._single else (column, name), column, function, q=q)
            for column in columns
            for name, function, q in verbs_of(self._kind(Wanted(None, column, "")), column, percentiles_of(percentiles))
        ]
        reasons = {item.label: reason for item in every if (reason := self._refused(item)) is not None}
        asked = [item for item in every if item.label not in reasons]
        if not asked:
            raise self._refusal(next(iter(reasons.values())))
        floats = all(self._kind(item) in NUMBERS for item in every)

        def finish(table: Any) -> Any:
            found: Reasons = table.attrs["withheld"]
            made = (table.astype("float64") if floats else table).reindex(columns=_index(item.label for item in every))
            refused = (
                ((*labels_of(group), *labels_of(label)), reason)
                for label, reason in reasons.items()
                for group in table.index
            )
            return mark(made, Reasons((*found.cells, *refused), (*found, *reasons.values())))

        return self._query(asked, flat=self._single, series=False, finish=finish)

    def _refused(self, item: Wanted) -> str | None:
        """Why nobody would get it, from public facts alone."""
        by, session = self._groups.groups, self._meant.dataset.engine
        if isinstance(by, PrivateKeys) and self._apart(item):  # the groups that are opened are asked: of one as of all
            by = tuple(GroupKey(key.of, (EMPTY[key.kind],)) for key in by.keys)
        statistic, _ = self._statistic(self._meant.name(by), item)
        try:
            selected = self._meant.part(statistic, by).rows
        except InputError as error:  # merged rows do not have it
            return str(error)
        return unanswered(statistic, selected, (*session.parties, *session.owners))

    def _refusal(self, reason: str) -> ColumnError | PolicyError:
        facts = self._meant.dataset.facts
        return ColumnError(reason) if facts.policy is None else PolicyError(reason, dataset=facts.source)


def _index(labels: Iterable[Any]) -> Any:
    import pandas as pd

    return pd.Index(list(labels))
