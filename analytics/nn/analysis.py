"""What the owner of the weights works out about a network: sound ranges of its values, and how far rounding can go.

Ranges: interval arithmetic over the declared bound of the images, cell by cell, rounding included.

Errors: the difference d between the values of the protocol and those of real arithmetic, in two norms side by side:
    cell by cell    |d'| <= |W| |d| + |dW| |x| + |db| + u
    Euclidean       ||d'|| <= ||W|| ||d|| + ||dW|| ||x|| + ||db|| + u sqrt(cells)
with dW, db what rounding to fixed point did to weights and biases, u one rounding unit of each division, ||W|| the
spectral norm. ReLU lengthens neither; each norm bounds the other. The second is the sharper one by orders of magnitude
in deep networks: a sum of magnitudes counts every rounding as if all conspired. Both hold for every image in the bound.
Of networks as deep as ResNet-20 neither says anything useful: what all layers might amplify is far from what they do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch.nn import functional

from analytics.nn import nodes
from analytics.nn.emit import Emitted, Scheme
from analytics.nn.graph import Graph
from analytics.nn.norms import conv_norm, matrix_norm
from analytics.nn.pools import factor_error, scale_error
from analytics.nn.reference import evaluate_layer, padded
from icm_ray.errors import ProgramError

__all__ = ["Range", "bits_of", "error_bound", "ranges"]

Tensor: TypeAlias = torch.Tensor
_MARGIN = 1 + 1e-9  # over the rounding of float64


@dataclass(frozen=True, slots=True)
class Range:
    """The lowest and highest value that each cell can have, (1, *shape)."""

    low: Tensor
    high: Tensor

    @property
    def magnitude(self) -> Tensor:
        return torch.maximum(self.low.abs(), self.high.abs())

    @property
    def length(self) -> float:
        """The largest Euclidean norm."""
        return float(self.magnitude.norm())


def bits_of(value: float) -> int:
    """The smallest k with value < 2^k."""
    return math.frexp(value * _MARGIN)[1]


def ranges(graph: Graph, scheme: Scheme) -> dict[str, Range]:
    """The range of every node's value as the protocol has it, rounding included; checked ReLUs end at the bound."""
    weights = _tensors(graph)
    top = torch.full((1, *graph.input_shape), 2.0**scheme.inputs, dtype=torch.float64)
    found = {nodes.INPUT: Range(-top, top)}
    pools = [node.kernel for node in graph.nodes if isinstance(node, nodes.AvgPool)]
    # at most two divisions follow a value: its own, and one before the next product; before averages they are coarser
    slack = 2.0 ** (1 - scheme.f) * max((rows * columns for rows, columns in pools), default=1)
    for node in graph.nodes:
        result = _range(node, [found[name] for name in node.inputs], weights, scheme)
        low, high = result.low - slack, result.high + slack
        if node.name in scheme.checked and scheme.bound is not None:
            high = high.clamp(max=2.0**scheme.bound)
        found[node.name] = Range(low, high)
    return found


def _range(node: nodes.Node, sources: list[Range], weights: Mapping[str, Tensor], scheme: Scheme) -> Range:
    lows, highs = [source.low for source in sources], [source.high for source in sources]
    match node:
        case nodes.Conv() | nodes.Linear() | nodes.Affine():
            weight, bias = _weight_and_bias(node, weights)
            up, down = weight.clamp(min=0), weight.clamp(max=0)
            # weights are rounded to `least` fractional bits or more
            rounding = _linear(node, torch.full_like(weight, 2.0 ** -(scheme.least + 1)), sources[0].magnitude)
            low = _linear(node, up, lows[0]) + _linear(node, down, highs[0]) - rounding
            high = _linear(node, up, highs[0]) + _linear(node, down, lows[0]) + rounding
            shift = 0.0 if bias is None else _by_channel(node, bias, high)
            return Range(low + shift, high + shift)
        case nodes.Scale(factor=factor):
            rounding = scale_error(abs(factor)) * sources[0].magnitude
            ends = lows[0] * factor, highs[0] * factor
            return Range(torch.minimum(*ends) - rounding, torch.maximum(*ends) + rounding)
        case nodes.AvgPool():
            rounding = factor_error(node) * _window_sums(node, sources[0].magnitude)
            return Range(
                evaluate_layer(node, lows, weights) - rounding, evaluate_layer(node, highs, weights) + rounding
            )
        case _:  # monotone in every cell
            return Range(evaluate_layer(node, lows, weights), evaluate_layer(node, highs, weights))


