"""Whose rows an owner's are: what each of them weighs, and how much of a sum one entity is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ColumnError
from icm_ray.owner.exact import ExactSums
from icm_ray.owner.magnitudes import sizes_of
from icm_ray.query.contributions import contribution_words
from icm_ray.query.entity_units import LOG2_UNIT
from icm_ray.ring.array import RingArray
from icm_ray.ring.wide import GRID, to_signed

__all__ = ["EntityCodes", "EntityMagnitudes", "EntityWeights"]

Rows = NDArray[np.int64]
_HUGE: Final = 2.0**900
_SHIFT: Final = 100
_SLACK: Final = 30
"""Sums of 2^20 doubles and fewer are off by less than this power of two of them."""
_EXACT: Final = 53
"""Doubles add whole numbers below this power of two up as they are."""
_MOST_WAITING: Final = 1 << 22


class EntityCodes:
    """The entities of a table, by the column that names them; rows that lack a name are one entity's."""

    def __init__(self, name: str, arrays: Iterable[Any]) -> None:
        """arrays: of the column, all rows; one after the other, none is kept. Errors: `ColumnError` (an entity of too
        many rows).
        """
        import pyarrow as pa

        found: list[Any] = []
        waiting, entities = 0, 0
        for array in arrays:
            found.append(_summed(pa.table({"name": array, "rows": np.ones(len(array), np.int64)})))
            waiting += found[-1].num_rows
            if waiting > _MOST_WAITING + entities:
                found = [_summed(pa.concat_tables(found, promote_options="default"))]
                waiting, entities = 0, found[0].num_rows
        whole = _summed(pa.concat_tables(found, promote_options="default"))
        self._names = whole["name"].combine_chunks()
        self._rows: Rows = whole["rows"].to_numpy()
        if self._rows.size and int(self._rows.max()) > 1 << LOG2_UNIT:
            raise ColumnError(f"{name}: one value of it has more than 2^{LOG2_UNIT} rows", column=name)

    @property
    def weights(self) -> NDArray[np.uint64]:
        """Of a row of each entity."""
        return ((1 << LOG2_UNIT) // np.maximum(self._rows, 1)).astype(np.uint64)

    def of(self, array: Any) -> Rows:
        """The number of each row's entity."""
        import pyarrow.compute as pc

        places = pc.index_in(array.cast(self._names.type), value_set=self._names)  # null finds null
        codes: Rows = places.to_numpy(zero_copy_only=False).astype(np.int64)
        return codes


def _summed(table: Any) -> Any:
    found = table.group_by("name").aggregate([("rows", "sum")])
    return found.select(["name", "rows_sum"]).rename_columns(["name", "rows"])


class EntityWeights:
    """What the rows of each cell weigh."""

    def __init__(self, cells: int, weights: NDArray[np.uint64]) -> None:
        self._found, self._weights = np.zeros(cells, np.uint64), weights

    def add(self, values: NDArray[Any], cells: Rows | None, codes: Rows) -> None:
        """Take rows of these cells, or of the only one, and of these entities."""
        del values
        if cells is None:
            self._found[0] += self._weights[codes].sum(dtype=np.uint64)
        else:
            np.add.at(self._found, cells, self._weights[codes])

    def words(self) -> RingArray:
        """(cells,)."""
        return self._found.copy()


class EntityMagnitudes:
    """The words of `icm_ray.query.contributions` of each cell, where what an entity has of it is one contribution.

    What a cell has is added up exactly. What each entity has of it is a double, no less than it is and by a 2^-30 of it
    more: what is withheld errs on that side anyway. Memory: 16 bytes for each entity of each cell, and as much for rows
    that are to be added up.
    """

    def __init__(self, floats: bool, cells: int, entities: int) -> None:
        self._floats, self._cells, self._entities = floats, cells, max(entities, 1)
        self._totals = ExactSums(1, floats, cells)
        self._keys: Rows = np.zeros(0, np.int64)
        self._sums: NDArray[np.float64] = np.zeros(0)
        self._waiting: list[tuple[Rows, NDArray[np.float64]]] = []
        self._rows, self._shift = 0, 0

    def add(self, values: NDArray[Any], cells: Rows | None, codes: Rows) -> None:
        """Take values (rows,), int64, uint64 or float64, of these cells and entities; not empty."""
        sizes = sizes_of(values)
        self._totals.add(sizes, cells)
        plain = sizes.astype(np.float64)
        if not self._shift and plain.max() > _HUGE:  # sums of these may be beyond doubles
            self._add_up()
            self._shift = _SHIFT
            self._sums = np.ldexp(self._sums, -_SHIFT)
        keys = codes if cells is None else cells * self._entities + codes
        self._waiting.append((keys, np.ldexp(plain, -self._shift) if self._shift else plain))
        self._rows += keys.size
        if self._rows > _MOST_WAITING:
            self._add_up()

    def _add_up(self) -> None:
        keys = np.concatenate([self._keys, *(some for some, _ in self._waiting)])
        sizes = np.concatenate([self._sums, *(some for _, some in self._waiting)])
        self._keys, places = np.unique(keys, return_inverse=True)
        self._sums = np.bincount(places, sizes, self._keys.size).astype(np.float64) if keys.size else sizes
        self._waiting, self._rows = [], 0

    def words(self) -> RingArray:
        """(7, cells)."""
        self._add_up()
        totals, cells = to_signed(self._totals.words()), self._keys // self._entities
        order = np.lexsort((self._sums, cells))
        ends = np.searchsorted(cells[order], np.arange(self._cells + 1))
        found = []
        for total, (start, stop) in zip(totals, pairwise(ends.tolist()), strict=True):
            largest, second = (
                self._no_less(self._sums[order[at]]) if at >= start else 0 for at in (stop - 1, stop - 2)
            )
            largest = min(largest, total)
            found.append(contribution_words(total, largest, min(second, total - largest)))
        return np.array(found, np.uint64).T.copy()

    def _no_less(self, size: float) -> int:
        """In units of 1, or of 2^-1074 of doubles."""
        unit = self._shift + (GRID if self._floats else 0)
        exact = Fraction(float(size)) * (1 << unit)
        if exact < 1 << _EXACT:
            return int(exact)
        return math.ceil(exact * (1 + Fraction(1, 1 << _SLACK)))
