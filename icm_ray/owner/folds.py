"""Folds: aggregates by cell that an owner computes in the clear, from blocks of rows as they come.

A cell is a group, a public number in [0, cells). One scan of a partition feeds as many folds as are asked for. Sums and
sums of squares are integers in wide rings: of integers in units of 1, of doubles in units of 2^-1074 and 2^-2148, of
which every finite double and its square are multiples (`owner.exact`, `ring.wide`), and likewise of third and fourth
powers; products of two columns are as squares. Nothing is rounded, so the words
of several partitions and owners add up to those of all rows, and N S2 - S1^2 is never negative, and zero for rows that
are all equal.

The least or largest value is an order key (`ring.fixed`): an integer itself, or a double's place in IEEE's total order,
where -0.0 comes before 0.0. That is the zero which numpy finds where its answer does not depend on the order of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ColumnError, ProgramError
from icm_ray.owner.bins import Bins, Edge
from icm_ray.owner.entities import EntityMagnitudes, EntityWeights
from icm_ray.owner.exact import ExactProducts, ExactSums
from icm_ray.owner.extremes import Extremes
from icm_ray.owner.key_counts import KeyCounts
from icm_ray.owner.limb_sums import LimbSums
from icm_ray.owner.magnitudes import Magnitudes
from icm_ray.owner.record_keys import KeySums
from icm_ray.query.cell_keys import LOG2_KEYS
from icm_ray.query.key_digits import KeyDigits
from icm_ray.ring import cells as kernels
from icm_ray.ring.array import RingArray

__all__ = ["KINDS", "Fold", "entity_fold_for", "fold_for", "limb_fold_for"]

Cells = NDArray[np.int64]

KINDS = (
    "count", "sum", "squares", "cubes", "fourths", "products", "min", "max", "histogram", "keys", "contributions"
)  # fmt: skip
_POWERS = {"sum": 1, "squares": 2, "cubes": 3, "fourths": 4}


class Fold(Protocol):
    """An aggregate that takes blocks of rows and has its words at any time."""

    def add(self, values: NDArray[Any], cells: Cells | None, others: NDArray[Any] | None = None) -> None:
        """Take the values (rows,) of a block; cells (rows,): of each value, None where there is one cell. others
        (rows,): what they are multiplied with, for products alone.

        Errors: `ColumnError` (numbers that are not of the column's kind), `ProgramError` (cells that are not there).
        What a fold holds after an error is undefined.
        """

    def words(self) -> RingArray:
        """The aggregate of all rows so far."""


def fold_for(
    kind: str,
    floats: bool,
    name: str,
    cells: int = 1,
    edges: Sequence[Edge] = (),
    digits: KeyDigits | None = None,
    degree: int = 2,
) -> Fold:
    """The fold of an aggregate, without rows. Values are bool, int64 and uint64, or finite float64.

    kind      words (uint64)
    count     (cells,): rows; of any dtype
    sum       (cells, limbs), two's complement: of integers and booleans 4 limbs, of floats 67 in units of 2^-1074
    squares   (cells, limbs): of integers and booleans 4 limbs, of floats 67 in units of 2^-2148
    cubes     (cells, limbs): of integers and booleans 6 limbs, of floats 101 in units of 2^-3222
    fourths   (cells, limbs): of integers and booleans 7 limbs, of floats 135 in units of 2^-4296
    products  (cells, limbs): as squares
    min, max  (2, cells): an order key's two words (`ring.fixed.words_of_key`), of a cell without rows those of NOTHING
              for min, of -NOTHING for max
    histogram (bins,): numpy.histogram's counts for `edges`, which compare exactly; of one cell only
    keys      (rows, cells, thresholds): order keys below each value of the next digit but 0, for each row of `digits`
    contributions  (7, cells): `icm_ray.query.contributions`

    floats: whether the column's kind, as owners agree on it, is "float"; integers are taken as doubles then where that
    is exact. degree: sums have as many limbs as those of powers of this degree, where that is more. `name`: for errors.
    Errors: `ProgramError` (an unknown kind, no cells, edges out of order, a histogram by cell, no digits for
    keys).
    """
    if kind not in KINDS:
        raise ProgramError(f"{name}: an owner aggregates {', '.join(KINDS)}, not {kind!r}", name=name)
    if cells < 1 or (kind == "histogram" and cells > 1):
        raise ProgramError(f"{name}: {kind} of {cells} cells; a histogram has one, others have one or more", name=name)
    if kind == "count":
        return _Count(cells, name)
    if kind == "products":
        return _Products(floats, name, cells)
    inner: _OfNumbers
    if kind == "histogram":
        inner = Bins(edges, name)
    elif kind == "keys":
        if digits is None:
            raise ProgramError(f"{name}: keys are counted for the values of a digit", name=name)
        inner = KeyCounts(digits, cells, name)
    elif kind in {"min", "max"}:
        inner = Extremes(kind == "min", cells)
    elif kind == "contributions":
        inner = Magnitudes(floats, cells)
    else:
        inner = ExactSums(_POWERS[kind], floats, cells, degree=degree)
    return _Numbers(inner, floats, name, cells)


def entity_fold_for(kind: str, floats: bool, name: str, cells: int, weights: NDArray[np.uint64]) -> Fold:
    """The fold of "entities", what rows weigh by cell (cells,), or of "contributions" of entities (7, cells): the
    `others` of its blocks are numbers of entities. weights: of a row of each. Of "record keys" these are the keys, and
    there are no weights. Errors: `ProgramError` (another kind).
    """
    if kind == "record keys":
        return _WithNumbers(KeySums(cells), floats, name, cells, 1 << LOG2_KEYS)
    if kind == "entities":
        return _WithNumbers(EntityWeights(cells, weights), floats, name, cells, weights.size)
    if kind == "contributions":
        return _WithNumbers(EntityMagnitudes(floats, cells, weights.size), floats, name, cells, weights.size)
    raise ProgramError(f"{name}: {kind} is not aggregated by entities", name=name)


def limb_fold_for(kind: str, floats: bool, name: str, cells: int, limb: int) -> Fold:
    """The fold of a sum, or of a sum of squares, in words (words, cells) of `limb` bits.

    Errors: as of `fold_for`; while it adds up, `BoundError` (values too large for the words).
    """
    return _Numbers(LimbSums(kind, floats, name, cells, limb), floats, name, cells)


class _Count:
    """Rows by cell."""

    def __init__(self, cells: int, name: str) -> None:
        self._counts, self._name = np.zeros(cells, np.uint64), name

    def add(self, values: NDArray[Any], cells: Cells | None, others: NDArray[Any] | None = None) -> None:
        """Count the values of a block."""
        _alone(others, self._name)
        placed = _placed(cells, values.size, self._counts.size, self._name)
        if placed is None:
            self._counts[0] += np.uint64(values.size)
        else:
            kernels.count_at(placed, self._counts)

    def words(self) -> RingArray:
        """The counts (cells,)."""
        return self._counts.copy()


class _OfNumbers(Protocol):
    """What `_Numbers` hands blocks to."""

    def add(self, values: NDArray[Any], cells: Cells | None) -> None:
        """Take the values of a block that is not empty."""

    def words(self) -> RingArray:
        """The aggregate."""


class _Numbers:
    """A fold of numbers: checks what comes, and hands it on as kernels take it."""

    def __init__(self, inner: _OfNumbers, floats: bool, name: str, cells: int) -> None:
        self._inner, self._floats, self._name, self._cells = inner, floats, name, cells

    def add(self, values: NDArray[Any], cells: Cells | None, others: NDArray[Any] | None = None) -> None:
        """Check a block, and take it."""
        _alone(others, self._name)
        placed = _placed(cells, values.size, self._cells, self._name)
        if values.size:
            self._inner.add(_for_kernels(_of_kind(values, self._floats, self._name)), placed)

    def words(self) -> RingArray:
        """The inner fold's."""
        return self._inner.words()


class _Products:
    """The fold of products: checks what comes, likewise."""

    def __init__(self, floats: bool, name: str, cells: int) -> None:
        self._inner = ExactProducts(floats, cells)
        self._floats, self._name, self._cells = floats, name, cells

    def add(self, values: NDArray[Any], cells: Cells | None, others: NDArray[Any] | None = None) -> None:
        """Check a block, and take it."""
        placed = _placed(cells, values.size, self._cells, self._name)
        if others is None or others.shape != values.shape:
            raise ProgramError(f"{self._name}: products take two blocks of as many rows", name=self._name)
        if values.size:
            one, other = (_for_kernels(_of_kind(block, self._floats, self._name)) for block in (values, others))
            self._inner.add(one, other, placed)

    def words(self) -> RingArray:
        """The sums."""
        return self._inner.words()


class _WithNumbers:
    """A fold of rows that come with a number each: checks what comes, likewise."""

    def __init__(
        self, inner: EntityWeights | EntityMagnitudes | KeySums, floats: bool, name: str, cells: int, entities: int
    ) -> None:
        self._inner, self._floats, self._name, self._cells, self._entities = inner, floats, name, cells, entities

    def add(self, values: NDArray[Any], cells: Cells | None, others: NDArray[Any] | None = None) -> None:
        """Check a block, and take it."""
        placed = _placed(cells, values.size, self._cells, self._name)
        if others is None or others.shape != values.shape or others.dtype != np.int64:
            raise ProgramError(
                f"{self._name}: rows of entities, or with keys, come with a number each", name=self._name
            )
        if not values.size:
            return
        if others.min() < 0 or others.max() >= self._entities:
            raise ProgramError(f"{self._name}: a row of an entity, or with a key, that is not there", name=self._name)
        numbers = isinstance(self._inner, EntityMagnitudes)
        taken = _for_kernels(_of_kind(values, self._floats, self._name)) if numbers else values
        self._inner.add(taken, placed, others)

    def words(self) -> RingArray:
        """The inner fold's."""
        return self._inner.words()


def _alone(others: NDArray[Any] | None, name: str) -> None:
    if others is not None:
        raise ProgramError(f"{name}: products alone take two blocks", name=name)


def _placed(cells: Cells | None, rows: int, count: int, name: str) -> Cells | None:
    """The cells of a block. Kernels write where cells say: they are checked here, always."""
    if cells is None:
        if count != 1:
            raise ProgramError(f"{name}: rows without cells, where there are {count}", name=name)
        return None
    if cells.shape != (rows,) or cells.dtype != np.int64:
        raise ProgramError(f"{name}: cells {cells.dtype} {cells.shape} of {rows} rows; one int64 a row", name=name)
    placed: Cells = _for_kernels(cells)
    if not kernels.within(placed, count):
        raise ProgramError(f"{name}: a row of a cell outside of the {count} that there are", name=name)
    return placed


def _for_kernels(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written, aligned and contiguous: kernels are compiled for nothing else (Arrow's are so)."""
    view = np.require(array, requirements=["C", "A"]).view()
    view.flags.writeable = False
    return view


def _of_kind(block: NDArray[Any], floats: bool, name: str) -> NDArray[Any]:
    """The block, not empty, in float64, or in int64 or uint64."""
    if not floats:
        if block.dtype.kind == "f":
            raise ColumnError(f"{name}: fractional numbers in a column that is agreed to hold integers", column=name)
        return block.astype(np.uint64 if block.dtype.kind == "u" else np.int64, copy=False)
    if block.dtype.kind in "iu" and max(int(block.max()), -int(block.min())) > 1 << 53:
        raise ColumnError(f"{name}: integers beyond 2^53 in a column that is agreed to hold floats", column=name)
    return block.astype(np.float64, copy=False)