@dataclass(frozen=True, slots=True)
class _Error:
    """Bounds on the difference to real arithmetic: of every cell (1, *shape), and of the Euclidean norm."""

    cells: Tensor
    length: float

    def tight(self) -> _Error:
        """Each norm bounds the other."""
        length = min(self.length, float(self.cells.norm()) * _MARGIN)
        return _Error(self.cells.clamp(max=length), length)


def error_bound(graph: Graph, scheme: Scheme, emitted: Emitted, known: Mapping[str, Range] | None = None) -> float:
    """How far any cell of the result can be from real arithmetic, at most, for every image within the bound."""
    weights, known = _tensors(graph), known or ranges(graph, scheme)
    coded = {name: _coded(graph, name, emitted, weights) for name in emitted.weights}
    start = torch.full((1, *graph.input_shape), 2.0 ** -(scheme.input_f + 1), dtype=torch.float64)
    errors = {nodes.INPUT: _rounded(_Error(start, float(start.norm())), emitted.rounded.get(nodes.INPUT, 0.0))}
    lengths = {nodes.INPUT: known[nodes.INPUT].length}
    for node in graph.nodes:
        sources = [errors[name] for name in node.inputs]
        if isinstance(node, nodes.Conv | nodes.Linear | nodes.Affine):
            (source,) = node.inputs
            error, length = _product_error(graph, node, sources[0], known[source], lengths[source], coded, weights)
        else:
            error, length = _layer_error(node, sources, known, lengths, weights)
        unit = emitted.rounded.get(node.name, 0.0)
        errors[node.name] = _rounded(error, unit)
        lengths[node.name] = min(length + unit * math.sqrt(error.cells.numel()), known[node.name].length)
    return float(errors[graph.output].cells.max()) * _MARGIN


def _rounded(error: _Error, unit: float) -> _Error:
    return _Error(error.cells + unit, error.length + unit * math.sqrt(error.cells.numel())).tight()


def _coded(
    graph: Graph, name: str, emitted: Emitted, weights: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor | None, Tensor]:
    """What rounding did to a product's weights and bias, and the weights."""
    weight, bias = _weight_and_bias(graph.node(name), weights)
    exact = weight - _ratio(weight, emitted.weights[name].f)
    return exact, None if bias is None else (bias - _ratio(bias, emitted.result_bits[name])), weight


def _ratio(x: Tensor, bits: int) -> Tensor:
    return torch.from_numpy(np.ldexp(np.rint(np.ldexp(x.numpy(), bits)), -bits))


def _product_error(
    graph: Graph,
    node: nodes.Node,
    d: _Error,
    x: Range,
    length: float,
    coded: Mapping[str, tuple[Tensor, Tensor | None, Tensor]],
    weights: Mapping[str, Tensor],
) -> tuple[_Error, float]:
    """The error of W x + b, and the largest norm of its result."""
    d_weight, d_bias, weight = coded[node.name]
    norm, d_norm = _norms(graph, node, weight, d_weight)
    cells = _linear(node, weight.abs(), d.cells)
    rows = weight.flatten(1).norm(dim=1) if weight.ndim > 1 else weight.abs()  # |w d| <= ||w|| ||d|| for each output
    cells = torch.minimum(cells, _by_channel(node, rows * d.length, cells).expand_as(cells))
    cells = cells + _linear(node, d_weight.abs(), x.magnitude)
    total = norm * d.length + d_norm * length
    grown = (norm + d_norm) * length
    if d_bias is not None:
        shift = _by_channel(node, d_bias.abs(), cells).expand_as(cells)
        cells, total = cells + shift, total + float(shift.norm())
        grown += float(shift.norm())
    _, bias = _weight_and_bias(node, weights)
    if bias is not None:
        grown += float(_by_channel(node, bias, cells).expand_as(cells).norm())
    return _Error(cells, total * _MARGIN), grown * _MARGIN


