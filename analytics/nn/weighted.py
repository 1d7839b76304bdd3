"""A network's public graph together with its private weights: what the owner of a model has, and nobody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from icm_ray.errors import ProgramError
from icm_ray.network.graph import Graph
from icm_ray.network.layers import AnyLayer

__all__ = ["WeightedGraph", "Weights"]

Weights: TypeAlias = Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class WeightedGraph:
    """`weights` holds one read-only float64 array for each key that the graph's layers name; no `repr` prints one.

    Raises `ProgramError` when graph and weights do not fit together. Two are equal when their graphs are: weights are
    not compared.
    """

    graph: Graph
    weights: Weights = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        expected = self.graph.weight_shapes()
        if set(self.weights) != set(expected):
            differing = sorted(set(self.weights) ^ set(expected))
            raise ProgramError(f"weights and nodes do not name the same arrays: {', '.join(differing)}")
        taken: dict[str, npt.NDArray[np.float64]] = {}
        for key, array in self.weights.items():
            if array.dtype != np.float64 or array.shape != expected[key]:
                raise ProgramError(f"weight {key!r} is {array.dtype}{array.shape}; float64{expected[key]} is needed")
            view = array.view()
            view.flags.writeable = False
            taken[key] = view
        object.__setattr__(self, "weights", MappingProxyType(taken))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a WeightedGraph holds private weights and does not pickle; send its graph instead")

    @property
    def nodes(self) -> tuple[AnyLayer, ...]:
        """The layers of the graph, in order."""
        return self.graph.nodes

    def simplified(self, simplify: Callable[[Graph], Graph]) -> WeightedGraph:
        """With another graph that needs no other weights; those that it does not name are left out."""
        return named(simplify(self.graph), self.weights)


def named(graph: Graph, weights: Weights) -> WeightedGraph:
    """The graph with those of the weights that it names."""
    kept = graph.weight_shapes()
    return WeightedGraph(graph, {key: array for key, array in weights.items() if key in kept})
