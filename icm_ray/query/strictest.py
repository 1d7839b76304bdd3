"""What several policies all allow."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from icm_ray.policy import OPERATIONS, Policy

__all__ = ["strictest"]


def strictest(policies: Iterable[Policy | None]) -> Policy | None:
    """The strictest rule of each kind; None where there is no policy at all. Where only one is, it is that one, as it
    is. What is made of two has no name: it is no dataset's; nor are there entities or noise, which rows of several
    datasets with policies do not have.
    """
    return reduce(_of_two, policies, None)


def _of_two(one: Policy | None, other: Policy | None) -> Policy | None:
    if one is None or other is None:
        return one or other
    operations = None
    if one.operations is not None or other.operations is not None:
        operations = tuple(name for name in OPERATIONS if not (one.forbids(name) or other.forbids(name)))
    recipients = one.recipients if other.recipients is None else other.recipients
    if one.recipients is not None and other.recipients is not None:
        recipients = tuple(name for name in one.recipients if name in other.recipients)
    return Policy(
        min_rows=max(one.min_rows, other.min_rows),
        recipients=recipients,
        operations=operations,
        hide_zeros=one.hide_zeros or other.hide_zeros,
        residual_df=max(one.residual_df, other.residual_df),
        rows_per_bin=max(one.rows_per_bin, other.rows_per_bin),
        row_sets=min(one.row_sets, other.row_sets),
        largest=min(one.largest, other.largest),
        two_largest=min(one.two_largest, other.two_largest),
        expressions="plain" if "plain" in {one.expressions, other.expressions} else "any",
    )
