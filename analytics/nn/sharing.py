"""One weight for all steps of a loop that is written out: loaded, masked and kept once."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from analytics.nn.weighted import WeightedGraph, named
from icm_ray.network.layers import Linear

__all__ = ["share_repeated"]

_MANY = 4  # layers with one weight: of fewer each has bits of its own


def share_repeated(network: WeightedGraph) -> WeightedGraph:
    """Name the weight of the first of many linear layers without bias that have the same array."""
    found: dict[Any, list[Linear]] = {}
    for node in network.nodes:
        if isinstance(node, Linear) and node.bias is None:
            array = network.weights[node.weight]
            found.setdefault((array.ctypes.data, array.shape, array.strides), []).append(node)
    keys = {node.name: nodes[0].weight for nodes in found.values() if len(nodes) >= _MANY for node in nodes}
    if not keys:
        return network
    nodes = tuple(
        node.with_weights(keys[node.name], None) if isinstance(node, Linear) and node.name in keys else node
        for node in network.nodes
    )
    return named(replace(network.graph, nodes=nodes), network.weights)
