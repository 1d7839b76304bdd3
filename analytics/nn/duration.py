"""How long a batch takes, about: from its rounds, bytes and products, at the pace that batches have had so far."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Final

from icm_ray.network.graph import Graph
from icm_ray.network.layers import ProductLayer
from icm_ray.program.program import Program
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.runtime.driver.engine import Execution

__all__ = ["Duration", "Pace", "duration_of", "multiplications"]

_ROUND: Final = 150e-6
_BYTE: Final = 1 / 400e6  # sent or dealt: encrypted, sent, and computed with
_PRODUCT: Final = 1 / 8e9
"""Seconds on two cores of a server of 2024, all members of a lane on them, links within the machine."""
_LAST: Final = 9


class Pace:
    """How much slower than these figures a model's last batches were."""

    def __init__(self) -> None:
        self._ratios: deque[float] = deque(maxlen=_LAST)

    def note(self, execution: Execution) -> None:
        """One batch was computed."""
        usual = _seconds(execution.rounds, execution.sent_bytes + execution.dealt_bytes)
        if usual and execution.seconds:
            self._ratios.append(execution.seconds / usual)

    @property
    def ratio(self) -> float | None:
        """None where there was no batch yet."""
        return median(self._ratios) if self._ratios else None


@dataclass(frozen=True, slots=True)
class Duration:
    """An estimate. seconds: of one run. measured: whether the model's own batches say so."""

    seconds: float
    measured: bool

    def words(self, images: int) -> str:
        """Of a batch of so many images, in a line."""
        each = f"about {self.seconds:.2g} s a batch, {images / self.seconds:.2g} images/s in a lane"
        speed = "at the pace of its last batches" if self.measured else "at the pace of two cores"
        return f"{each}: an estimate from rounds, bytes and products, {speed}"


def duration_of(program: Program, settings: RunSettings, products: float, pace: Pace) -> Duration:
    """products: multiplications of the plain network on a batch; each party and the dealer has a part of about as many.
    pace: of the model so far.
    """
    cost, ratio = Stamped(program, settings).cost(), pace.ratio
    seconds = _seconds(cost.rounds, sum(cost.sent) + cost.dealt)
    if ratio is None:
        return Duration(seconds + products * (len(program.parties) + 1) * _PRODUCT, measured=False)
    return Duration(seconds * ratio, measured=True)  # whose products took their part


def multiplications(graph: Graph) -> float:
    """What the plain network multiplies for one image, in products with weights."""
    work = 0.0
    for node in graph.nodes:
        if isinstance(node, ProductLayer):
            weights = node.weight_shapes(graph.shape_of(node.inputs[0]))
            largest = max((math.prod(size[1:]) for size in weights.values()), default=1)
            work += math.prod(node.shape) * largest
    return work


def _seconds(rounds: int, moved: int) -> float:
    return rounds * _ROUND + moved * _BYTE
