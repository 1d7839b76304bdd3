"""A question that is asked but not yet answered: explained first, revealed on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analytics.dataset import Dataset
from analytics.execute import Part, check, explain, run
from analytics.uncompared import Uncompared
from icm_ray.errors import InputError
from icm_ray.query.error_bound import ErrorBound
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.runtime.driver.engine import Engine

__all__ = ["Query"]


class Query(Uncompared):
    """One statistic of a column. Nothing is computed, shared or opened before `reveal`.

    Examples:
        >>> visits["age"].mean()
        <mean of age, not revealed: .explain() says what .reveal() opens>
    """

    __slots__ = ("_part",)

    def __init__(self, dataset: Dataset, statistic: Statistic) -> None:
        self._part: Part = dataset, statistic

    @property
    def _title(self) -> str:
        return self._part[1].title

    def __repr__(self) -> str:
        return f"<{self._title}, not revealed: .explain() says what .reveal() opens>"

    def _why(self) -> str:
        return f"{self._title} has no value before .reveal(); compare what that gives"

    def __bool__(self) -> bool:
        raise TypeError(f"{self._title} has no value before .reveal()")

    def __float__(self) -> float:
        raise TypeError(f"{self._title} has no value before .reveal()")

    @property
    def error(self) -> ErrorBound:
        """A bound on the distance to the plaintext result, in the column's units; public, known beforehand.

        Examples:
            >>> print(visits["age"].sum().error)
            exact
        """
        dataset, statistic = self._part
        return statistic.error(dataset.facts)

    def explain(self, to: str | None = None) -> str:
        """What `reveal(to)` opens and to whom, public sizes, rounds, bytes, bytes from the dealer, error bound.

        Errors: those of `reveal` that are found before anything is shared.

        Examples:
            >>> print(visits["age"].mean().explain())
            mean of age
              rows: 5 (3 of alice, 2 of bob), public; each owner aggregates its own and shares the aggregate
              opened: the sum, to be divided by 5: the number of rows is public
            ...
        """
        return explain([self._part], to)

    def reveal(self, to: str | None = None) -> Any:
        """The result: a number, or (counts, edges) of a histogram. to: who puts it together; None: the driver.

        A recipient's own worker puts the value together and nobody else can; a driver that acts for the recipient (in
        a single-driver session it acts for all) gets it back.
        Errors: `OwnerError` (no such recipient), `PolicyError`, `BoundError`, `NullError`, `SessionClosed`,
        `FaultError`.

        Examples:
            >>> visits["age"].max().reveal(to="bob")
            70
        """
        return run([self._part], to)[0]

    @classmethod
    def reveal_together(cls, queries: Sequence[Any], to: str | None = None) -> tuple[Any, ...]:
        """Several results, in the order of the queries, from one program with shared rounds.

        What serves several of them is shared and computed once.
        Errors: as `reveal`; `InputError` for anything but queries of one session.

        Examples:
            >>> an.Query.reveal_together([visits["age"].min(), visits["age"].max()])
            (29, 70)
        """
        for query in queries:
            if not isinstance(query, Query):
                raise InputError(f"only statistics are revealed together, not {type(query).__name__}")
        return tuple(run([query._part for query in queries], to))

    @classmethod
    def explain_together(cls, queries: Sequence[Query], to: str | None = None) -> str:
        """What `reveal_together` opens.

        Examples:
            >>> print(an.Query.explain_together([visits["age"].min(), visits["age"].max()]).splitlines()[0])
            min of age
        """
        return explain([query._part for query in queries], to)

    @property
    def session(self) -> Engine:
        """The session that answers it.

        Examples:
            >>> visits["age"].mean().session is session
            True
        """
        return self._part[0].engine

    def check(self, to: str | None = None) -> None:
        """Raise what `reveal(to)` would raise before anything is shared.

        Examples:
            >>> visits["age"].mean().check(to="bob")
        """
        check([self._part], to)
