"""How long a program takes, about: from its rounds, bytes and products, at the speed that a session has had so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from icm_ray.network.graph import Graph
from icm_ray.network.layers import ProductLayer
from icm_ray.program.program import Program
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.runtime.driver.engine import Totals

__all__ = ["Duration", "duration_of", "multiplications"]

_ROUND: Final = 150e-6
_BYTE: Final = 1 / 400e6  # sent or dealt: encrypted, sent, and computed with
_PRODUCT: Final = 1 / 8e9
"""Seconds on two cores of a server of 2024, all members of a lane on them, links within the machine."""
_ENOUGH: Final = 0.05
"""Seconds of runs from which a session's speed is known."""


@dataclass(frozen=True, slots=True)
class Duration:
    """An estimate. seconds: of one run. measured: whether the session's own runs say how fast it is."""

    seconds: float
    measured: bool

    def words(self, images: int) -> str:
        """Of a batch of so many images, in a line."""
        each = f"about {self.seconds:.2g} s a batch, {images / self.seconds:.2g} images/s in a lane"
        speed = "at the speed of this session's runs so far" if self.measured else "at the speed of two cores"
        return f"{each}: an estimate from rounds, bytes and products, {speed}"


def duration_of(program: Program, settings: RunSettings, products: float, totals: Totals) -> Duration:
    """products: multiplications of the plain network on a batch; each party and the dealer has a part of about as many.
    totals: of the session so far.
    """
    cost = Stamped(program, settings).cost()
    seconds = _seconds(cost.rounds, sum(cost.sent) + cost.dealt)
    before = _seconds(totals.rounds, totals.sent_bytes + totals.dealt_bytes)
    if totals.seconds < _ENOUGH or not before:
        return Duration(seconds + products * (len(program.parties) + 1) * _PRODUCT, measured=False)
    return Duration(seconds * totals.seconds / before, measured=True)  # whose products took their part


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
