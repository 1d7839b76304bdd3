"""Cells of a CSV column, read as text, as numbers: what pandas takes for one, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from icm_ray.query.dialect import Dialect

__all__ = ["Inference", "parsed", "without_numbers"]

_INTEGER = r"^[+-]?\d+$"
_FLOAT = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity|nan)$"
_LONG = r"^[+-]?\d{16,}$"  # 2^53 has 16 digits
_INTEGRAL = ("int64", "uint64")


def parsed(cells: Any, kind: str, dialect: Dialect) -> Any:
    """An Arrow array of `kind` ("int64", "uint64", "double" or "bool") from one of text; None where a cell is no such
    thing. Nulls stay nulls.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "bool":
        true, false = (pc.is_in(cells, pa.array(words)) for words in (dialect.trues, dialect.falses))
        if pc.all(pc.or_(pc.or_(true, false), pc.is_null(cells))).as_py() is False:
            return None
        return pc.if_else(pc.is_null(cells), pa.scalar(None, pa.bool_()), true)
    text = pc.ascii_trim_whitespace(cells)
    if dialect.thousands:
        text = pc.replace_substring(text, dialect.thousands, "")
    if dialect.decimal != ".":
        text = pc.replace_substring(pc.replace_substring(text, ".", "x"), dialect.decimal, ".")
    pattern = _INTEGER if kind in _INTEGRAL else _FLOAT
    if pc.all(pc.match_substring_regex(text, pattern)).as_py() is False:
        return None
    text = pc.utf8_ltrim(text, "+")
    try:
        return pc.cast(text, pa.type_for_alias(kind))
    except pa.ArrowInvalid:  # beyond the kind's range
        return None


def without_numbers(values: Any, numbers: tuple[float, ...]) -> Any:
    """An Arrow array in which some numbers stand for missing values, with nulls for them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not numbers or not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        return values
    for number in numbers:
        if number.is_integer() or pa.types.is_floating(values.type):
            values = pc.if_else(pc.equal(values, number), pa.scalar(None, values.type), values)
    return values


@dataclass(slots=True)
class Inference:
    """The kind of a column, from its cells, a batch at a time.

    dialect: of the file. viable: the kinds that all cells so far are. misfit: the number of the data row, from 1 on, of
    the first cell that is none of them. rounded: of the first integer that a double would round. plus: whether integers
    have a sign that Arrow does not take.
    """

    dialect: Dialect
    viable: tuple[str, ...] = (*_INTEGRAL, "bool", "double")
    rows: int = 0
    nulls: int = 0
    misfit: int = 0
    rounded: int = 0
    plus: bool = False

    def add(self, cells: Any) -> None:
        """Look at more cells: an Arrow array of text."""
        import pyarrow.compute as pc

        before = self.viable
        integral = [kind for kind in before if kind in _INTEGRAL and self._holds(cells, kind)]
        bools = [kind for kind in before if kind == "bool" and self._holds(cells, kind)]
        doubles = [kind for kind in before if kind == "double" and (integral or self._holds(cells, kind))]
        self.viable = (*integral, *bools, *doubles)
        if integral and not self.plus:
            self.plus = bool(pc.any(pc.starts_with(pc.ascii_ltrim_whitespace(cells), "+")).as_py())
        if doubles and not self.rounded:
            self._look_for_rounding(cells)
        if before and not self.viable:
            self.misfit = self.rows + self._first_misfit(cells, before[-1])
        self.nulls += cells.null_count
        self.rows += len(cells)

    def _holds(self, cells: Any, kind: str) -> bool:
        return parsed(cells, kind, self.dialect) is not None

    def _first_misfit(self, cells: Any, kind: str) -> int:
        """The number, from 1 on, of the first cell that is no `kind`, of which there is one."""
        low, high = 0, len(cells)
        while high - low > 1:
            middle = (low + high) // 2
            if parsed(cells.slice(low, middle - low), kind, self.dialect) is None:
                high = middle
            else:
                low = middle
        return low + 1

    def _look_for_rounding(self, cells: Any) -> None:
        """Digits alone, so many that a double may not hold them."""
        import pyarrow.compute as pc

        text = pc.ascii_trim_whitespace(cells)
        if self.dialect.thousands:
            text = pc.replace_substring(text, self.dialect.thousands, "")
        long = pc.fill_null(pc.match_substring_regex(text, _LONG), False)
        for row in pc.indices_nonzero(long).to_pylist():
            number = int(text[row].as_py())
            if abs(number) >= 1 << 1023 or int(float(number)) != number:
                self.rounded = self.rows + row + 1
                return

    @property
    def kind(self) -> str:
        """The narrowest kind of Arrow's that holds all cells: "string" where they are no numbers, "null" for none."""
        if self.nulls == self.rows:
            return "null"
        return self.viable[0] if self.viable else "string"
