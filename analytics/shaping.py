"""Frames of other rows or columns: chosen by a condition in text, without missing values, renamed, dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from operator import and_, or_
from typing import Any, Self

from analytics.conditions import condition
from analytics.located import Located
from analytics.of_frame import OfFrame
from analytics.rows_stay import OF_FRAMES, refused
from icm_ray.errors import InputError
from icm_ray.query.kinds import one_form

__all__ = ["Shaping"]


class Shaping(OfFrame):
    """Methods of frames that give frames. What is not there is refused by name."""

    __slots__ = ()

    def query(self, expr: str, *, local_dict: Mapping[str, Any] | None = None) -> Self:
        """Choose rows by a condition that is written as text. It is read, never run as code.

        Args:
            expr: Comparisons of columns and values, joined with and, or, not (& | ~ too), `in` with lists, arithmetic,
                and methods of columns such as `isna()` and `str.startswith("a")`. Names that are no identifiers are
                put in backticks; `@name` is a value of `local_dict`.
            local_dict: The values of `@name`, public.

        Returns:
            A frame of the rows where the condition is true. How many there are is secret.

        Raises:
            InputError: What is no such condition.
            ColumnError: No such column, or values of another kind.

        Examples:
            >>> visits.query("age >= 30 and ward == 'a'")["cost"].sum().reveal()
            430.75
            >>> visits.query("30 <= age < @limit", local_dict={"limit": 65}).count_rows().reveal()
            3
        """
        return self._of_rows(condition(expr, self.__getitem__, local_dict or {}))

    @property
    def loc(self) -> Located[Self]:
        """Choose rows by a condition and pick columns, `frame.loc[condition, names]`.

        Examples:
            >>> visits.loc[visits["age"] >= 65, ["age", "cost"]].count_rows().reveal()
            1
        """
        return Located(self)

    def _of_rows(self, chosen: Any) -> Self:
        frame: Self = self[chosen]
        return frame

    def dropna(self, *, subset: str | Iterable[str] | None = None, how: str = "any") -> Self:
        """Choose the rows without missing values. How many there are is secret.

        Args:
            subset: The columns that are looked at; None: all.
            how: "any": rows where one of them is missing are left out; "all": those where all are.

        Returns:
            A frame of the other rows; of the same where no value can be missing.

        Raises:
            ColumnError: No such column.
            InputError: Another `how`, or no column.

        Examples:
            >>> visits.dropna(subset=["age"])["age"].mean().reveal()
            48.2
        """
        if how not in ("any", "all"):
            raise InputError(f"how is 'any' or 'all', not {how!r}")
        names = self._listed(self._columns if subset is None else subset)
        if not names:
            raise InputError("name a column, or more, whose missing values count")
        lacking = [name for name in names if self._meant.info(self._columns[name]).nullable]
        if not lacking or (how == "all" and len(lacking) < len(names)):
            return self
        return self._of_rows(reduce(and_ if how == "any" else or_, [self[name].notna() for name in lacking]))

    def rename(self, *, columns: Mapping[str, str] | Callable[[str], str]) -> Self:
        """Give columns other names.

        Args:
            columns: The new name by the old one, or a function that makes it of that.

        Returns:
            A frame of the same rows and columns.

        Raises:
            ColumnError: No such column.
            InputError: What is no name, or one that two columns would have.

        Examples:
            >>> visits.rename(columns={"cost": "bill"}).columns
            ('age', 'bill', 'ward')
        """
        if callable(columns):
            new: Mapping[str, Any] = {name: columns(name) for name in self._columns}
        elif isinstance(columns, Mapping):
            new = {self._known(name): given for name, given in columns.items()}
        else:
            raise InputError(f"columns= takes a mapping from names to names, not {columns!r}")
        named = {}
        for name, of in self._columns.items():
            given = new.get(name, name)
            if not isinstance(given, str) or not given:
                raise InputError(f"{given!r} is no name for a column")
            if one_form(given) in named:
                raise InputError(f"two columns would have the name {given!r}")
            named[one_form(given)] = of
        return type(self)(self._meant, named)

    def drop(self, labels: Any = None, *, axis: int | str = 0, columns: str | Iterable[str] | None = None) -> Self:
        """Leave columns out.

        Args:
            labels: The name of one, or of several, where `axis` says that these are columns.
            axis: 1 or "columns".
            columns: The name of one, or of several.

        Returns:
            A frame of the same rows.

        Raises:
            ColumnError: No such column.
            InputError: What is no list of names, or all columns; rows, which have no names.

        Examples:
            >>> visits.drop(columns="ward").columns
            ('age', 'cost')
            >>> visits.drop("ward", axis=1).columns
            ('age', 'cost')
        """
        if columns is None and axis not in (1, "columns"):
            raise InputError("drop leaves columns out: columns=[...], or axis=1; rows are chosen: frame[condition]")
        out = set(self._listed(labels if columns is None else columns))
        kept = {name: of for name, of in self._columns.items() if name not in out}
        if not kept:
            raise InputError("no column would be left")
        return type(self)(self._meant, kept)

    def _listed(self, names: Any) -> list[str]:
        if not isinstance(names, Iterable):
            raise InputError(f"a name or a list of names is needed, not {names!r}")
        return list(dict.fromkeys(map(self._known, [names] if isinstance(names, str) else names)))

    def __getattr__(self, name: str) -> Any:
        """The column of this name, where no method has it."""
        if name.startswith("_") or name not in self._columns:
            refused(name, OF_FRAMES, like="DataFrame")
            hint = "" if name.startswith("_") else f" and no column of this name; there are {', '.join(self._columns)}"
            raise AttributeError(f"a frame has no attribute {name!r}{hint}")
        return self[name]
