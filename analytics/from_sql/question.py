"""A question that was asked as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analytics.from_sql.select import Opened
from analytics.query import FOLLOWS, Query
from analytics.withheld import Reasons, mark, withheld_cells
from icm_ray.query.withheld import Withheld

__all__ = ["SqlQuery"]


class SqlQuery(Query):
    """A query that SQL was asked with: its result is a DataFrame, and its text stays with it.

    `analytics.sql` makes them: users do not call the class.

    Args:
        text: The question, as the user wrote it.
        opened: What is opened, and what is computed of it.
        names: Of the columns of the result.

    Examples:
        >>> an.sql("SELECT COUNT(*) AS n FROM visits", visits=visits)
        <SELECT COUNT(*) AS n FROM visits, not revealed: .explain() says what .reveal() opens>
    """

    __slots__ = ("_opened", "_text")

    def __init__(self, text: str, opened: Opened, names: Sequence[str]) -> None:
        self._text, self._opened = text, opened
        title, second = " ".join(text.split()), opened.second

        def build(results: Sequence[Any]) -> Any:
            if second is None:
                return _table(opened, names, results)
            parts, placed = second.parts(results)
            if not parts:
                return _table(opened, names, [*results, *placed(())])
            told = [replace(part, text=text) for part in parts]
            return Query(told, second.title, lambda more: _table(opened, names, [*results, *placed(more)]))

        note = "" if second is None else f"{second.title}; {FOLLOWS}"
        then = () if second is None else second.of_any
        asked = [replace(part, text=text) for part in opened.parts]
        super().__init__(asked, title, build, note, second is not None, then)

    @property
    def text(self) -> str:
        """The question, as the user wrote it.

        Examples:
            >>> an.sql("SELECT COUNT(*) AS n FROM visits", visits=visits).text
            'SELECT COUNT(*) AS n FROM visits'
        """
        return self._text

    def explain(self, to: str | None = None) -> str:
        """Say what `reveal(to)` opens and to whom, and what is computed of that alone once it is opened.

        Args:
            to: The party or owner who would receive the result; None: the driver.

        Returns:
            Lines of text: the question, what follows after opening, then as of every query. No worker is asked.

        Raises:
            InputError: The rows were forgotten.
            OwnerError: No such recipient.
            PolicyError: The dataset's policy does not allow it.
            BoundError: The values do not fit the ring.

        Examples:
            >>> text = "SELECT SUM(cost) / COUNT(*) AS mean FROM visits WHERE age > 60"
            >>> print(an.sql(text, visits=visits).explain())
            SQL: SELECT SUM(cost) / COUNT(*) AS mean FROM visits WHERE age > 60
              after opening: SUM(cost) / COUNT(*) AS mean
            sum of cost
            ...
        """
        lines = [f"SQL: {' '.join(self._text.split())}"]
        if self._opened.said:
            lines.append(f"  after opening: {'; '.join(self._opened.said)}")
        return "\n".join([*lines, super().explain(to)])


def _table(opened: Opened, names: Sequence[str], results: Sequence[Any]) -> Any:
    table = opened.first(results)
    for step in opened.steps:
        table = table.then(step)
    found = table.to_pandas()
    found.columns = list(names)
    cells = withheld_cells(table.values, range(table.rows), list(names))
    return mark(found, Reasons(cells, _reasons(results)))


def _reasons(results: Sequence[Any]) -> tuple[str, ...]:
    """Why something was not opened, each reason once."""
    columns = [_listed(result) for result in results]
    return tuple(dict.fromkeys(item.reason for column in columns for item in column if isinstance(item, Withheld)))


def _listed(result: Any) -> Sequence[Any]:
    if isinstance(result, dict):
        return list(result.values())
    return result if isinstance(result, list) else [result]
