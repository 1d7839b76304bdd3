"""What the owner of the weights works out about a network: sound ranges of its values, and how far rounding can go.

Ranges: interval arithmetic over the declared bound of the images, cell by cell, rounding included; values that the
program checks end at their bounds.

Errors: the difference d between the values of the protocol and those of real arithmetic, in two norms side by side:
    cell by cell    |d'| <= |W| |d| + |dW| |x| + |db| + u
    Euclidean       ||d'|| <= ||W|| ||d|| + ||dW|| ||x|| + ||db|| + u sqrt(cells)
with dW, db what rounding to fixed point did to weights and biases, u one rounding unit of each division, ||W|| the
spectral norm. ReLU lengthens neither; each norm bounds the other. The second is the sharper one by orders of magnitude
in deep networks: a sum of magnitudes counts every rounding as if all conspired. Both hold for every image in the bound.
Of networks as deep as ResNet-20 neither says anything useful: what all layers might amplify is far from what they do.
What is to be expected is in `analytics.nn.expected`. The rules of each kind of layer are in `analytics.nn.layers`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from msgspec.structs import replace

from analytics.nn.layers import rules_of
from analytics.nn.layers.rules import MARGIN, Deviation, Incoming, Range
from analytics.nn.reference import tensors
from analytics.nn.weighted import WeightedGraph
from icm_ray.network.layer import INPUT
from icm_ray.network.layers import AnyLayer
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["Reach", "bits_of", "error_bound", "ranges"]

_EXACT = 60  # fractional bits of numbers that are not rounded
_MOST = 1000  # a logarithm that no ring has room for, of a finite double


def bits_of(value: float) -> int:
    """The smallest k with value < 2^k; 1000 for what is beyond that, or no number at all."""
    return min(math.frexp(value * MARGIN)[1], _MOST) if math.isfinite(value) else _MOST


class Reach:
    """The ranges of a network's values as the protocol has them, rounding included, worked out as they are asked for.

    network, scheme: f, inputs, `least`, the domains of functions and the bounds of checked values count; domains and
    bounds may come in while it is used. exact: ranges in real arithmetic, nothing rounded.
    """

    def __init__(self, network: WeightedGraph, scheme: Scheme, *, exact: bool = False) -> None:
        if exact:  # domains and bounds that come in are of both
            scheme = replace(scheme, f=_EXACT, least=_EXACT)
        self._nodes, self._scheme = network.nodes, scheme
        self._weights = tensors(network)
        top = torch.full((1, *network.graph.input_shape), 2.0**scheme.inputs, dtype=torch.float64)
        self._found = {INPUT: Range(-top, top)}
        # at most two divisions follow a value: its own, and one before the next product; before averages: coarser ones
        self._slack = (
            0.0 if exact else 2.0 ** (1 - scheme.f) * max((node.averaged for node in network.nodes), default=1)
        )

    def of(self, name: str) -> Range:
        """The range of a node's value, (1, *shape); KeyError where there is no such node."""
        if name not in self._found:
            for node in self._nodes[len(self._found) - 1 :]:
                self._found[node.name] = self._range(node)
                if node.name == name:
                    break
        return self._found[name]

    def bits(self, name: str) -> int:
        """The smallest k with |value| < 2^k for every cell."""
        return bits_of(float(self.of(name).magnitude.max()))

    def forget(self, name: str) -> None:
        """A bound of `name` came in: forget its range and those after it."""
        kept = list(self._found)
        for later in kept[kept.index(name) :] if name in self._found else ():
            del self._found[later]

    def all(self) -> dict[str, Range]:
        """The range of every node."""
        for node in self._nodes[-1:]:
            self.of(node.name)
        return self._found

    def _range(self, node: AnyLayer) -> Range:
        sources = [self._found[name] for name in node.inputs]
        result = rules_of(node).interval(node, sources, self._weights, self._scheme)
        low, high = result.low - self._slack, result.high + self._slack
        bound = self._scheme.bounds.get(node.name)
        if bound is not None:
            low, high = (end.clamp(-(2.0**bound), 2.0**bound) for end in (low, high))
        return Range(low, high)


def ranges(network: WeightedGraph, scheme: Scheme) -> dict[str, Range]:
    """The range of every node's value as the protocol has it, rounding included; checked values end at their bounds."""
    return Reach(network, scheme).all()


def error_bound(network: WeightedGraph, scheme: Scheme, lowered: Lowered, known: Mapping[str, Range]) -> float:
    """How far any cell of the result can be from real arithmetic, at most, for every image within the bound.

    lowered: what the program made of the numbers. known: the ranges of this network under this scheme.
    """
    graph, weights = network.graph, tensors(network)
    start = torch.full((1, *graph.input_shape), 2.0 ** -(scheme.input_f + 1), dtype=torch.float64)
    deviation = Deviation(start, float(start.norm())).rounded(lowered.rounded.get(INPUT, 0.0))
    found = {INPUT: Incoming(deviation, known[INPUT], known[INPUT].length)}
    for node in graph.nodes:
        raw, length = rules_of(node).deviate(node, [found[name] for name in node.inputs], weights, lowered)
        reach = known[node.name]
        unit = lowered.rounded.get(node.name, 0.0) + lowered.worst.get(node.name, 0.0)
        length = min(length + unit * math.sqrt(raw.cells.numel()), reach.length)
        found[node.name] = Incoming(raw.rounded(unit), reach, length)
    return float(found[graph.output].deviation.cells.max()) * MARGIN
