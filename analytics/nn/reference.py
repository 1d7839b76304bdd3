"""Plain float64 evaluation of a network with torch: what an import, and later the engine, is compared with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from analytics.nn.layers import rules_of
from analytics.nn.weighted import WeightedGraph
from icm_ray.errors import ShapeError
from icm_ray.network.layer import INPUT

__all__ = ["run_reference", "tensors"]


def run_reference(network: WeightedGraph, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The network's output, (batch, *output_shape), for `x` of shape (batch, *input_shape)."""
    graph = network.graph
    if x.shape[1:] != graph.input_shape:
        raise ShapeError(f"the network takes (batch, {', '.join(map(str, graph.input_shape))}); this is {x.shape}")
    weights = tensors(network)
    values = {INPUT: torch.from_numpy(np.array(x, dtype=np.float64))}
    with torch.no_grad():
        for node in graph.nodes:
            inputs = [values[name] for name in node.inputs]
            values[node.name] = rules_of(node).evaluate(node, inputs, weights)
    result: npt.NDArray[np.float64] = values[graph.output].numpy()
    return result


def tensors(network: WeightedGraph) -> dict[str, torch.Tensor]:
    """The weights, by key."""
    return {key: torch.from_numpy(array.copy()) for key, array in network.weights.items()}
