"""What questions know of the rows behind a dataset, wherever these are: public facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from icm_ray.errors import ColumnError
from icm_ray.ops.labels import Labels
from icm_ray.policy import Policy
from icm_ray.query.expressions.tree import Of
from icm_ray.query.expressions.typing import typed
from icm_ray.query.expressions.words import words
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.tasks import ColumnInfo, GroupKey

__all__ = ["Rows", "cells", "column_of", "public_count"]


class Rows(Protocol):
    """The rows of a dataset: with their owners, or as shares of the parties."""

    @property
    def name(self) -> str:
        """Of the dataset, unlike all others of the session."""

    @property
    def policy(self) -> Policy | None:
        """What may be revealed."""

    @property
    def source(self) -> str:
        """The name under which parties keep that policy."""

    @property
    def columns(self) -> tuple[ColumnInfo, ...]:
        """Names and kinds."""

    @property
    def count(self) -> int:
        """Rows of all owners together: public, and no fewer than those that are meant where `where` chooses."""

    @property
    def where(self) -> Of | None:
        """The rows that are meant: those where it is true; None: all."""

    @property
    def by(self) -> tuple[GroupKey, ...]:
        """Their groups, by public values."""

    @property
    def private(self) -> PrivateKeys | None:
        """What the rows are grouped by where its values are private."""

    @property
    def groups(self) -> int:
        """The number of places for groups; 0 where rows are not grouped."""

    @property
    def owners(self) -> Mapping[str, int]:
        """The rows that each owner brought."""

    @property
    def shared(self) -> bool:
        """Whether the rows are shares."""

    @property
    def lanes(self) -> frozenset[int]:
        """The lanes whose workers hold or read rows."""

    def labels(self, lane: int) -> Labels:
        """Whose rows anything is made of that is computed of all rows of a lane, merged."""

    @property
    def kept(self) -> Sequence[str]:
        """The names under which workers keep the rows: of tables, or of shares."""

    def rounding(self, column: Of) -> float:
        """How far one value of the column, as it is computed with, may be from the plain one."""

    def one_word(self, column: Of) -> bool:
        """Whether the sum of a column's values, whatever they are, stays in 64 bits wherever it is put together."""

    def width(self, column: Of) -> int:
        """Bits of the values of a column as they are computed with; 0 where owners compute plain values."""

    def texts(self, column: Of) -> tuple[str, ...]:
        """The words that text of shared rows may be, of which each row has the number, from 1 on; else none."""

    def step(self, column: Of) -> int:
        """Fractional bits of the values that counts and extremes compare; -1 where owners compare plain values."""


def column_of(rows: Rows, of: Of) -> ColumnInfo:
    """A column by its name, or what an expression gives; raises `ColumnError` where there is none, or it cannot be."""
    if isinstance(of, str):
        return _column(rows, of)
    found = typed(of, lambda name: _column(rows, name))
    return ColumnInfo(words(of), found.kind, nullable=found.nullable, categories=found.categories)


def _column(rows: Rows, name: str) -> ColumnInfo:
    for column in rows.columns:
        if column.name == name:
            return column
    raise ColumnError(f"{rows.name} has no column {name!r}", column=name)


def cells(rows: Rows) -> int:
    """The number of groups; 1 where there are no keys."""
    return rows.groups or 1


def public_count(rows: Rows, of: Of) -> bool:
    """Whether the number of values is that of the rows, which is public: none can be missing, all rows are meant."""
    return rows.where is None and rows.private is None and not rows.groups and not column_of(rows, of).nullable
