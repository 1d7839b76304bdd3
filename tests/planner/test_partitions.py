"""Partitions spread over lanes."""

from icm_ray.planner.partitions import lanes_of


def test_lanes_take_turns():
    assert lanes_of(5, 2) == (0, 1, 0, 1, 0)
    assert lanes_of(0, 3) == ()
