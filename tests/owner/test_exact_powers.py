"""Exact sums of third and fourth powers, and of products, against Python's own integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icm_ray.errors import ProgramError
from icm_ray.owner.exact import ExactProducts, ExactSums
from icm_ray.owner.folds import fold_for
from icm_ray.ring.exact_sums import MOST_TERMS
from icm_ray.ring.wide import limbs_of, to_signed
from tests.owner.test_exact import LEAST, TOP, constant, numbers, plain_sums, sums_of, whole

ENDS = {
    "doubles": np.array([TOP, -TOP, LEAST, -LEAST, 2.0**1023, np.nextafter(1.0, 0.0), -0.0]),
    "int64": np.array([2**63 - 1, -(2**63), -1, 0, 1, 2**32, -(2**32) + 1]),
    "uint64": np.array([2**64 - 1, 2**63, 2**32 - 1, 0], np.uint64),
}


def products_of(values, others, cells, count, most_terms=MOST_TERMS):
    sums = ExactProducts(values.dtype.kind == "f", count, most_terms)
    sums.add(constant(values), constant(others), None if cells is None else constant(cells))
    return to_signed(sums.words())


def plain_products(values, others, cells, count):
    expected = [0] * count
    for value, other, cell in zip(values.tolist(), others.tolist(), cells.tolist(), strict=True):
        expected[cell] += whole(value) * whole(other)
    return expected


@given(numbers, st.sampled_from([3, 4]), st.integers(1, 9), st.integers(0, 2**32), st.integers(1, 7))
def test_sums_of_powers_are_exact_whenever_carries_come(values, power, count, seed, most_terms):
    cells = np.random.default_rng(seed).integers(0, count, values.size)
    assert sums_of(values, power, cells, count, most_terms) == plain_sums(values, power, cells, count)
    assert sums_of(values, power) == plain_sums(values, power, np.zeros_like(cells), 1)


@given(numbers, st.integers(1, 9), st.integers(0, 2**32), st.integers(1, 7))
def test_sums_of_products_are_exact(values, count, seed, most_terms):
    rng = np.random.default_rng(seed)
    cells, others = rng.integers(0, count, values.size), rng.permutation(values)
    assert products_of(values, others, cells, count, most_terms) == plain_products(values, others, cells, count)
    assert products_of(values, others, None, 1) == plain_products(values, others, np.zeros_like(cells), 1)


@pytest.mark.parametrize("power", [3, 4])
def test_every_power_of_two_is_in_its_place(power):
    values = np.ldexp(1.0, np.arange(-1074, 1024))
    cells = np.arange(values.size)
    assert sums_of(values, power, cells, values.size) == [1 << power * place for place in range(values.size)]
    odd = np.nextafter(values, np.inf)[:-1]
    assert sums_of(-odd, power, cells[: odd.size], odd.size) == [(-1) ** power * whole(x, power) for x in odd.tolist()]


@pytest.mark.parametrize("values", ENDS.values(), ids=ENDS)
def test_ends_of_the_numbers(values):
    cells = np.arange(values.size)
    for power in (3, 4):
        assert sums_of(values, power, cells, values.size) == [whole(value, power) for value in values.tolist()]
    for other in values.tolist():
        others = np.full_like(values, other)
        expected = [whole(value) * whole(other) for value in values.tolist()]
        assert products_of(values, others, cells, values.size) == expected


def test_products_of_signed_and_unsigned_integers():
    signed, unsigned = np.array([-(2**63), 2**63 - 1, -1]), np.array([2**64 - 1, 2**64 - 1, 3], np.uint64)
    expected = [x * y for x, y in zip(signed.tolist(), unsigned.tolist(), strict=True)]
    cells = np.arange(3)
    assert products_of(signed, unsigned, cells, 3) == products_of(unsigned, signed, cells, 3) == expected


@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.parametrize("degree", [2, 3, 4])
def test_limbs_hold_what_is_of_a_degree_over_many_rows(floats, degree):
    """N^(degree - 1) times the sum of N powers of the largest magnitude, and the other terms of a central moment."""
    largest = int(TOP) * 2**1074 if floats else 2**64 - 1
    terms = {2: 1 + 1, 3: 1 + 3 + 2, 4: 1 + 4 + 6 + 3}[degree]
    assert terms * (2**45 * largest) ** degree < 2 ** (64 * limbs_of(floats, degree) - 1)


@pytest.mark.parametrize("kind", ["sum", "squares", "cubes", "fourths"])
@pytest.mark.parametrize("values", ENDS.values(), ids=ENDS)
def test_sums_have_the_limbs_of_what_they_become_a_part_of(kind, values):
    floats, power = values.dtype.kind == "f", ["sum", "squares", "cubes", "fourths"].index(kind) + 1
    for degree in (2, 3, 4):
        fold = fold_for(kind, floats, "x", degree=degree)
        fold.add(values, None)
        words = fold.words()
        assert words.shape == (1, limbs_of(floats, max(degree, power)))
        assert to_signed(words) == [sum(whole(value, power) for value in values.tolist())]


def test_blocks_that_do_not_fit_together_are_refused():
    with pytest.raises(ProgramError, match="as many rows"):
        fold_for("products", True, "cost").add(np.zeros(3), None, np.zeros(2))
    with pytest.raises(ProgramError, match="as many rows"):
        fold_for("products", True, "cost").add(np.zeros(3), None)
    for kind in ("count", "sum"):
        with pytest.raises(ProgramError, match="products alone"):
            fold_for(kind, True, "cost").add(np.zeros(3), None, np.zeros(3))
    with pytest.raises(ProgramError, match="cell outside"):
        fold_for("products", True, "cost", 2).add(np.zeros(1), np.array([2]), np.zeros(1))


def test_memory_of_the_fold_is_that_of_its_power():
    assert ExactSums(1, True, 5, degree=4)._sums.digits.nbytes == 5 * 544


def test_products_of_blocks_of_any_layout():
    values, cells = np.arange(12.0), np.arange(12) % 5
    misaligned = np.frombuffer(b"." + values.tobytes(), np.float64, offset=1)
    expected = fold_for("products", True, "x", 5)
    expected.add(values, cells, values + 1)
    for block, others in ((misaligned, values + 1), (values, np.repeat(values + 1, 2)[::2])):
        fold = fold_for("products", True, "x", 5)
        fold.add(block, cells, others)
        assert np.array_equal(fold.words(), expected.words())
