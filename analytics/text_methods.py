"""What `column.str` offers: methods of text, as pandas has them, which owners compute."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from typing import Any, Generic, NoReturn, TypeVar

from analytics.operators import Operators
from analytics.rows_stay import OF_TEXT, RowsStayError, refused
from icm_ray.errors import InputError
from icm_ray.query.expressions.tree import apply, literal

__all__ = ["SecureText"]

_Column = TypeVar("_Column", bound=Operators)
_SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")


class SecureText(Generic[_Column]):
    """Methods of a column of text. A condition on a missing value is False.

    `SecureColumn.str` gives it: users do not call the class.

    Args:
        column: The column.

    Raises:
        ColumnError: The column holds no text.

    Examples:
        >>> visits[visits["ward"].str.startswith("a")].count_rows().reveal()
        2
    """

    __slots__ = ("_text",)

    def __init__(self, column: _Column) -> None:
        self._text = column
        _ = column._apply("length")  # refuses what is no text

    def __getattr__(self, name: str) -> NoReturn:
        refused(name, like="str", others=OF_TEXT)
        raise AttributeError(f"text has no attribute {name!r}")

    def __getitem__(self, place: int | slice) -> NoReturn:
        """Refuse to take letters of text by their places.

        Args:
            place: Which of them.

        Raises:
            UnsupportedError: Always; it says what there is.

        Examples:
            >>> visits["ward"].str[0]
            Traceback (most recent call last):
            analytics.rows_stay.RowsStayError: str[0] is not offered: owners write text anew with lower(), upper() ...
        """
        raise RowsStayError(f"str[{place}] {OF_TEXT}")

    def startswith(self, pat: str | tuple[str, ...]) -> _Column:
        """Say for every row whether the text begins so.

        Args:
            pat: A public text, or a tuple of several.

        Returns:
            A column of booleans.

        Raises:
            InputError: What is no text.

        Examples:
            >>> visits["ward"].str.startswith(("a", "x")).sum().reveal()
            2
        """
        return self._any("starts_with", pat)

    def endswith(self, pat: str | tuple[str, ...]) -> _Column:
        """Say for every row whether the text ends so.

        Args:
            pat: A public text, or a tuple of several.

        Returns:
            A column of booleans.

        Raises:
            InputError: What is no text.

        Examples:
            >>> visits["ward"].str.endswith("b").sum().reveal()
            3
        """
        return self._any("ends_with", pat)

    def contains(self, pat: str, *, regex: bool = True) -> _Column:
        """Say for every row whether the text contains another.

        Args:
            pat: A public text.
            regex: Whether it could be a regular expression, which is refused: it must have no special characters then.

        Returns:
            A column of booleans.

        Raises:
            InputError: What is no text, or a regular expression.

        Examples:
            >>> visits["ward"].str.contains("b", regex=False).sum().reveal()
            3
        """
        if regex and _SPECIAL.search(_plain_text(pat)):
            raise InputError(f"regular expressions are not evaluated; {pat!r} as it stands: regex=False")
        return self._any("contains", (pat,))

    def len(self) -> _Column:
        """Count the characters.

        Returns:
            A column of integers.

        Examples:
            >>> visits["ward"].str.len().max().reveal()
            1
        """
        return self._text._apply("length")

    def lower(self) -> _Column:
        """Write the text in small letters.

        Returns:
            A column of text.

        Examples:
            >>> (visits["ward"].str.lower() == "a").sum().reveal()
            2
        """
        return self._text._apply("lower")

    def upper(self) -> _Column:
        """Write the text in capital letters.

        Returns:
            A column of text.

        Examples:
            >>> (visits["ward"].str.upper() == "A").sum().reveal()
            2
        """
        return self._text._apply("upper")

    def strip(self, to_strip: str | None = None) -> _Column:
        """Leave out characters at both ends.

        Args:
            to_strip: The characters; None: whitespace.

        Returns:
            A column of text.

        Raises:
            InputError: What is no text.

        Examples:
            >>> visits["ward"].str.strip().str.len().sum().reveal()
            5
        """
        if to_strip is None:
            return self._text._apply("trim")
        return self._text._apply("strip", options=(_plain_text(to_strip),))

    def _any(self, function: str, given: Any) -> _Column:
        patterns = dict.fromkeys(map(_plain_text, given if isinstance(given, tuple) else (given,)))
        found = [apply(function, (self._text.of,), (pattern,)) for pattern in patterns]
        no: Callable[[Any], Any] = lambda condition: apply("fill", (condition, literal(value=False)))  # noqa: E731
        if not found:
            return self._text._like(no(apply("is_in", (self._text.of,))))
        return self._text._like(reduce(lambda one, other: apply("or", (one, other)), map(no, found)))


def _plain_text(given: Any) -> str:
    if not isinstance(given, str):
        raise InputError(f"a text is needed, not {given!r}")
    return str(given)
