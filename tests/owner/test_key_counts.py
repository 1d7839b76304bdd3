"""Counts of keys below the values of a digit, against sorted lists: every dtype, every digit, by cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icm_ray.errors import ProgramError
from icm_ray.owner.folds import fold_for
from icm_ray.query.key_digits import KeyDigits, KeySpace, key_space
from icm_ray.ring.fixed import key_of_float

INT, FLOAT, BOOL = (key_space(kind, "x") for kind in ("int", "float", "bool"))
ENDS = [-(2**63), -1, 0, 1, 2**63 - 1, 2**63, 2**64 - 1]
signed = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(ENDS[:5])
unsigned = st.integers(0, 2**64 - 1) | st.sampled_from(ENDS[2:])
doubles = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.0, -0.0, 5e-324, 1.7976931348623157e308]
)


def blocks(dtype, elements):
    return st.lists(elements, max_size=12).map(lambda values: np.array(values, dtype))


def key_of(value):
    return key_of_float(value) if isinstance(value, float) else int(value)


@st.composite
def searches(draw):
    """A digit of a space, with prefixes that values of the blocks have, or that none has; blocks and their cells."""
    space, kinds = draw(
        st.sampled_from(
            [(INT, (blocks(np.int64, signed), blocks(np.uint64, unsigned))), (FLOAT, (blocks(np.float64, doubles),)),
             (BOOL, (blocks(np.bool_, st.booleans()),))]
        )
    )  # fmt: skip
    found = [draw(st.one_of(kinds)) for _ in range(draw(st.integers(0, 3)))]
    sizes = space.digits(draw(st.sampled_from([1, 3, 2**9, 2**16])))
    step = draw(st.integers(0, len(sizes) - 1))
    known, size = sum(sizes[:step]), sizes[step]
    cells = draw(st.sampled_from([1, 3]))
    places = [key_of(value) + space.offset for block in found for value in block.tolist()]
    some = st.integers(0, (1 << space.bits) - 1)
    one = (st.sampled_from(places) | some if places else some).map(lambda place: place >> (space.bits - known))
    rows = draw(st.lists(st.tuples(*[one] * cells), min_size=1, max_size=3))
    digits = KeyDigits(space, known, size, tuple(rows))
    return digits, [(block, draw(st.lists(st.integers(0, cells - 1), min_size=block.size, max_size=block.size)))
                    for block in found], cells  # fmt: skip


@given(searches())
def test_counts_of_keys(search):
    digits, found, cells = search
    space = digits.space
    fold = fold_for("keys", space is FLOAT, "x", cells, digits=digits)
    by_cell = [[] for _ in range(cells)]
    for block, places in found:
        fold.add(block, None if cells == 1 else np.array(places, np.int64))
        for value, place in zip(block.tolist(), places, strict=True):
            by_cell[place].append(key_of(value) + space.offset)
    words = fold.words()
    assert (words.shape, words.dtype) == ((len(digits.prefixes), cells, digits.thresholds), np.uint64)
    checked = sorted({1, 2, digits.thresholds // 2, digits.thresholds} & set(range(1, digits.thresholds + 1)))
    for row, prefixes in enumerate(digits.prefixes):
        for cell, prefix in enumerate(prefixes):
            for digit in checked:
                threshold = ((prefix << digits.size) + digit) << digits.left
                assert words[row, cell, digit - 1] == sum(place < threshold for place in by_cell[cell])


@pytest.mark.parametrize("space", [INT, FLOAT, BOOL])
def test_no_value_is_at_an_end_of_its_space(space):
    largest = key_of_float(1.7976931348623157e308)
    ends = {INT: (-(2**63), 2**64 - 1), FLOAT: (-1 - largest, largest), BOOL: (0, 1)}[space]
    assert all(0 < end + space.offset < (1 << space.bits) - 1 for end in ends)
    assert all(sum(space.digits(places)) == space.bits for places in (1, 2, 100, 2**17, 2**20))


@pytest.mark.parametrize(
    "digits",
    [
        None,
        KeyDigits(INT, 0, 2, ((0,),)),
        KeyDigits(INT, 60, 8, ((0,),)),
        KeyDigits(FLOAT, 0, 8, ()),
        KeyDigits(FLOAT, 0, 8, ((0, 0),)),
        KeyDigits(KeySpace(128, 0), 0, 8, ((0,),)),
    ],
)
def test_digits_that_are_not_there_are_refused(digits):
    with pytest.raises(ProgramError, match=r"x: (digits of keys that are not there|keys are counted for)"):
        fold_for("keys", False, "x", 1, digits=digits)


@pytest.mark.parametrize("cells", [1, 2])
@pytest.mark.parametrize("size", [1, 5])
def test_the_largest_of_64_bits_is_no_digit_below_zero(cells, size):
    """Its distance from a range below zero, and the range's first digit, add up to more than 64 bits."""
    low = -(2**size) + INT.offset
    digits = KeyDigits(INT, INT.bits - size, size, ((low >> size,) * cells,))
    fold = fold_for("keys", False, "x", cells, digits=digits)
    fold.add(np.array([2**64 - 1, 2**64 - 2], np.uint64), None if cells == 1 else np.array([0, 1]))
    assert not fold.words().any()
