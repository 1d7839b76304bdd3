"""The keys of groups of private keys: one that enough rows have is opened, in a random order; others are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from icm_ray.errors import ProgramError
from icm_ray.ops.values import ValueType
from icm_ray.payload import Natural
from icm_ray.program.build import Builder, Value
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.opened import Number
from icm_ray.query.partials import Join, PartialAggregate, Taken
from icm_ray.query.private_keys import key_widths, read_key, values_of_word
from icm_ray.query.rows import Rows
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.tasks import ColumnInfo, PrivateKey

__all__ = ["SHOWN", "GroupKeys", "WordOfGroup"]

SHOWN = -1
"""In the place of a word: the bit that says whether a row is a group whose key is opened."""


class GroupKeys(OfColumn, frozen=True, forbid_unknown_fields=True, tag="group_keys"):
    """place: which of the private keys."""

    guards_itself: ClassVar[bool] = True

    place: Natural = 0

    @property
    def operation(self) -> str:
        return "count"

    @property
    def title(self) -> str:
        return f"{self.in_words} of each group"

    def _key(self, rows: Rows) -> PrivateKey:
        if rows.private is None or self.place >= len(rows.private.keys):
            raise ProgramError(f"{self.title}: the rows are not grouped by so many private keys")
        return rows.private.keys[self.place]

    def partials(self, rows: Rows) -> tuple[WordOfGroup, ...]:
        key = self._key(rows)
        if rows.shared and rows.private is not None:  # one word for all keys
            of = rows.private.keys[0].of
            return WordOfGroup(of, 0, SHOWN), WordOfGroup(of, 0, 0)
        words = range(len(key_widths(key)))
        return WordOfGroup(self.column, 0, SHOWN), *(WordOfGroup(self.column, self.place, word) for word in words)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        shown, *words = values
        return {"shown": shown, **{f"word {number}": word for number, word in enumerate(words)}}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> int | bool | str | None:
        return self.decode_cells(numbers, rows, 1)[0]

    def decode_cells(self, numbers: Mapping[str, Number], rows: Rows, cells: int) -> list[int | bool | str | None]:
        del cells
        words = [number.integers for name, number in numbers.items() if name != "shown"]
        read = self._reader(rows)
        return [read(word) if bit else None for bit, *word in zip(numbers["shown"].integers, *words, strict=True)]

    def _reader(self, rows: Rows) -> Callable[[Sequence[int]], int | bool | str]:
        """From the words of a key to what it is."""
        key = self._key(rows)
        if not rows.shared or rows.private is None:
            return lambda words: read_key(key, words)
        keys, texts = rows.private.keys, rows.texts(key.of)

        def value(words: Sequence[int]) -> int | bool | str:
            found = values_of_word(keys, words[0])[self.place]
            if key.kind == "string":
                return texts[found - 1]
            return bool(found) if key.kind == "bool" else found

        return value

    def error(self, rows: Rows) -> ErrorBound:
        return EXACT

    def discloses(self, rows: Rows) -> str:
        least = 1 if rows.policy is None else rows.policy.min_rows
        enough = f" with {least} rows or more" if least > 1 else ""
        return f"{self.in_words} of each group{enough}, in random order, not who has rows of it"


@dataclass(frozen=True, slots=True)
class WordOfGroup(PartialAggregate):
    """A word of the private key number `place`, of every group (places for groups,)."""

    words: ClassVar[str] = "key"
    rule: ClassVar[Join] = Join.ROWS

    place: int
    word: int

    @property
    def kind(self) -> str:
        return "key"

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        raise ProgramError("keys are shared with what is aggregated by them")

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ProgramError("keys are shared with what is aggregated by them")
