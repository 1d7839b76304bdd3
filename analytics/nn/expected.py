"""The error that is to be expected of a prediction: rounding, drawn as the protocol draws it, through the same layers.

Every division of the protocol rounds up or down at random, without bias, by a public coin. The owner computes samples
twice in float64: exactly, and with the weights that the ring holds and every division rounded so. Differences of the
results have the standard deviation that the roundings, propagated through the layers, have; it is estimated for every
number of the result, and the largest is multiplied by `_DEVIATIONS`: beyond that a sum of many independent roundings
is found less than once in a thousand predictions, even of a thousand numbers each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from analytics.nn.analysis import bits_of
from analytics.nn.calibration import Samples
from analytics.nn.layers import rules_of
from analytics.nn.layers.rules import coded
from analytics.nn.reference import tensors, walk
from analytics.nn.weighted import WeightedGraph
from icm_ray.network.layer import INPUT
from icm_ray.network.layers import ProductLayer
from icm_ray.network.model import Lowered, PublicModel

__all__ = ["Expectation", "HasError"]

_DEVIATIONS = 6.0
_STRANGE = 2
"""Bits for images that are not like the samples, where nobody gave any: those of cameras were off by three times what
random ones were.
"""


class HasError(Protocol):
    """Whoever knows what a logit's error stays below in 999 of 1000 predictions."""

    @property
    def error(self) -> float: ...


@dataclass(frozen=True)
class Expectation:
    """The error of a model's predictions on inputs like these samples, worked out when it is first asked for."""

    network: WeightedGraph = field(repr=False)
    model: PublicModel
    samples: Samples

    @cached_property
    def error(self) -> float:
        """A power of two that it stays below in 999 of 1000; four times what random samples say, where there are no
        others.
        """
        found = _expected_error(self.network, self.model, self.samples.few())
        return found if self.samples.own else min(found * 2.0**_STRANGE, self.model.error)


def _expected_error(network: WeightedGraph, model: PublicModel, batches: Iterable[NDArray[np.float64]]) -> float:
    """A power of two that the error of a result's numbers is expected to stay below, for inputs like these samples.

    Never above the bound of the error, which holds always.
    """
    exact, lowered = tensors(network), model.lowered
    rounded = _in_the_ring(network, exact, lowered)
    generator = torch.Generator().manual_seed(0)

    def round_at(name: str, value: torch.Tensor) -> torch.Tensor:
        unit = lowered.rounded.get(name, 0.0)
        if not unit:
            return value
        return torch.floor(value / unit + torch.rand(value.shape, generator=generator, dtype=torch.float64)) * unit

    squares, count = torch.zeros(1, dtype=torch.float64), 0
    for batch in batches:
        x = torch.from_numpy(np.array(batch))
        plain = walk(network.graph, x, lambda node, inputs: rules_of(node).evaluate(node, inputs, exact))
        noisy = walk(
            network.graph,
            round_at(INPUT, coded(x, model.scheme.input_f)),
            lambda node, inputs: round_at(node.name, rules_of(node).simulate(node, inputs, rounded, lowered)),
        )
        for (name, real), (_, ring) in zip(plain, noisy, strict=True):
            if name == network.graph.output:
                squares = squares + ((ring - real) ** 2).sum(dim=0)
        count += len(x)
    deviation = float((squares / max(count, 1)).max()) ** 0.5
    return min(2.0 ** bits_of(_DEVIATIONS * max(deviation, 2.0 ** -(model.result.f + 2))), model.error)


def _in_the_ring(network: WeightedGraph, exact: dict[str, torch.Tensor], lowered: Lowered) -> dict[str, torch.Tensor]:
    """The weights as fixed point has them, by key."""
    found = dict(exact)
    for node in network.nodes:
        if isinstance(node, ProductLayer):
            weight, bias = node.weight_key, node.bias_key
            if weight is not None:
                found[weight] = coded(exact[weight], lowered.weights[node.name].f)
            if bias is not None:
                found[bias] = coded(exact[bias], lowered.result_bits[node.name])
    return found