def _norms(graph: Graph, node: nodes.Node, weight: Tensor, d_weight: Tensor) -> tuple[float, float]:
    plain, d_plain = weight.numpy(), d_weight.numpy()
    match node:
        case nodes.Conv():
            source = graph.shape_of(node.inputs[0])
            return conv_norm(plain, node, source), conv_norm(d_plain, node, source)
        case nodes.Linear():
            return matrix_norm(plain), matrix_norm(d_plain)
        case _:
            return float(np.abs(plain).max()) * _MARGIN, float(np.abs(d_plain).max())


def _layer_error(
    node: nodes.Node,
    sources: list[_Error],
    known: Mapping[str, Range],
    lengths: Mapping[str, float],
    weights: Mapping[str, Tensor],
) -> tuple[_Error, float]:
    """The error of a layer without private weights, and the largest norm of its result."""
    cells, taken = [source.cells for source in sources], [lengths[name] for name in node.inputs]
    d, x = sources[0], known[node.inputs[0]]
    match node:
        case nodes.Relu():
            return d, taken[0]
        case nodes.MaxPool():  # |max a - max b| <= max |a - b|; a cell is in several windows
            factor = math.sqrt(_overlap(node))
            return _Error(evaluate_layer(node, cells, weights), factor * d.length), factor * taken[0]
        case nodes.AvgPool():
            divisor, off = _least_divisor(node), factor_error(node)
            factor = math.sqrt(node.kernel[0] * node.kernel[1] * _overlap(node))
            spread = evaluate_layer(node, cells, weights) + off * _window_sums(node, x.magnitude + d.cells)
            length = factor * (d.length / divisor + off * (taken[0] + d.length))
            return _Error(spread, length), factor * taken[0] * (1 / divisor + off)
        case nodes.Scale(factor=factor):
            off = scale_error(abs(factor))
            length = abs(factor) * d.length + off * (taken[0] + d.length)
            spread = abs(factor) * d.cells + off * (x.magnitude + d.cells)
            return _Error(spread, length), taken[0] * (abs(factor) + off)
        case nodes.Add():
            return _Error(cells[0] + cells[1], sources[0].length + sources[1].length), sum(taken)
        case _:  # the cells move, or are left out; padding brings exact zeros
            length = math.hypot(*(source.length for source in sources))
            return _Error(evaluate_layer(node, cells, weights), length), math.hypot(*taken)


def _overlap(node: nodes.AvgPool | nodes.MaxPool) -> int:
    """In how many windows a cell can be."""
    dilation = node.dilation if isinstance(node, nodes.MaxPool) else (1, 1)
    reach = (d * (k - 1) + 1 for k, d in zip(node.kernel, dilation, strict=True))
    return math.prod(-(-r // s) for r, s in zip(reach, node.stride, strict=True))


def _least_divisor(node: nodes.AvgPool) -> float:
    if node.folded:
        return 1.0
    if node.counts is not None:
        return min(node.counts[0]) * min(node.counts[1])
    return node.divisor or 1.0


def _window_sums(node: nodes.AvgPool, x: Tensor) -> Tensor:
    return functional.avg_pool2d(padded(x, node.padding, 0.0), node.kernel, node.stride, divisor_override=1)


def _tensors(graph: Graph) -> dict[str, Tensor]:
    return {key: torch.from_numpy(array.copy()) for key, array in graph.weights.items()}


def _weight_and_bias(node: nodes.Node, weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    match node:
        case nodes.Conv() | nodes.Linear():
            return weights[node.weight], None if node.bias is None else weights[node.bias]
        case nodes.Affine():
            scale = torch.ones(node.shape[0], dtype=torch.float64) if node.scale is None else weights[node.scale]
            return scale, None if node.shift is None else weights[node.shift]
        case _:
            raise ProgramError(f"node {node.name!r} has no weights")


def _linear(node: nodes.Node, weight: Tensor, x: Tensor) -> Tensor:
    match node:
        case nodes.Conv():
            wide = padded(x, node.padding, 0.0)
            return functional.conv2d(wide, weight, stride=node.stride, dilation=node.dilation, groups=node.groups)
        case nodes.Linear():
            return functional.linear(x, weight)
        case _:
            return x * weight.reshape(1, -1, *[1] * (x.ndim - 2))


def _by_channel(node: nodes.Node, values: Tensor, like: Tensor) -> Tensor:
    """One value for each channel, shaped to be added to the layer's result."""
    return values if isinstance(node, nodes.Linear) else values.reshape(1, -1, *[1] * (like.ndim - 2))
