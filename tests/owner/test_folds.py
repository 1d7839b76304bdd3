"""Folds by cell against Python's numbers: what is in no cell, all kinds of blocks, what is refused."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from icm_ray.errors import ColumnError, ProgramError
from icm_ray.owner.aggregate import aggregate
from icm_ray.owner.folds import KINDS, fold_for
from icm_ray.query.key_digits import KeyDigits, key_space
from icm_ray.ring.fixed import NOTHING, key_of_float, key_of_words
from icm_ray.ring.wide import GRID, to_signed

CELLS = 4
finite = st.floats(allow_nan=False, allow_infinity=False)
integers = st.one_of(
    hnp.arrays(np.int64, st.integers(0, 30), elements=st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)),
    hnp.arrays(np.uint64, st.integers(0, 30), elements=st.integers(0, 2**64 - 1) | st.integers(0, 3)),
    hnp.arrays(bool, st.integers(0, 30)),
)
doubles = hnp.arrays(np.float64, st.integers(0, 30), elements=finite | st.sampled_from([0.0, -0.0]))


def placed(values, seed):
    return np.random.default_rng(seed).integers(0, CELLS - 1, values.size)  # the last cell stays empty


def folded(kind, floats, blocks, cells=CELLS):
    fold = fold_for(kind, floats, "x", cells)
    for values, places in blocks:
        fold.add(values, places)
    return fold.words()


def by_cell(blocks):
    rows = [[] for _ in range(CELLS)]
    for values, places in blocks:
        for value, place in zip(values.tolist(), places.tolist(), strict=True):
            rows[place].append(value)
    return rows


def keys(words):
    assert (words.shape, words.dtype) == ((2, CELLS), np.uint64)
    return [key_of_words(*pair) for pair in words.view(np.int64).T.tolist()]


def with_cells(kind):
    blocks = st.builds(lambda values, seed: (values, placed(values, seed)), kind, st.integers(0, 99))
    return st.lists(blocks, max_size=4)


@given(with_cells(integers))
def test_folds_of_integers(blocks):
    rows = by_cell(blocks)
    assert folded("count", False, blocks).tolist() == [len(cell) for cell in rows]
    for kind, power in (("sum", 1), ("squares", 2)):
        words = folded(kind, False, blocks)
        assert (words.shape, words.dtype) == ((CELLS, 4), np.uint64)
        assert to_signed(words) == [sum(value**power for value in cell) for cell in rows]
    assert keys(folded("min", False, blocks)) == [min(cell, default=NOTHING) for cell in rows]
    assert keys(folded("max", False, blocks)) == [max(cell, default=-NOTHING) for cell in rows]


@given(with_cells(doubles))
def test_folds_of_doubles(blocks):
    rows = by_cell(blocks)
    for kind, power in (("sum", 1), ("squares", 2)):
        words = folded(kind, True, blocks)
        assert (words.shape, words.dtype) == ((CELLS, 67), np.uint64)
        expected = [sum(int(value.as_integer_ratio()[0] * 2**GRID // value.as_integer_ratio()[1]) ** power
                        for value in cell) for cell in rows]  # fmt: skip
        assert to_signed(words) == expected
    assert keys(folded("min", True, blocks)) == [min(map(key_of_float, cell), default=NOTHING) for cell in rows]
    assert keys(folded("max", True, blocks)) == [max(map(key_of_float, cell), default=-NOTHING) for cell in rows]


@pytest.mark.parametrize("kind", ["count", "sum", "squares", "min", "max"])
@given(values=doubles.filter(len) | integers.filter(len))
@pytest.mark.few(3)
def test_one_cell_with_cells_and_without(kind, values):
    floats = values.dtype.kind == "f"
    words = aggregate(kind, (), [[values[:7], values[7:]]], "x", floats)
    assert np.array_equal(folded(kind, floats, [(values, None)], 1), words)
    assert np.array_equal(folded(kind, floats, [(values, np.zeros(values.size, np.int64))], 1), words)


@pytest.mark.parametrize("kind", ["min", "max"])
def test_one_cell_without_rows_holds_nothing(kind):
    words = folded(kind, True, [(np.empty(0), None)], 1)
    assert key_of_words(*words[:, 0].view(np.int64).tolist()) == (NOTHING if kind == "min" else -NOTHING)


def test_zeros_have_their_signs_in_every_cell():
    values, cells = np.array([0.0, -0.0, 0.0, -0.0]), np.array([0, 0, 1, 2])
    least, largest = keys(folded("min", True, [(values, cells)])), keys(folded("max", True, [(values, cells)]))
    assert least[:3] == [key_of_float(zero) for zero in (-0.0, 0.0, -0.0)]
    assert largest[:3] == [key_of_float(zero) for zero in (0.0, 0.0, -0.0)]


def test_ends_of_integers_are_values_and_not_nothing():
    values, cells = np.array([2**63 - 1, -(2**63)]), np.array([0, 1])
    unsigned = np.array([2**64 - 1, 0], np.uint64), np.array([2, 3])
    for kind in ("min", "max"):
        found = keys(folded(kind, False, [(values, cells), unsigned]))
        assert found == [2**63 - 1, -(2**63), 2**64 - 1, 0]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "products"])
def test_blocks_of_any_layout(kind):
    """Arrow's cannot be written; slices have strides; bytes of a stream are anywhere."""
    values = np.arange(12.0)
    raw = b"." + values.tobytes()
    misaligned = np.frombuffer(raw, np.float64, offset=1)
    cells = 1 if kind == "histogram" else CELLS
    places = None if kind == "histogram" else np.arange(12) % CELLS
    backwards = None if places is None else places[::-1]
    digits = KeyDigits(key_space("float", "x"), 0, 13, ((0,) * cells,))
    expected = fold_for(kind, True, "x", cells, (0, 4, 8), digits)
    expected.add(values, places)
    for block, where in ((pa.array(values).to_numpy(), places), (misaligned, places), (values[::-1], backwards)):
        fold = fold_for(kind, True, "x", cells, (0, 4, 8), digits)
        fold.add(block, where)
        assert np.array_equal(fold.words(), expected.words())


