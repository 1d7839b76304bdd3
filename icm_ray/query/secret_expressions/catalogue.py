"""How functions of columns are computed on shares: a row for each that is. All others are refused."""

from __future__ import annotations

from collections.abc import Mapping

from icm_ray.query.secret_expressions import arithmetic, comparison, logic, numeric
from icm_ray.query.secret_expressions.operand import Lowering

__all__ = ["LOWERINGS"]

LOWERINGS: Mapping[str, Lowering] = {
    name: lowering
    for family in (arithmetic.LOWERINGS, comparison.LOWERINGS, logic.LOWERINGS, numeric.LOWERINGS)
    for name, lowering in family.items()
}
"""By the name of the function (`icm_ray.query.expressions.catalogue`)."""
