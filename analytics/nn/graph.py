"""A network as a graph of layers: the public structure apart from the private weights.

A `Node` holds public facts alone: its kind, sizes, strides and where its input comes from. The values of the
weights lie in `Graph.weights`, under the keys that the nodes name (`Conv.weight`, `Affine.shift`, ...), so that
`Graph.structure()` may be sent to parties that must not see the weights, and no `repr` can print one.

Shapes are per sample: the batch dimension is left out everywhere, and axis 0 is the channel axis. Nodes stand in
topological order; the name `INPUT` stands for the network's input. This module knows nothing of torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from analytics.nn.nodes import INPUT, KINDS, Affine, Conv, Linear, Node, Shape, kind_of
from analytics.nn.shapes import output_shape
from icm_ray.errors import ProgramError

__all__ = ["Graph", "Weights"]

Weights: TypeAlias = Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Graph:
    """The layers of one network with one input and one output.

    `nodes` in topological order; `input_shape` per sample; `output` is the name of the node (or `INPUT`) whose value
    is the result; `weights` holds read-only float64 arrays, and is empty on the side that does not own them.
    Raises `ProgramError` when names, shapes or weights do not fit together. Two graphs are equal when their
    structures are: weights are not compared.
    """

    nodes: tuple[Node, ...]
    input_shape: Shape
    output: str
    weights: Weights = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        shapes: dict[str, Shape] = {INPUT: self.input_shape}
        for node in self.nodes:
            if node.name in shapes:
                raise ProgramError(f"two nodes are named {node.name!r}")
            missing = [name for name in node.inputs if name not in shapes]
            if missing:
                raise ProgramError(f"node {node.name!r} reads {missing[0]!r}, which no earlier node makes")
            expected = output_shape(node, tuple(shapes[name] for name in node.inputs))
            if node.shape != expected:
                raise ProgramError(f"node {node.name!r} declares the shape {node.shape}; its layer makes {expected}")
            shapes[node.name] = node.shape
        if self.output not in shapes:
            raise ProgramError(f"the output {self.output!r} is no node of the graph")
        object.__setattr__(self, "weights", self._checked(self.weights))

    def _checked(self, weights: Weights) -> Weights:
        if not weights:
            return MappingProxyType({})
        expected = self.weight_shapes()
        if set(weights) != set(expected):
            differing = sorted(set(weights) ^ set(expected))
            raise ProgramError(f"weights and nodes do not name the same arrays: {', '.join(differing)}")
        taken: dict[str, npt.NDArray[np.float64]] = {}
        for key, array in weights.items():
            if array.dtype != np.float64 or array.shape != expected[key]:
                raise ProgramError(f"weight {key!r} is {array.dtype}{array.shape}; float64{expected[key]} is needed")
            view = array.view()
            view.flags.writeable = False
            taken[key] = view
        return MappingProxyType(taken)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Graph holds private weights and does not pickle; send Graph.structure() instead")

    @property
    def output_shape(self) -> Shape:
        """The per-sample shape of the result."""
        return self.shape_of(self.output)

    def node(self, name: str) -> Node:
        """The node of that name; KeyError when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def shape_of(self, name: str) -> Shape:
        """The per-sample shape of a node's value, or of the input."""
        return self.input_shape if name == INPUT else self.node(name).shape

    def consumers(self) -> Mapping[str, tuple[str, ...]]:
        """For each name, the nodes that read it, one entry for each reading; the result counts as a reader ''."""
        readers: dict[str, list[str]] = {name: [] for name in (INPUT, *(node.name for node in self.nodes))}
        for node in self.nodes:
            for name in node.inputs:
                readers[name].append(node.name)
        readers[self.output].append("")
        return {name: tuple(names) for name, names in readers.items()}

    def weight_shapes(self) -> dict[str, Shape]:
        """The shape of each weight, from the structure alone."""
        shapes: dict[str, Shape] = {}
        for node in self.nodes:
            source = self.shape_of(node.inputs[0])
            match node:
                case Conv():
                    shapes[node.weight] = (node.shape[0], source[0] // node.groups, *node.kernel)
                    if node.bias is not None:
                        shapes[node.bias] = node.shape[:1]
                case Linear():
                    shapes[node.weight] = (node.shape[-1], source[-1])
                    if node.bias is not None:
                        shapes[node.bias] = node.shape[-1:]
                case Affine():
                    shapes |= {key: node.shape[:1] for key in (node.scale, node.shift) if key is not None}
                case _:
                    pass
        return shapes

    def structure(self) -> dict[str, Any]:
        """The public part as plain nested data (dict, list, str, int, float, bool, None): no weight values."""
        return {
            "input_shape": list(self.input_shape),
            "output": self.output,
            "nodes": [
                {"kind": kind_of(node)} | {item.name: _plain(getattr(node, item.name)) for item in fields(node)}
                for node in self.nodes
            ],
            "weights": {key: list(shape) for key, shape in self.weight_shapes().items()},
        }

    @classmethod
    def from_structure(cls, structure: Mapping[str, Any], weights: Weights | None = None) -> Graph:
        """The graph of a `structure()`; without `weights` it is what a party sees that does not own the model.

        Raises `ProgramError` for anything that is not a well-formed structure.
        """
        try:
            graph = cls(
                nodes=tuple(_node(entry) for entry in structure["nodes"]),
                input_shape=_frozen(structure["input_shape"]),
                output=structure["output"],
                weights={} if weights is None else weights,
            )
            if structure["weights"] != {key: list(shape) for key, shape in graph.weight_shapes().items()}:
                raise ProgramError("the structure's weight shapes do not follow from its nodes")
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
            raise ProgramError(f"not the structure of a network: {type(error).__name__}: {error}") from error
        return graph


def _node(entry: Mapping[str, Any]) -> Node:
    facts = {key: _frozen(value) for key, value in entry.items() if key != "kind"}
    return KINDS[entry["kind"]](**facts)


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ProgramError(f"a structure holds plain data only, not {type(value).__name__}")
