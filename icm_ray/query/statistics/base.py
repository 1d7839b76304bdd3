"""What every statistic says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from icm_ray.program.build import Builder
from icm_ray.query.error_bound import ErrorBound
from icm_ray.query.expressions.tree import Of, Scalar
from icm_ray.query.expressions.words import words
from icm_ray.query.opened import Known, Number, Opened
from icm_ray.query.partials import PartialAggregate, RowCount, Taken
from icm_ray.query.rows import Rows, column_of

__all__ = ["OfColumn", "StatisticFaces"]


class StatisticFaces(Protocol):
    """One statistic of one column; `rows`: the public facts of its dataset.

    Of rows in groups every value that `finish` gives has one number for each group: `decode` gets those of one,
    `decode_cells` all of them.
    """

    @property
    def dataset(self) -> str:
        """Of what rows."""

    @property
    def column(self) -> Of:
        """Of which column, or of which expression."""

    @property
    def operation(self) -> str:
        """Its kind of output, as policies name it (`icm_ray.policy.OPERATIONS`)."""

    @property
    def guards_itself(self) -> bool:
        """Whether it withholds by itself what has too few values behind it."""

    @property
    def told_at(self) -> tuple[Scalar, ...]:
        """Which values it tells of, where each more of these tells more of a list of values; () for none."""

    @property
    def all_learn(self) -> bool:
        """Whether every member learns the result of owners' rows, whoever receives it."""

    @property
    def adds_up(self) -> bool:
        """Whether what is of all groups, and of all but one, tells what is of that one."""

    @property
    def contributed(self) -> bool:
        """Whether few values can make up most of it."""

    @property
    def title(self) -> str:
        """What it is, in words: "mean of cost"."""

    def partials(self, rows: Rows) -> tuple[PartialAggregate | RowCount, ...]:
        """What it takes of the lanes."""

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        """What the result is read from, by a word that says what it is: shared values are opened, others public.

        values: those of `partials`.
        """

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> Any:
        """The result, from the numbers of `finish`."""

    def follow(self, answer: Any, rows: Rows) -> tuple[Any, Any]:
        """(what is asked next, None) or (None, the result), from the answer to this question."""

    def decode_cells(
        self, numbers: Mapping[str, Opened | Known], rows: Rows, cells: int
    ) -> list[Any] | NDArray[np.generic]:
        """The results of rows in so many groups."""

    def error(self, rows: Rows) -> ErrorBound:
        """How far the result may be from the plaintext one."""

    def error_in_words(self, rows: Rows) -> str:
        """The same, for people."""

    def discloses(self, rows: Rows) -> str:
        """What is opened, in words."""

    def notes(self, rows: Rows) -> tuple[str, ...]:
        """What else to know about the result."""


class OfColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """dataset: of which rows (a selection has a name, too). column: of what. Statistics of numbers have most faces in
    common.
    """

    guards_itself: ClassVar[bool] = False
    """Whether it withholds by itself what has too few values behind it."""
    all_learn: ClassVar[bool] = False
    """Whether every member learns the result of owners' rows, whoever receives it."""
    adds_up: ClassVar[bool] = True
    """Whether what is of all groups, and of all but one, tells what is of that one."""
    contributed: ClassVar[bool] = False
    """Whether few values can make up most of it."""

    dataset: str
    column: Of

    @property
    def operation(self) -> str:
        """Its kind of output, as policies name it."""
        return str(self.__struct_config__.tag)

    @property
    def told_at(self) -> tuple[Scalar, ...]:
        """Which values it tells of."""
        return ()

    @property
    def in_words(self) -> str:
        """The column in words."""
        return words(self.column)

    def whole(self, rows: Rows) -> bool:
        """Whether results are integers."""
        return column_of(rows, self.column).kind != "float"

    def follow(self, answer: Any, rows: Rows) -> tuple[Any, Any]:
        """The answer is the result."""
        return None, answer

    def decode_cells(
        self: StatisticFaces, numbers: Mapping[str, Opened | Known], rows: Rows, cells: int
    ) -> list[Any] | NDArray[np.generic]:
        """The results, one by one."""
        split = {word: number.split(cells) for word, number in numbers.items()}
        return [self.decode({word: parts[cell] for word, parts in split.items()}, rows) for cell in range(cells)]

    def error_in_words(self: StatisticFaces, rows: Rows) -> str:
        """The bound, for people."""
        return str(self.error(rows))

    def notes(self, rows: Rows) -> tuple[str, ...]:
        """What else to know about the result."""
        return ()