def test_counts_take_columns_of_any_kind():
    words = pa.array(["a", "b", "c"]).to_numpy(zero_copy_only=False)
    assert folded("count", False, [(words, np.array([3, 0, 3]))]).tolist() == [1, 0, 0, 2]


@pytest.mark.parametrize("kind", ["sum", "squares", "min", "max"])
def test_numbers_of_another_kind_are_refused(kind):
    cells = np.zeros(1, np.int64)
    with pytest.raises(ColumnError, match="cost"):
        fold_for(kind, False, "cost", 2).add(np.array([0.5]), cells)
    with pytest.raises(ColumnError, match="cost"):
        fold_for(kind, True, "cost", 2).add(np.array([2**53 + 1]), cells)


@pytest.mark.parametrize("kind", ["count", "sum", "squares", "min", "max"])
@pytest.mark.parametrize(
    "cells",
    [None, np.array([0, 1]), np.array([0, 1, -1]), np.array([0, 1, 2]), np.array([0, -(2**63), 1]),
     np.array([0, 2**63 - 1, 1]), np.array([0.0, 1.0, 0.0]), np.zeros((3, 1), np.int64)],
)  # fmt: skip
def test_cells_that_are_not_there_are_refused(kind, cells):
    with pytest.raises(ProgramError, match="cost"):
        fold_for(kind, True, "cost", 2).add(np.zeros(3), cells)


@pytest.mark.parametrize(("kind", "cells"), [("histogram", 2), ("sum", 0), ("median", 1)])
def test_folds_that_are_none(kind, cells):
    with pytest.raises(ProgramError, match="cost"):
        fold_for(kind, True, "cost", cells, (0, 1))


# --- histograms ---------------------------------------------------------------------------------------------------


def plain_histogram(values, edges):
    counts = [sum(low <= value < high for value in values) for low, high in pairwise(edges)]
    counts[-1] += sum(value == edges[-1] for value in values)
    return counts


