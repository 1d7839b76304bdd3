"""Words of 1 to 8 bytes: they come back as they were, and add up as words of so many bytes do."""

import numpy as np
import pytest

from icm_ray.ring.narrow import add_narrow, bytes_of, narrowed, widened, word_of

SIZES = range(1, 9)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [0, 1, 63, 1000])
def test_low_bytes_come_back(size, count):
    words = np.random.default_rng(size).integers(0, 2**64, count, dtype=np.uint64)
    raw = narrowed(words, size)
    assert raw.nbytes == count * size
    kept = words & np.uint64((1 << 8 * size) - 1)
    for word in (word_of(size), np.uint64):
        found = widened(raw.view(np.uint8), size, word)
        assert found.dtype == word
        np.testing.assert_array_equal(found, kept)


@pytest.mark.parametrize("size", SIZES)
def test_sums_of_shares_are_right_in_so_many_bytes(size):
    rng = np.random.default_rng(size)
    value, other = rng.integers(0, 2**64, (2, 100), dtype=np.uint64)
    share = widened(narrowed(value - other, size).view(np.uint8), size, np.uint64)
    np.testing.assert_array_equal(narrowed(share + other, size), narrowed(value, size))
    add_narrow(other, narrowed(value - other, size).view(np.uint8), size)
    np.testing.assert_array_equal(narrowed(other, size), narrowed(value, size))


@pytest.mark.parametrize(
    ("width", "size"), [(-3, 1), (0, 1), (1, 1), (8, 1), (9, 2), (43, 6), (49, 7), (57, 8), (64, 8)]
)
def test_bytes_of_bits(width, size):
    assert bytes_of(width) == size
