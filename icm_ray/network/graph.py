"""A network as a graph of layers: public structure alone, as data that serialises without code.

Shapes are per sample: the batch dimension is left out everywhere, and axis 0 is the channel axis. Nodes stand in
topological order; the name `INPUT` stands for the network's input.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from icm_ray.errors import ProgramError
from icm_ray.network.layer import INPUT, Layer, Shape
from icm_ray.network.layers import AnyLayer, ProductLayer

__all__ = ["Graph"]


class Graph(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):  # dict: a place for what is found once
    """The layers of one network with one input and one output.

    `nodes` in topological order; `input_shape` per sample; `output` is the name of the node (or `INPUT`) whose value
    is the result. Raises `ProgramError` when names and shapes do not fit together.
    """

    nodes: tuple[AnyLayer, ...]
    input_shape: Shape
    output: str

    def __post_init__(self) -> None:
        shapes: dict[str, Shape] = {INPUT: self.input_shape}
        for node in self.nodes:
            if node.name in shapes or not node.name:
                raise ProgramError(f"two nodes are named {node.name!r}" if node.name else "a node has no name")
            missing = [name for name in node.inputs if name not in shapes]
            if missing:
                raise ProgramError(f"node {node.name!r} reads {missing[0]!r}, which no earlier node makes")
            expected = node.output_shape(tuple(shapes[name] for name in node.inputs))
            if node.shape != expected:
                raise ProgramError(f"node {node.name!r} declares the shape {node.shape}; its layer makes {expected}")
            shapes[node.name] = node.shape
        if self.output not in shapes:
            raise ProgramError(f"the output {self.output!r} is no node of the graph")

    @property
    def output_shape(self) -> Shape:
        """The per-sample shape of the result."""
        return self.shape_of(self.output)

    @cached_property
    def by_name(self) -> Mapping[str, Layer]:
        """The nodes by name, in their order."""
        return MappingProxyType({node.name: node for node in self.nodes})

    def node(self, name: str) -> Layer:
        """The node of that name; KeyError when there is none."""
        return self.by_name[name]

    def product(self, name: str) -> ProductLayer:
        """The layer with weights of that name; KeyError when there is none."""
        node = self.node(name)
        if not isinstance(node, ProductLayer):
            raise KeyError(name)
        return node

    @cached_property
    def loaders(self) -> Mapping[str, str]:
        """By product, the first one that names the same weight: its weight is loaded, and the others use it too."""
        first: dict[str, str] = {}
        products = [node for node in self.nodes if isinstance(node, ProductLayer)]
        return MappingProxyType(
            {
                node.name: node.name if node.weight_key is None else first.setdefault(node.weight_key, node.name)
                for node in products
            }
        )

    def shape_of(self, name: str) -> Shape:
        """The per-sample shape of a node's value, or of the input."""
        return self.input_shape if name == INPUT else self.node(name).shape

    def anonymous(self) -> Graph:
        """Without the paths of torch's modules, which need not leave the model's owner."""
        return replace(self, nodes=tuple(replace(node, module="") for node in self.nodes))

    def consumers(self) -> Mapping[str, tuple[str, ...]]:
        """For each name, the nodes that read it, one entry for each reading; the result counts as a reader ''."""
        readers: dict[str, list[str]] = {name: [] for name in (INPUT, *self.by_name)}
        for node in self.nodes:
            for name in node.inputs:
                readers[name].append(node.name)
        readers[self.output].append("")
        return {name: tuple(names) for name, names in readers.items()}

    def weight_shapes(self) -> dict[str, Shape]:
        """The shape of each weight, by key."""
        shapes: dict[str, Shape] = {}
        for node in self.nodes:
            shapes |= node.weight_shapes(self.shape_of(node.inputs[0]))
        return shapes
