"""Simplifications of a graph that need no weights. Each is a pure function; the result computes the same."""

from __future__ import annotations

from typing import cast

from msgspec.structs import replace

from icm_ray.network.graph import Graph
from icm_ray.network.layer import INPUT, Layer
from icm_ray.network.layers import AnyLayer, MaxPool, ProductLayer, Relu, Reshape

__all__ = ["Edit", "drop_unused", "merge_reshapes", "moves_first", "relu_after_max_pool"]


class Edit:
    """A graph taken apart: `nodes` by name in order, `readers` by name."""

    def __init__(self, graph: Graph) -> None:
        self.input_shape, self.output = graph.input_shape, graph.output
        self.nodes: dict[str, Layer] = {node.name: node for node in graph.nodes}

    def readers(self, name: str) -> list[str]:
        """The nodes that read `name`, once for each reading; '' for the result."""
        found = [node.name for node in self.nodes.values() for source in node.inputs if source == name]
        return [*found, ""] if name == self.output else found

    def bypass(self, name: str) -> None:
        """Take a node of one input out; its readers read its input."""
        (source,) = self.nodes.pop(name).inputs
        for node in list(self.nodes.values()):
            if name in node.inputs:
                inputs = tuple(source if item == name else item for item in node.inputs)
                self.nodes[node.name] = replace(node, inputs=inputs)
        if self.output == name:
            self.output = source

    def shape_of(self, name: str) -> tuple[int, ...]:
        """The per-sample shape of a node's value, or of the input."""
        return self.input_shape if name == INPUT else self.nodes[name].shape

    def has_own_weight(self, node: ProductLayer) -> bool:
        """Whether it has a weight that no other product names."""
        key = node.weight_key
        others = (other for other in self.nodes.values() if isinstance(other, ProductLayer) and other is not node)
        return key is not None and all(other.weight_key != key for other in others)

    def next_product(self, name: str) -> ProductLayer | None:
        """The product that is the only reader of `name`, homogeneous layers in between."""
        while True:
            readers = self.readers(name)
            if len(readers) != 1 or not readers[0]:
                return None
            node = self.nodes[readers[0]]
            if isinstance(node, ProductLayer) and self.has_own_weight(node):
                return node
            if not node.homogeneous:
                return None
            name = node.name

    def last_product(self, name: str) -> ProductLayer | None:
        """The product that `name` comes from, read by nothing else, homogeneous layers in between."""
        while name != INPUT and len(self.readers(name)) == 1:
            node = self.nodes[name]
            if isinstance(node, ProductLayer) and self.has_own_weight(node):
                return node
            if not node.homogeneous:
                return None
            (name,) = node.inputs
        return None

    def done(self) -> Graph:
        """The graph again, checked as a whole."""
        return Graph(cast("tuple[AnyLayer, ...]", tuple(self.nodes.values())), self.input_shape, self.output)


def drop_unused(graph: Graph) -> Graph:
    """Without the nodes that the output does not need."""
    needed = {graph.output}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return replace(graph, nodes=tuple(node for node in graph.nodes if node.name in needed))


def merge_reshapes(graph: Graph) -> Graph:
    """A reshape of a reshape becomes one reshape, or none where the shape is back to what it was."""
    edit = Edit(graph)
    for name in list(edit.nodes):
        node = edit.nodes[name]
        if not isinstance(node, Reshape):
            continue
        source = node.inputs[0]
        while source != INPUT and isinstance(edit.nodes[source], Reshape):
            (source,) = edit.nodes[source].inputs
        edit.nodes[name] = replace(node, inputs=(source,))
        if node.shape == edit.shape_of(source):
            edit.bypass(name)
    return drop_unused(edit.done())


def moves_first(graph: Graph) -> Graph:
    """What only moves values stands right behind them: a sum's other summand is there when its product is."""
    places: dict[str, tuple[int, ...]] = {INPUT: (0,)}  # what moves values is behind the last of them, before others
    for number, node in enumerate(graph.nodes, 1):
        behind = max(places[name] for name in node.inputs)
        places[node.name] = (*behind, -number) if node.carries and not node.adds else (number,)
    return replace(graph, nodes=tuple(sorted(graph.nodes, key=lambda node: places[node.name])))


def relu_after_max_pool(graph: Graph) -> Graph:
    """max(relu(x)) = relu(max(x)): a ReLU that only a max-pool reads moves behind it, where there are fewer values."""
    edit = Edit(graph)
    for name in list(edit.nodes):
        node = edit.nodes[name]
        if not isinstance(node, MaxPool) or node.inputs[0] == INPUT:
            continue
        relu = edit.nodes[node.inputs[0]]
        if not isinstance(relu, Relu) or len(edit.readers(relu.name)) != 1:
            continue
        # The two trade places in the order and keep their names; whoever read the pool reads the ReLU.
        swapped: dict[str, Layer] = {}
        for other in edit.nodes.values():
            if other is relu:
                continue
            if other is node:
                swapped[name] = replace(node, inputs=relu.inputs)
                swapped[relu.name] = replace(relu, inputs=(name,), shape=node.shape)
                continue
            inputs = tuple(relu.name if item == name else item for item in other.inputs)
            swapped[other.name] = replace(other, inputs=inputs)
        edit.nodes = swapped
        if edit.output == name:
            edit.output = relu.name
    return edit.done()
