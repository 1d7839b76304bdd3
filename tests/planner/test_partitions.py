"""Rows cut into partitions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icm_ray.config import EngineConfig
from icm_ray.errors import InputError
from icm_ray.planner.partitions import lanes_of, partitions_of


@given(st.integers(0, 10**8), st.integers(1, 10**5), st.integers(1, 10**9))
def test_all_rows_in_order_none_too_long(rows, row_bytes, partition_bytes):
    few = row_bytes * rows // 500 + row_bytes  # enough for a list of partitions that a test can look through
    cut = partitions_of(rows, row_bytes, EngineConfig(partition_bytes=max(partition_bytes, few)))
    assert [part.start for part in cut] == [0, *(part.stop for part in cut[:-1])][: len(cut)]
    assert sum(map(len, cut)) == rows
    assert all(len(part) <= 1 << 22 for part in cut)
    assert not cut or max(map(len, cut)) - min(map(len, cut)) <= 1


def test_by_bytes():
    assert partitions_of(10, 8, EngineConfig(partition_bytes=32)) == (range(3), range(3, 6), range(6, 10))
    assert partitions_of(3, 100, EngineConfig(partition_bytes=10)) == (range(1), range(1, 2), range(2, 3))
    assert partitions_of(0, 8, EngineConfig()) == ()


def test_negative_sizes():
    with pytest.raises(InputError):
        partitions_of(-1, 8, EngineConfig())


def test_lanes_take_turns():
    assert lanes_of(5, 2) == (0, 1, 0, 1, 0)
    assert lanes_of(0, 3) == ()
