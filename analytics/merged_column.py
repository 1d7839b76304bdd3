"""A column of merged rows: what a column offers, over rows of which nobody knows which they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from analytics.column import SecureColumn
from analytics.query import Query
from icm_ray.query.expressions.tree import Of
from icm_ray.query.expressions.words import words
from icm_ray.query.statistics.catalogue import Statistic

__all__ = ["MergedColumn"]


class MergedColumn(SecureColumn):
    """A column of merged rows offers what a `SecureColumn` does; results are those of pandas on the merged rows.

    Of frames that their owners hold it has count, sum, mean, var, std, sem, min and max, and columns are computed of
    what one of the frames holds; all else is refused in words that say so. Of frames that are shared before they are
    merged it has all that shared columns have, and columns of both frames are computed with one another.

    Examples:
        >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
        >>> an.merge(visits, wards, on="ward")["age"].mean().reveal()
        40.5
        >>> shared = (frame.share(domain={"ward": ["a", "b", "c"]}) for frame in (visits, wards))
        >>> an.merge(*shared, on="ward")["age"].median().reveal()
        40.5
    """

    __slots__ = ()

    def __repr__(self) -> str:
        some = "" if self.meant.where is None else f" where {words(self.meant.where)}"
        return f"<MergedColumn {self.name!r}: {self.kind}, merged rows{some}>"

    def __len__(self) -> NoReturn:
        """Refuse to count the rows, which is a question.

        Raises:
            TypeError: Always; it says what to ask.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> len(an.merge(visits, wards, on="ward")["age"])
            Traceback (most recent call last):
            TypeError: how many rows match is not known: ask count_rows() of the frame, and reveal it
        """
        raise TypeError("how many rows match is not known: ask count_rows() of the frame, and reveal it")

    def _in_kind(self, name: str, statistic: Callable[[str, Of], Statistic]) -> Query:
        if self.kind == "null":  # of no values at all there is nothing, as of numbers
            return self._query(statistic(self.meant.name(), self.of))
        return super()._in_kind(name, statistic)
