"""Which protocol serves which operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from icm_ray.ops import compare, groups, linear, products, smooth, sorting, wide
from icm_ray.protocols import arrange, fourier, group_tables, io, maximum, shuffle, squares, thresholds
from icm_ray.protocols import groups as domain_protocols
from icm_ray.protocols import products as product_protocols
from icm_ray.protocols import smooth as smooth_protocols
from icm_ray.protocols import sorting as sorting_protocols
from icm_ray.protocols import wide as wide_protocols
from icm_ray.protocols.base import ProtocolKernel
from icm_ray.protocols.linear import LINEAR

__all__ = ["TABLE"]

TABLE: Mapping[type, ProtocolKernel[Any]] = {
    **LINEAR,
    linear.Input: io.Inputs(),
    linear.Load: io.Loading(),
    linear.Store: io.Keeping(),
    linear.Reveal: io.Reveals(),
    products.Truncate: product_protocols.Finisher(),
    products.Relu: product_protocols.Finisher(),
    products.Product: product_protocols.Products(),
    products.LoadWeight: product_protocols.WeightLoading(),
    products.OwnedProduct: product_protocols.FixedWeight(),
    products.SumOfSquares: product_protocols.Squares(),
    compare.AtLeast: thresholds.Counting(),
    compare.CountAtLeast: thresholds.Counting(),
    compare.Select: thresholds.Selection(),
    compare.CheckFlag: thresholds.FlagChecks(),
    compare.Maximum: maximum.Maxima(),
    compare.ArgMax: maximum.ArgMaximum(),
    groups.GroupCount: domain_protocols.GroupCounts(),
    groups.GroupSum: domain_protocols.GroupSums(),
    groups.GroupTable: group_tables.GroupTables(),
    sorting.ArgSort: sorting_protocols.Sorting(),
    sorting.Arrange: arrange.Arranging(),
    sorting.Shuffle: shuffle.Shuffles(),
    sorting.Sort: sorting_protocols.Sorting(),
    sorting.SortBy: sorting_protocols.Sorting(),
    wide.SquareParts: squares.SquaresOfParts(),
    smooth.ExpNegative: fourier.Exponentials(),
    smooth.Periodic: fourier.TrigonometricSums(),
    smooth.Piecewise: smooth_protocols.PiecewisePolynomials(),
    wide.WideProduct: wide_protocols.WideProducts(),
    wide.Widen: wide_protocols.Widening(),
}
