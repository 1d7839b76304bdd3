"""Plain float64 evaluation of a network with torch: what an import, and later the engine, is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from analytics.nn.layers import rules_of
from analytics.nn.weighted import WeightedGraph
from icm_ray.errors import ShapeError
from icm_ray.network.graph import Graph
from icm_ray.network.layer import INPUT, Layer

__all__ = ["run_reference", "tensors", "walk"]

Apply: TypeAlias = Callable[[Layer, Sequence[torch.Tensor]], torch.Tensor]


def run_reference(network: WeightedGraph, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The network's output, (batch, *output_shape), for `x` of shape (batch, *input_shape)."""
    graph, weights = network.graph, tensors(network)
    if x.shape[1:] != graph.input_shape:
        raise ShapeError(f"the network takes (batch, {', '.join(map(str, graph.input_shape))}); this is {x.shape}")
    value = torch.from_numpy(np.array(x, dtype=np.float64))
    for name, made in walk(graph, value, lambda node, inputs: rules_of(node).evaluate(node, inputs, weights)):
        if name == graph.output:
            value = made
    result: npt.NDArray[np.float64] = value.numpy()
    return result


def walk(graph: Graph, x: torch.Tensor, apply: Apply) -> Iterator[tuple[str, torch.Tensor]]:
    """The name and value of the input and of each node in turn; a value is dropped when nothing reads it any more.

    apply: makes a node's value of its inputs', without gradients.
    """
    left = {name: len(readers) for name, readers in graph.consumers().items()}
    values = {INPUT: x}
    yield INPUT, x
    for node in graph.nodes:
        with torch.no_grad():
            made = apply(node, [values[name] for name in node.inputs])
        for name in node.inputs:
            left[name] -= 1
            if not left[name]:
                del values[name]
        if left[node.name]:
            values[node.name] = made
        yield node.name, made


def tensors(network: WeightedGraph) -> dict[str, torch.Tensor]:
    """The weights, by key."""
    return {key: torch.from_numpy(array.copy()) for key, array in network.weights.items()}
