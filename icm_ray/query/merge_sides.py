"""The two sides of a merge, as data, and what of a question is of which side."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import msgspec

from icm_ray.errors import ColumnError, InputError
from icm_ray.program.derived_name import derived_name
from icm_ray.query.expressions.tree import Of, columns_of
from icm_ray.query.expressions.words import words
from icm_ray.query.merge_terms import Term, parts_of, terms_of, without_right
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.rows import column_of
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.tasks import GroupKey, PrivateKey

__all__ = ["MOST_CELLS", "JoinedColumn", "Merge", "Sides"]

MOST_CELLS = 255
"""Groups of merged rows at once, and one for rows in none: those of each side, multiplied."""


class JoinedColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column of the merged rows: of which side, and what it is there."""

    name: str
    of: Of
    right: bool = False


class Merge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows of two selections, each with private keys, as many and of the same kinds. how: as pandas has it.

    where: of the merged rows those that are meant, all for None. by: what they are grouped by, or private: where its
    values are private. All of the columns. many: whether a key may have several right rows.
    """

    left: Selection
    right: Selection
    how: Literal["inner", "left"]
    columns: tuple[JoinedColumn, ...]
    where: Of | None = None
    by: tuple[GroupKey, ...] = ()
    many: bool = False
    private: PrivateKeys | None = None

    @property
    def name(self) -> str:
        """Under which statistics speak of it: equal merges have one."""
        return derived_name("merge", self)

    @property
    def in_words(self) -> str:
        """What rows are merged, as a ledger keeps it: whatever is asked of them."""
        keys = self.left.private.keys if self.left.private is not None else ()
        return f"merge on {', '.join(words(key.of) for key in keys)}, {derived_name('merged', self.left, self.right)}"


@dataclass(frozen=True)
class Sides:
    """A merge, and the rows of both of its sides."""

    merge: Merge
    left: SelectedRows
    right: SelectedRows

    def of(self, *, right: bool) -> SelectedRows:
        """One of them."""
        return self.right if right else self.left

    @cached_property
    def _columns(self) -> dict[str, JoinedColumn]:
        return {column.name: column for column in self.merge.columns}

    def is_right(self, name: str) -> bool:
        """Whether a column is one of the right side. Errors: `ColumnError` (no such column)."""
        if name not in self._columns:
            raise ColumnError(f"merged rows have no column {name!r}", column=name)
        return self._columns[name].right

    def own(self, of: Of) -> tuple[bool, Of]:
        """Whether what is computed of merged columns is of the right side, and what it is there.

        Errors: `ColumnError` (of columns of both sides; of right columns where a row may have none).
        """
        sides = {self.is_right(name) for name in columns_of(of)}
        if len(sides) == 2:
            raise ColumnError(f"{words(of)}: columns of both frames are not computed with one another")
        right = True in sides
        if right and self.merge.how == "left" and not isinstance(of, str):
            raise ColumnError(
                f"{words(of)}: of a left merge, columns of the right frame are not computed with: do that before"
            )
        return right, self._there(of)

    def _there(self, of: Of) -> Of:
        """What a side has of it."""
        return parts_of(of, lambda name: self._columns[name].of)[-1]

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """The pairs of rows that are meant, in what each side has."""
        found = terms_of(self.merge.where, self.is_right)
        return tuple(Term(self._condition(term.left), self._condition(term.right)) for term in found)

    @cached_property
    def alone(self) -> tuple[Of | None, ...]:
        """Of left rows that no right row meets, which are meant: those of one of these conditions; None: all."""
        if self.merge.how == "inner" or self.cells_of(right=True) or self.merge.private is not None:
            return ()
        if self.merge.where is None:
            return (None,)
        left = without_right(self.merge.where, self._kind_of_right)
        return tuple(self._condition(term.left) for term in terms_of(left, self.is_right))

    def _kind_of_right(self, name: str) -> str | None:
        return column_of(self.right.base, self._columns[name].of).kind if self.is_right(name) else None

    def _condition(self, of: Of | None) -> Of | None:
        return None if of is None else self._there(of)

    @cached_property
    def _keys(self) -> tuple[tuple[bool, GroupKey], ...]:
        found = []
        for key in self.merge.by:
            right, of = self.own(key.of)
            found.append((right, msgspec.structs.replace(key, of=of)))
        return tuple(found)

    def cells_of(self, *, right: bool) -> tuple[GroupKey, ...]:
        """What rows of a side are grouped by."""
        return tuple(key for side, key in self._keys if side is right)

    @cached_property
    def private(self) -> tuple[PrivateKey, ...]:
        """What merged rows are grouped by where its values are private, in what the right side has.

        Errors: `InputError` (of the left side).
        """
        found = []
        for key in self.merge.private.keys if self.merge.private is not None else ():
            if not all(map(self.is_right, columns_of(key.of))):
                raise InputError(
                    f"{words(key.of)}: private values that merged rows are grouped by are of the right frame; swap the "
                    "frames, or state these: domain={...}"
                )
            found.append(msgspec.structs.replace(key, of=self._there(key.of)))
        return tuple(found)

    def count_of(self, *, right: bool) -> int:
        """The number of its cells; 0 where it is not grouped by."""
        keys = self.cells_of(right=right)
        return math.prod(key.size for key in keys) if keys else 0

    def cells(self) -> list[tuple[int, int]]:
        """By group the numbers of its cells, left and right, from 1 on; 0 where a side is not grouped by."""
        found = [(0, 0)]
        for right, key in self._keys:
            found = [
                (left, other * key.size + place) if right else (left * key.size + place, other)
                for left, other in found
                for place in range(key.size)
            ]
        up = bool(self.cells_of(right=False)), bool(self.cells_of(right=True))
        return [(left + up[0], other + up[1]) for left, other in found]

    def check(self, check_key: Callable[[GroupKey, SelectedRows], None]) -> None:
        """Refuse what cannot be. check_key: whether a side's rows can be grouped by a key.

        Errors: `ColumnError` for a condition that is none, or computes with both sides; `InputError` for too many
        groups.
        """
        for term in self.terms:
            for right, where in ((False, term.left), (True, term.right)):
                if where is not None and (kind := column_of(self.of(right=right).base, where).kind) != "bool":
                    raise ColumnError(f"{words(where)}: rows are chosen by a condition, not by {kind}")
        for where in self.alone:
            if where is not None:
                column_of(self.left.base, where)
        for right, key in self._keys:
            check_key(key, self.of(right=right))
        both = (self.count_of(right=False) + 1) * (self.count_of(right=True) + 1)
        if both > MOST_CELLS + 1:
            raise InputError(
                f"{len(self.cells())} groups of merged rows; {MOST_CELLS} can be asked for at once: state fewer values"
            )
