"""The sort of `icm bench`: shared values in, shares of the sorted values out."""

from __future__ import annotations

import numpy as np

from cluster.bench.workloads import F, Workload
from icm_ray.ops.sorting import Sort
from icm_ray.ops.values import ValueType

__all__ = ["sort_100k"]

_WIDTH = 46
"""The widest keys that 100,000 values take: key, tag (17 bits) and sign of a difference fill the ring's 64 bits."""


def sort_100k() -> Workload:
    """sort_100k."""
    count = 100_000
    values = np.rint(np.random.default_rng(0).normal(size=count) * 2**F) / 2**F
    kind = ValueType(shape=(count,), f=F, width=_WIDTH, error=2.0 ** -(F + 1))
    return Workload(
        "sort_100k",
        "100,000 values sorted",
        {"x": values},
        {"x": kind},
        lambda builder, shared: builder.add(Sort(), shared["x"]),
        lambda inputs: np.sort(inputs["x"]),
    )
