"""How a CSV file is written, as data: separators, words for nothing and for truth, lines to leave out, given kinds."""

from __future__ import annotations

import msgspec

__all__ = ["FALSE_WORDS", "NULL_WORDS", "TRUE_WORDS", "Dialect"]

NULL_WORDS = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
    *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""What pandas.read_csv takes for a missing value."""
TRUE_WORDS, FALSE_WORDS = ("True", "TRUE", "true"), ("False", "FALSE", "false")


class Dialect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of pandas.read_csv, under its names.

    na_values: words for missing values beside `NULL_WORDS`; na_numbers: numbers that stand for them, however written.
    dtype: by column, "int", "float", "bool" or "string"; dtype_of_all: of every other column, "" where cells tell it.
    skiprows: lines before the header; skip_lines: numbers of further lines that are left out, from 0 on.
    """

    sep: str = ","
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    na_values: tuple[str, ...] = ()
    na_numbers: tuple[float, ...] = ()
    dtype: dict[str, str] = {}
    dtype_of_all: str = ""
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()
    comment: str = ""
    skiprows: int = 0
    skip_lines: tuple[int, ...] = ()

    @property
    def nulls(self) -> tuple[str, ...]:
        """All words for a missing value."""
        return (*NULL_WORDS, *self.na_values)

    @property
    def trues(self) -> tuple[str, ...]:
        """All words for truth."""
        return (*TRUE_WORDS, *self.true_values)

    @property
    def falses(self) -> tuple[str, ...]:
        """All words for the opposite."""
        return (*FALSE_WORDS, *self.false_values)

    def given(self, column: str) -> str:
        """The kind that was given for a column, "" where its cells tell it."""
        return self.dtype.get(column, self.dtype_of_all)
