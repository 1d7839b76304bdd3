"""Whose rows an owner's are: what each of them weighs, and how much of a sum one entity is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ColumnError
from icm_ray.owner.exact import ExactSums
from icm_ray.owner.magnitudes import sizes_of
from icm_ray.query.contributions import contribution_words
from icm_ray.query.entity_units import LOG2_UNIT
from icm_ray.ring.array import RingArray
from icm_ray.ring.wide import to_signed

__all__ = ["EntityCodes", "EntityMagnitudes", "EntityWeights"]

Rows = NDArray[np.int64]


class EntityCodes:
    """The entities of a table, by the column that names them; rows that lack a name are one entity's."""

    def __init__(self, name: str, arrays: Sequence[Any]) -> None:
        """arrays: of the column, all rows. Errors: `ColumnError` (an entity of too many rows)."""
        import pyarrow as pa

        tables = [pa.table({"name": array, "rows": np.ones(len(array), np.int64)}) for array in arrays]
        found = pa.concat_tables([_summed(table) for table in tables], promote_options="default")
        whole = _summed(found)
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

    Memory: a number for each entity of each cell.
    """

    def __init__(self, floats: bool, cells: int) -> None:
        self._floats, self._cells = floats, cells
        self._found: list[dict[int, int]] = [{} for _ in range(cells)]

    def add(self, values: NDArray[Any], cells: Rows | None, codes: Rows) -> None:
        """Take values (rows,), int64, uint64 or float64, of these cells and entities; not empty."""
        most = int(codes.max()) + 1
        keys, places = np.unique(codes if cells is None else cells * most + codes, return_inverse=True)
        places = places.astype(np.int64)
        places.flags.writeable = False
        sums = ExactSums(1, self._floats, keys.size)
        sums.add(sizes_of(values), places)
        for key, size in zip(keys.tolist(), to_signed(sums.words()), strict=True):
            cell, code = divmod(key, most)
            own = self._found[cell]
            own[code] = own.get(code, 0) + size

    def words(self) -> RingArray:
        """(7, cells)."""
        found = []
        for own in self._found:
            second, largest = sorted([0, 0, *own.values()])[-2:]
            found.append(contribution_words(sum(own.values()), largest, second))
        return np.array(found, np.uint64).T.copy()
