"""What rows weigh where a policy names an entity column (`icm_ray.query.entities`), and what it is compared with."""

from __future__ import annotations

from typing import Final

from icm_ray.policy import Policy

__all__ = ["LOG2_UNIT", "least"]

LOG2_UNIT: Final = 20
"""Of what all rows of one entity weigh together."""


def least(policy: Policy, number: int) -> int:
    """What has so many rows behind it counts that many, or, where rows are entities', weighs that much at least."""
    return ((number - 1) << LOG2_UNIT) + 1 if policy.entity else number
