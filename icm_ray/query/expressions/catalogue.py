"""The functions of columns: a row for each, in the files of their families. Another one is a row there, and one where
owners evaluate it (`icm_ray.owner.expressions`).
"""

from __future__ import annotations

from collections.abc import Mapping

from icm_ray.query.expressions import arithmetic, casts, comparison, cuts, logic, numeric, text, times
from icm_ray.query.expressions.function import Function

__all__ = ["FUNCTIONS"]

FUNCTIONS: Mapping[str, Function] = {
    function.name: function
    for family in (arithmetic, casts, comparison, cuts, logic, numeric, text, times)
    for function in family.FUNCTIONS
}
"""By name."""
