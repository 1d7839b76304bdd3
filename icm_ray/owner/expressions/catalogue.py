"""What evaluates each function of `icm_ray.query.expressions`: a row for each, in the files of their families."""

from __future__ import annotations

from collections.abc import Mapping

from icm_ray.owner.expressions import arithmetic, casts, comparison, cuts, logic, numeric, text, times
from icm_ray.owner.expressions.evaluator import Evaluator

__all__ = ["EVALUATORS"]

EVALUATORS: Mapping[str, Evaluator] = {
    name: evaluator
    for family in (arithmetic, casts, comparison, cuts, logic, numeric, text, times)
    for name, evaluator in family.EVALUATORS.items()
}
"""By name."""
