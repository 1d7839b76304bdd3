"""Files are cut into partitions of about the limit: every row once, in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from icm_ray.owner.partitions import Group, cut


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 16), st.integers(1, 400))
def test_every_row_is_in_one_partition(sizes, row_bytes, partition_bytes):
    groups = [Group(f"file-{number}", number, rows) for number, rows in enumerate(sizes)]
    partitions = cut(groups, row_bytes, partition_bytes)
    rows = [
        (piece.group.number, row) for pieces in partitions for piece in pieces for row in range(piece.start, piece.stop)
    ]
    assert rows == [(group.number, row) for group in groups for row in range(group.rows)]
    limit = max(1, partition_bytes // row_bytes)
    sizes_cut = [sum(piece.rows for piece in pieces) for pieces in partitions]
    assert all(0 < size <= limit for size in sizes_cut)


def test_small_groups_are_merged_and_large_ones_split_evenly():
    groups = [Group("a", 0, 3), Group("a", 1, 4), Group("b", 0, 25), Group("c", 0, 2)]
    partitions = cut(groups, 8.0, 80)
    assert [[(piece.group.path, piece.start, piece.stop) for piece in pieces] for pieces in partitions] == [
        [("a", 0, 3), ("a", 0, 4)],
        [("b", 0, 8)],
        [("b", 8, 16)],
        [("b", 16, 25)],
        [("c", 0, 2)],
    ]