SCALES = {
    "equal": np.linspace(-4, 4, 33),
    "many": np.linspace(-4, 4, 4097),
    "of powers": np.array([-(2.0**k) for k in range(1023, -1075, -50)] + [2.0**k for k in range(-1074, 1024, 50)]),
    "all but two in one place": np.array([-1e308, *np.nextafter(1.0, 2.0) ** np.arange(9), 1e308]),
    "repeated": np.array([0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0]),
    "of subnormals": np.arange(9) * 5e-324,
    "ends of doubles": np.array([-np.finfo(float).max, 0.0, np.finfo(float).max]),
    "a point": np.array([1.0, 1.0]),
}


@pytest.mark.parametrize("edges", SCALES.values(), ids=SCALES)
def test_values_at_and_beside_edges_are_in_their_bins(edges):
    rng = np.random.default_rng(5)
    with np.errstate(over="ignore"):
        beside = [edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf), rng.standard_normal(500)]
        values = np.concatenate([*beside, rng.choice(edges, 50) * rng.uniform(-2, 2, 50)])
    values = values[np.isfinite(values)]
    counts = aggregate("histogram", tuple(edges.tolist()), [[values]], "x", floats=True)
    places = np.searchsorted(edges, values, side="right")  # exact comparisons, one value at a time
    places[values == edges[-1]] = np.searchsorted(edges[:-1], edges[-1], side="right")
    expected = np.bincount(places, minlength=edges.size + 1)[1 : edges.size]
    if edges.size < 100:
        assert expected.tolist() == plain_histogram(values.tolist(), edges.tolist())
    assert counts.tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_integers_beside_edges_beyond_doubles(dtype):
    edges = (-(2**63), -5, 2**53, 2**53 + 1, 2**62 + 1, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1, 2**64, 2**70)
    ends = np.iinfo(dtype)
    near = {edge + step for edge in edges for step in range(-2, 3)}
    values = sorted(value for value in near if ends.min <= value <= ends.max)
    counts = aggregate("histogram", edges, [[np.array(values, dtype)]], "x")
    assert counts.tolist() == plain_histogram(values, edges)


def test_edges_that_no_integer_reaches():
    blocks = [[np.array([1, 2])], [np.array([3], np.uint64)]]
    assert aggregate("histogram", (2.0**70, 2.0**71), blocks, "x").tolist() == [0]
    assert aggregate("histogram", (-(2.0**71), -(2.0**70)), blocks, "x").tolist() == [0]


def scaled(number, shift, *, up):
    return -((-number * 2**60) >> (shift + 60)) if up else (number * 2**60) >> (shift + 60)


@given(st.lists(integers | doubles, min_size=1, max_size=3), st.integers(0, 99))
def test_contributions(arrays, seed):
    """The exact sum of magnitudes and the two largest, on the scale that the sum gives."""
    floats = arrays[0].dtype.kind == "f"
    arrays = [array for array in arrays if (array.dtype.kind == "f") == floats]
    blocks = [(values, placed(values, seed)) for values in arrays]
    words = folded("contributions", floats, blocks)
    one = folded("contributions", floats, [(values, None) for values, _ in blocks], cells=1)
    everything = [[value for row in by_cell(blocks) for value in row]]
    found = [*words.T.tolist(), *one.T.tolist()]
    for row, values in zip(found, by_cell(blocks) + everything, strict=True):
        sizes = sorted(
            (abs(int(value) if not floats else int(Fraction(value) * 2**GRID)) for value in values), reverse=True
        )
        total, largest, both = sum(sizes), sum(sizes[:1]), sum(sizes[:2])
        assert row[0] == -(-total.bit_length() // 24)
        for start, shift in ((1, 24 * row[0] - 45), (4, 24 * row[0] - 21)):
            plain = [scaled(total, shift, up=False), scaled(largest, shift, up=True), scaled(both, shift, up=True)]
            assert row[start : start + 3] == plain
            assert max(plain) <= 2**45
