"""What the owner of the weights works out about a network: sound ranges of its values, and how far rounding can go.

Ranges: interval arithmetic over the declared bound of the images, cell by cell, rounding included.

Errors: the difference d between the values of the protocol and those of real arithmetic, in two norms side by side:
    cell by cell    |d'| <= |W| |d| + |dW| |x| + |db| + u
    Euclidean       ||d'|| <= ||W|| ||d|| + ||dW|| ||x|| + ||db|| + u sqrt(cells)
with dW, db what rounding to fixed point did to weights and biases, u one rounding unit of each division, ||W|| the
spectral norm. ReLU lengthens neither; each norm bounds the other. The second is the sharper one by orders of magnitude
in deep networks: a sum of magnitudes counts every rounding as if all conspired. Both hold for every image in the bound.
Of networks as deep as ResNet-20 neither says anything useful: what all layers might amplify is far from what they do.
The rules of each kind of layer are in `analytics.nn.layers`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from analytics.nn.layers import rules_of
from analytics.nn.layers.rules import MARGIN, Deviation, Incoming, Range
from analytics.nn.reference import tensors
from analytics.nn.weighted import WeightedGraph
from icm_ray.network.layer import INPUT
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["bits_of", "error_bound", "ranges"]


def bits_of(value: float) -> int:
    """The smallest k with value < 2^k."""
    return math.frexp(value * MARGIN)[1]


def ranges(network: WeightedGraph, scheme: Scheme) -> dict[str, Range]:
    """The range of every node's value as the protocol has it, rounding included; checked ReLUs end at the bound."""
    weights, checked = tensors(network), set(scheme.checked)
    top = torch.full((1, *network.graph.input_shape), 2.0**scheme.inputs, dtype=torch.float64)
    found = {INPUT: Range(-top, top)}
    # at most two divisions follow a value: its own, and one before the next product; before averages they are coarser
    slack = 2.0 ** (1 - scheme.f) * max((node.averaged for node in network.nodes), default=1)
    for node in network.nodes:
        result = rules_of(node).interval(node, [found[name] for name in node.inputs], weights, scheme)
        low, high = result.low - slack, result.high + slack
        if node.name in checked and scheme.bound is not None:
            high = high.clamp(max=2.0**scheme.bound)
        found[node.name] = Range(low, high)
    return found


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
        unit, reach = lowered.rounded.get(node.name, 0.0), known[node.name]
        length = min(length + unit * math.sqrt(raw.cells.numel()), reach.length)
        found[node.name] = Incoming(raw.rounded(unit), reach, length)
    return float(found[graph.output].deviation.cells.max()) * MARGIN
