"""From what was opened to results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import PolicyError
from icm_ray.query.choices import choices
from icm_ray.query.disclosure import fewest_values
from icm_ray.query.lower import Lowered
from icm_ray.query.merge import MergedRows
from icm_ray.query.opened import Known, Opened
from icm_ray.query.overlap import APART
from icm_ray.query.question import Asked, Question
from icm_ray.query.rows import Rows, cells
from icm_ray.query.small_cells import GUARD
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.distinct import Distinct
from icm_ray.query.withheld import Withheld

__all__ = ["answers"]


def answers(asked: Asked, lowered: Lowered, words: Mapping[str, NDArray[np.uint64]]) -> list[Any]:
    """The results of a question, in the order of its statistics. words: what was opened, by the name of its reveal.

    Errors: `PolicyError` where too few rows make the difference to what was asked before; nothing was opened then.
    """
    if not isinstance(asked.what, Question):
        return []
    numbers: list[dict[str, Opened | Known]] = [{} for _ in asked.what.statistics]
    for item in lowered.revealed:
        source = item.source
        numbers[item.statistic][item.word] = source if isinstance(source, Known) else Opened(words[item.name], source)
    for statistic, found in zip(asked.what.statistics, numbers, strict=True):
        apart = found.pop(APART, None)
        if apart is not None and not apart.integers[0]:
            raise _too_close(statistic, asked.rows(statistic.dataset))
    return [
        _answer(statistic, found, asked.rows(statistic.dataset))
        for statistic, found in zip(asked.what.statistics, numbers, strict=True)
    ]


def _answer(statistic: Statistic, numbers: Mapping[str, Opened | Known], rows: Rows) -> Any:
    """One result; of rows in groups a list or an array, with one for each."""
    shown = numbers[GUARD].integers if GUARD in numbers else [1]
    if not rows.groups:
        return statistic.decode(numbers, rows) if shown[0] else _withheld(statistic, rows)
    results = statistic.decode_cells(numbers, rows, cells(rows))
    if all(shown):
        return results
    withheld = _withheld(statistic, rows)
    return [result if bit else withheld for result, bit in zip(results, shown, strict=True)]


def _withheld(statistic: Statistic, rows: Rows) -> Withheld:
    policy = rows.policy
    of = f"different {policy.entity}" if policy is not None and policy.entity else "values"
    few = f"{statistic.title}: fewer than {fewest_values(statistic, rows)} {of} are behind it"
    if policy is None:
        return Withheld(few)
    reasons = [few]
    chosen = rows.where is not None or bool(rows.groups) or bool(choices(statistic, rows))
    if chosen or isinstance(rows, MergedRows):
        reasons.append(f"1 to {policy.min_rows - 1} are left out")
    if statistic.contributed and policy.dominance:
        reasons.append(f"one is above {policy.largest} % of it, or two above {policy.two_largest} %")
        if chosen:
            reasons.append("a total would tell such a sum of others")
    if isinstance(statistic, Distinct):
        reasons.append(f"1 to {policy.min_rows - 1} rows have one of these values")
    if statistic.adds_up and rows.groups:
        reasons.append("the other groups would tell another one that is withheld, or a few rows that are in none")
    if rows.by:
        reasons.append(f"there are fewer than {policy.rows_per_bin} for each group")
    way_out = "; ask for wider filters or groups" if chosen else ""
    return Withheld(f"{', or '.join(reasons)}{way_out}")


def _too_close(statistic: Statistic, rows: Rows) -> PolicyError:
    least = 1 if rows.policy is None else rows.policy.min_rows
    return PolicyError(
        f"{statistic.title}: refused: fewer than {least} rows are the difference to rows that were asked for before, "
        "or to all others; ask for the same filter, edges or groups again, or for ones further apart",
        dataset=rows.source,
    )
