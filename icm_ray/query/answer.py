"""From what was opened to results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.query.lower import Lowered
from icm_ray.query.opened import Known, Number, Opened
from icm_ray.query.question import Asked, Question

__all__ = ["answers"]


def answers(asked: Asked, lowered: Lowered, words: Mapping[str, NDArray[np.uint64]]) -> list[Any]:
    """The results of a question, in the order of its statistics. words: what was opened, by the name of its reveal."""
    if not isinstance(asked.what, Question):
        return []
    numbers: list[dict[str, Number]] = [{} for _ in asked.what.statistics]
    for item in lowered.revealed:
        source = item.source
        numbers[item.statistic][item.word] = source if isinstance(source, Known) else Opened(words[item.name], source)
    return [
        statistic.decode(found, asked.rows(statistic.dataset))
        for statistic, found in zip(asked.what.statistics, numbers, strict=True)
    ]
