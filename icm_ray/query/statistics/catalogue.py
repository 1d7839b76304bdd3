"""The statistics that can be asked for: a row for each. Another one is a file beside, and a row here."""

from __future__ import annotations

from typing import Union

from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.covariance import Covariance
from icm_ray.query.statistics.distinct import Distinct
from icm_ray.query.statistics.distinct_in_groups import DistinctInGroups
from icm_ray.query.statistics.group_keys import GroupKeys
from icm_ray.query.statistics.histogram import Histogram
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.most import Most
from icm_ray.query.statistics.quantile import Quantile
from icm_ray.query.statistics.shape import Shape
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance

__all__ = ["Statistic"]

Statistic = Union[  # noqa: UP007 - msgspec takes the members from a typing.Union
    Count,
    Covariance,
    Distinct,
    DistinctInGroups,
    GroupKeys,
    Histogram,
    Mean,
    MinMax,
    Most,
    Quantile,
    Shape,
    Sum,
    Variance,
]
