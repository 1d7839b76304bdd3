"""Keys on which rows that are shares are merged, as words: of one key the same on both sides.

A word is the places of some keys' values as the digits of a number (`private_keys.key_place`), the last key's the
lowest; there are as many words as sorting asks for. Text is the place of each value among the public ones of both
sides: where a side was shared with others, its numbers move up, by one threshold for each run of values that it lacks.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from icm_ray.errors import BoundError, InputError
from icm_ray.ops.linear import Add, AssumeWidth, Scale
from icm_ray.ops.sorting import tag_bits
from icm_ray.ops.values import FULL_WIDTH, log2_ceil
from icm_ray.program.build import Value
from icm_ray.query.expressions.words import words
from icm_ray.query.private_keys import key_place, key_radix, word_of_no_key
from icm_ray.query.rows import column_of
from icm_ray.query.secret_cells import PartitionShares
from icm_ray.query.secret_expressions.operand import RowBuild, Secret
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.tasks import PrivateKey

__all__ = ["MergeKeys"]

_MOST_RUNS = 64


@dataclass(frozen=True)
class MergeKeys:
    """left, right: the keys of each side's rows. rows: of both sides together; beyond: of them, how many may have a
    number beyond all first words.

    Errors, when it is made: `InputError` (keys of different kinds, that may be missing, or text of too many values that
    one side alone was shared with), `ColumnError` (of no kind that keys have), `BoundError` (a key that fits no word).
    """

    sides: tuple[SecretRows, SecretRows]
    keys: tuple[tuple[PrivateKey, PrivateKey], ...]
    rows: int
    beyond: int

    def __post_init__(self) -> None:
        for pair in self.keys:
            for base, key in zip(self.sides, pair, strict=True):
                info = column_of(base, key.of)
                if info.nullable:
                    raise InputError(f"{info.name}: keys to merge on may not be missing: fill them, fillna(...)")
                base.key_size(key.of)  # refuses other kinds
        if any(left.kind != right.kind for left, right in self.keys):
            raise InputError("keys of a merge are of one kind on both sides")
        for left, right in self.keys:
            for place, key in enumerate((left, right)):
                if len(self._moves(place, key, self._domain(left, right))) > _MOST_RUNS:
                    raise InputError(
                        f"{words(left.of)}, {words(right.of)}: text that was shared with other values on either side; "
                        "share both frames with the same domain="
                    )
        _ = self.widths  # refuses what does not fit

    def _domain(self, left: PrivateKey, right: PrivateKey) -> tuple[str, ...]:
        """The values that text may be on either side, in order."""
        one, other = (base.texts(key.of) for base, key in zip(self.sides, (left, right), strict=True))
        return tuple(sorted({*one, *other}))

    def _sized(self, left: PrivateKey, right: PrivateKey) -> PrivateKey:
        """The key with room for the values of both sides."""
        sizes = [base.key_size(key.of) for base, key in zip(self.sides, (left, right), strict=True)]
        size = max(sizes)
        if left.kind == "string":
            size = max(log2_ceil(len(self._domain(left, right)) + 1), 1)
        return msgspec.structs.replace(left, size=size)

    @cached_property
    def _words(self) -> tuple[tuple[int, ...], ...]:
        """The places of the keys of each word. Errors: `BoundError` (one that does not fit)."""
        room = FULL_WIDTH - 2 - tag_bits(self.rows)  # of a word, beside what tells equal ones apart and a sign
        found: list[list[int]] = []
        for place, pair in enumerate(self.keys):
            together = [*(found[-1] if found else []), place]
            if found and self._width(together, first=len(found) == 1) <= room:
                found[-1] = together
                continue
            found.append([place])
            if (width := self._width([place], first=len(found) == 1)) > room:
                name = words(pair[0].of)
                raise BoundError(
                    f"{name}: a key of {width} bits does not fit {room}, which {self.rows} rows leave; declare smaller "
                    f"bounds: bounds={{{name!r}: ...}}",
                    column=name,
                )
        return tuple(map(tuple, found))

    def _width(self, places: Sequence[int], *, first: bool) -> int:
        return (self._radix(places) + self.beyond * first).bit_length() + 1

    def _radix(self, places: Sequence[int]) -> int:
        return word_of_no_key([self._sized(*self.keys[place]) for place in places])

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Of the words."""
        return tuple(self._width(places, first=not number) for number, places in enumerate(self._words))

    @property
    def no_key(self) -> int:
        """The first word beyond those of all keys."""
        return self._radix(self._words[0])

    # --- on shares

    def of(self, part: PartitionShares, *, right: bool) -> list[Value]:
        """The words of a partition's rows, each (rows,)."""
        found = []
        for places, width in zip(self._words, self.widths, strict=True):
            rows = part.row_build(*(self.keys[place][right].of for place in places))
            word: Value | None = None
            for place in places:
                key = self._sized(*self.keys[place])
                value = self._placed(rows, part.secret(self.keys[place][right].of), place, right=right)
                digit = rows.plus(value, key_place(key, 0))
                add = rows.builder.add
                word = digit if word is None else add(Add(), add(Scale(key_radix(key)), word), digit)
            if word is not None:
                found.append(rows.builder.add(AssumeWidth(width, 0.0), word))
        return found

    def _placed(self, rows: RowBuild, x: Secret, place: int, *, right: bool) -> Value:
        """The value, of text its number among those of both sides."""
        value = x.value
        for number, by in self._moves(int(right), self.keys[place][right], self._domain(*self.keys[place])):
            reached = rows.at_least(x.value, number, 0, len(x.domain))
            value = rows.builder.add(Add(), value, rows.builder.add(Scale(by), reached))
        return value

    def _moves(self, side: int, key: PrivateKey, domain: tuple[str, ...]) -> list[tuple[int, int]]:
        """From which numbers on a side's text is further up among the values of both sides, and by how much more."""
        found, before = [], 0
        for number, text in enumerate(self.sides[side].texts(key.of)):
            beside = bisect.bisect_left(domain, text) - number
            if beside > before:
                found.append((number + 1, beside - before))
                before = beside
        return found
