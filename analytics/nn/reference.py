"""Plain float64 evaluation of a graph with torch: what an import, and later the engine, is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from analytics.nn.graph import Graph
from analytics.nn.nodes import (
    INPUT,
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Linear,
    MaxPool,
    Node,
    Pad,
    Pairs,
    Permute,
    Relu,
    Reshape,
    Scale,
    Slice,
)
from icm_ray.errors import ProgramError, ShapeError

__all__ = ["evaluate_layer", "padded", "run_reference"]


def run_reference(graph: Graph, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The network's output, (batch, *graph.output_shape), for `x` of shape (batch, *graph.input_shape)."""
    if x.shape[1:] != graph.input_shape:
        raise ShapeError(f"the network takes (batch, {', '.join(map(str, graph.input_shape))}); this is {x.shape}")
    weights = {key: torch.from_numpy(array.copy()) for key, array in graph.weights.items()}
    values = {INPUT: torch.from_numpy(np.array(x, dtype=np.float64))}
    with torch.no_grad():
        for node in graph.nodes:
            values[node.name] = evaluate_layer(node, [values[name] for name in node.inputs], weights)
    result: npt.NDArray[np.float64] = values[graph.output].numpy()
    return result


def evaluate_layer(  # noqa: PLR0911 - one case for each kind
    node: Node, inputs: Sequence[torch.Tensor], weights: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """One layer on a batch of each input."""
    x = inputs[0]
    match node:
        case Conv():
            bias = None if node.bias is None else weights[node.bias]
            wide = padded(x, node.padding, 0.0)
            return functional.conv2d(
                wide, weights[node.weight], bias, stride=node.stride, dilation=node.dilation, groups=node.groups
            )
        case Linear():
            return functional.linear(x, weights[node.weight], None if node.bias is None else weights[node.bias])
        case Affine():
            each = (-1, *[1] * (x.ndim - 2))
            y = x if node.scale is None else x * weights[node.scale].reshape(each)
            return y if node.shift is None else y + weights[node.shift].reshape(each)
        case Scale():
            return x * node.factor
        case Relu():
            return functional.relu(x)
        case AvgPool():
            wide = padded(x, node.padding, 0.0)
            sums = functional.avg_pool2d(wide, node.kernel, node.stride, divisor_override=1)
            return sums if node.folded else sums / _divisors(node)
        case MaxPool():
            wide = padded(x, node.padding, -torch.inf)
            return functional.max_pool2d(wide, node.kernel, node.stride, 0, node.dilation)
        case Flatten() | Reshape():
            return x.reshape(x.shape[0], *node.shape)
        case Permute():
            return x.permute(0, *(axis + 1 for axis in node.axes))
        case Add():
            return x + inputs[1]
        case Slice():
            cut = slice(node.start, node.stop, node.step)
            return x[(slice(None),) * (node.axis + 1) + (cut,)]
        case Pad():
            return functional.pad(x, [side for pair in reversed(node.pads) for side in pair])
        case Concat():
            return torch.cat(tuple(inputs), node.axis + 1)
        case _:
            raise ProgramError(f"node {node.name!r} is of an unknown kind, {type(node).__name__}")


def padded(x: torch.Tensor, padding: Pairs, value: float) -> torch.Tensor:
    """Images with a border of `value`."""
    (top, bottom), (left, right) = padding
    return functional.pad(x, [left, right, top, bottom], value=value)


def _divisors(node: AvgPool) -> torch.Tensor:
    if node.counts is None:
        return torch.tensor(node.divisor, dtype=torch.float64)
    rows, columns = (torch.tensor(axis, dtype=torch.float64) for axis in node.counts)
    return rows[:, None] * columns[None, :]
