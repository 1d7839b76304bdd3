"""Import of a torch module in eval mode: export, one translation for each operation, constants computed on the way.

What does not depend on the input (parameters, buffers, and everything computed from them) is evaluated here in
float64. Every value that does depend on it becomes a `Wire`; what the tables do not have becomes a `Finding`, and
the walk goes on, so that one run names all of them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import fx

from analytics.nn.batch_sizes import finding_of_few
from analytics.nn.findings import Finding, hint_for, unsupported
from analytics.nn.folding import fold_affines
from analytics.nn.packing import Packed, own_path
from analytics.nn.places import module_path, source_of
from analytics.nn.sharing import share_repeated
from analytics.nn.torch_ops.activations import ACTIVATIONS
from analytics.nn.torch_ops.angles import ANGLES
from analytics.nn.torch_ops.anywhere import ANYWHERE, back, behind_others, in_front
from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.comparisons import COMPARISONS
from analytics.nn.torch_ops.convolutions import CONVOLUTIONS
from analytics.nn.torch_ops.embeddings import EMBEDDINGS
from analytics.nn.torch_ops.functions import FUNCTIONS
from analytics.nn.torch_ops.layout import FILLED, LAYOUT
from analytics.nn.torch_ops.masked import with_mask
from analytics.nn.torch_ops.matrices import MATRICES
from analytics.nn.torch_ops.merged import MERGED, parted, remerged
from analytics.nn.torch_ops.minus_infinity import ONLY_SOFTMAX, is_mask
from analytics.nn.torch_ops.moved import MOVED, RESHAPES
from analytics.nn.torch_ops.movement import MOVEMENT
from analytics.nn.torch_ops.norms import NORMS
from analytics.nn.torch_ops.orders import ORDERS
from analytics.nn.torch_ops.parts import PARTS
from analytics.nn.torch_ops.pointwise import POINTWISE
from analytics.nn.torch_ops.pools import POOLS
from analytics.nn.torch_ops.pools_of_depth import POOLS_OF_DEPTH
from analytics.nn.torch_ops.private_places import PRIVATE_PLACES
from analytics.nn.torch_ops.recurrent import RECURRENT
from analytics.nn.torch_ops.resampling import RESAMPLING
from analytics.nn.torch_ops.roundings import ROUNDINGS
from analytics.nn.torch_ops.running import RUNNING
from analytics.nn.torch_ops.scattered import ADDED, SCATTERED
from analytics.nn.torch_ops.sums_of_products import SUMS_OF_PRODUCTS
from analytics.nn.torch_ops.warps import WARPS
from analytics.nn.tracing import Export, Traced, trace
from analytics.nn.weighted import WeightedGraph
from icm_ray.errors import NullError
from icm_ray.network.graph import Graph
from icm_ray.network.layer import INPUT
from icm_ray.network.layers import AnyLayer, kind_of
from icm_ray.network.passes import drop_unused, merge_reshapes

__all__ = ["TRANSLATIONS", "import_model", "preflight"]

TRANSLATIONS: Mapping[Any, Translation] = MappingProxyType(
    {
        **CONVOLUTIONS,
        **EMBEDDINGS,
        **MATRICES,
        **SUMS_OF_PRODUCTS,
        **NORMS,
        **POOLS,
        **POOLS_OF_DEPTH,
        **POINTWISE,
        **FUNCTIONS,
        **COMPARISONS,
        **ORDERS,
        **ACTIVATIONS,
        **ANGLES,
        **RUNNING,
        **SCATTERED,
        **ADDED,
        **WARPS,
        **LAYOUT,
        **MOVEMENT,
        **PARTS,
        **PRIVATE_PLACES,
        **RESAMPLING,
        **ROUNDINGS,
        **MOVED,
        **RECURRENT,
    }
)


def import_model(net: torch.nn.Module, example_inputs: tuple[Any, ...]) -> WeightedGraph:
    """The graph of `net`, a module in eval mode, for inputs shaped as the one batch in `example_inputs`.

    Batch normalisation is folded into the product before it where that has no other reader. The network is not
    changed. Raises `UnsupportedError` naming every unsupported operation with its module path, or saying that the
    network is in training mode; `NullError` naming a parameter with NaN or infinite values; `InputError` and
    `ShapeError` for unfit example inputs.
    """
    export = _traced(net, example_inputs)
    if not isinstance(export, Export):
        raise unsupported(export)
    findings, walk, output = _read(export, net)
    if findings or output is None:
        raise unsupported(findings)
    traced = walk.traced
    plain = own_path if isinstance(net, Packed) else str
    _check_finite(
        ((plain(name), tensor) for name, tensor in traced.constants.values() if not is_mask(tensor)), "parameter"
    )
    _check_finite(((key, torch.from_numpy(array)) for key, array in walk.build.weights.items()), "weight")
    graph = Graph(
        nodes=tuple(walk.build.nodes),
        input_shape=traced.shape(traced.input)[1:],
        output=output.name,
    )
    network = WeightedGraph(graph, walk.build.weights)
    return share_repeated(fold_affines(network.simplified(drop_unused).simplified(merge_reshapes)))


def preflight(net: torch.nn.Module, example_inputs: tuple[Any, ...]) -> tuple[Finding, ...]:
    """Every operation of `net` that the engine does not support; empty when `import_model` would take it.

    Raises as `import_model` does for training mode and unfit example inputs; it does not look at weight values.
    """
    export = _traced(net, example_inputs)
    return tuple(_read(export, net)[0]) if isinstance(export, Export) else export


def _traced(net: torch.nn.Module, example_inputs: tuple[Any, ...]) -> Export | tuple[Finding, ...]:
    export = trace(net, example_inputs, TRANSLATIONS)
    if isinstance(export, Export) or not isinstance(net, Packed):
        return export
    return tuple(replace(finding, module=own_path(finding.module)) for finding in export)


def _read(export: Export, net: torch.nn.Module) -> tuple[list[Finding], _Walk, Wire | None]:
    """Findings, the graph for one size of a batch, its output: for another size it must be the same graph."""
    first, *others = (_Walk(view, isinstance(net, Packed)) for view in export.views)
    output = first.run()
    if first.findings:
        return first.findings, first, output
    for other in others:
        other.run()
        if other.findings:
            return other.findings, first, output
        differing = first.differs(other)
        if differing is not None:
            return [differing], first, output
    doubt = export.doubt or _of_few(net, first.traced)
    return [] if doubt is None else [doubt], first, output


def _of_few(net: torch.nn.Module, traced: Traced) -> Finding | None:
    """Of sizes for which no graph was read: none is for one image alone."""
    found = finding_of_few(net, traced.shape(traced.input)[1:], traced.input.meta["val"].dtype)
    return replace(found, module=own_path(found.module)) if found and isinstance(net, Packed) else found


def _same(a: Any, b: Any, first: GraphBuilder, second: GraphBuilder) -> bool:
    weights = [(first.weights[key], second.weights[key]) for key in first.weights if key.startswith(f"{a.name}.")]
    return a == b and all(one.shape == two.shape and np.array_equal(one, two, equal_nan=True) for one, two in weights)


aten = torch.ops.aten
_MOVES = {*MOVED, *RECURRENT, *FILLED}
_KEEPS = {*RESHAPES, *FILLED}
_CLOSED = {aten.softmax.int, aten._softmax.default, aten.where.self}
_FRAMED = {
    *(aten.max_pool1d.default, aten.max_pool1d_with_indices.default),
    *(aten.max_pool2d.default, aten.max_pool2d_with_indices.default),
}
_PLACES = {*LAYOUT, *MOVEMENT, *PARTS, *SCATTERED, *MOVED}  # what moves values, or chooses among them
_TOKENS = {*EMBEDDINGS, *COMPARISONS, *PRIVATE_PLACES, *_PLACES}
_NAMING = {
    *(aten.index.Tensor, aten.index_select.default, aten.gather.default, aten.take_along_dim.default),
    *(*SCATTERED, *ADDED),
}
"""What takes constants for places."""
_OVER = {
    *("all", "amax", "amin", "any", "argmax", "argmin", "bmm", "count_nonzero", "cummax", "cummin", "cumprod"),
    *("cumsum", "dot", "linalg_vector_norm", "logcumsumexp", "logsumexp", "matmul", "max", "mean", "median", "min"),
    *("mm", "mv", "norm", "prod", "std", "sum", "var"),
}
"""What may go over all images of a batch, by torch's names."""
_TRUTH = {*COMPARISONS, *_PLACES, aten.mul.Tensor}
"""What may make truth values: others are not what arithmetic makes of zeros and ones."""


@dataclass(slots=True)
class _Walk:
    """One pass over torch's graph, in order."""

    traced: Traced
    packed: bool = False
    findings: list[Finding] = field(default_factory=list)
    build: GraphBuilder = field(init=False)
    _values: dict[fx.Node, Any] = field(init=False, default_factory=dict, repr=False)
    _learned: set[fx.Node] = field(init=False, default_factory=set, repr=False)  # constants that follow from weights
    _sized: set[fx.Node] = field(init=False, default_factory=set, repr=False)  # constants as long as a batch

    def __post_init__(self) -> None:
        shape = self.traced.shape(self.traced.input)
        self.build = GraphBuilder(batch=shape[0])
        whole = not self.traced.input.meta["val"].is_floating_point()
        self._values[self.traced.input] = Wire(INPUT, shape[1:], whole=whole, tokens=whole)
        self._learned.update(self.traced.learned)
        self._values.update({node: tensor for node, (_, tensor) in self.traced.constants.items()})

    def run(self) -> Wire | None:
        """The wire of the output, or None when there are findings."""
        for node in self.traced.nodes:
            if node not in self._values:
                self._values[node] = self._value(node)
        output = self._values[self.traced.output]
        if not isinstance(output, Wire):
            self._find(self.traced.output, "the output does not depend on the input")
            return None
        if output.closed or output.shut is not None or output.frame:
            self._find(self.traced.output, "its result holds values that a mask or a padding fills with minus infinity")
        if output.at or output.merged:
            hint = "its result has the batch dimension elsewhere, or merged with others; it must stay in front"
            self._find(self.traced.output, hint)
        return None if self.findings else output

    def differs(self, other: _Walk) -> Finding | None:
        """The first layer that is another one for batches of another size."""
        mine, others = self.build, other.build
        for a, b in zip_longest(mine.nodes, others.nodes):
            if a is None or b is None or not _same(a, b, mine, others):
                node, build = (a, mine) if a is not None else (b, others)
                hint = "what it computes depends on the number of images in a batch"
                return Finding(node.module, kind_of(node), hint, build.sources[node.name])
        return None

    def _find(self, node: fx.Node, hint: str) -> Any:
        op = node.target if isinstance(node.target, str) else str(node.target)
        self.findings.append(Finding(self._path(node), op, hint, source_of(node)))
        return self._broken(node)

    def _path(self, node: fx.Node) -> str:
        path = module_path(node)
        return own_path(path) if self.packed else path

    def _broken(self, node: fx.Node) -> Wire:
        return Wire("", self.traced.shape(node)[1:], broken=True)

    def _value(self, node: fx.Node) -> Any:
        number = self.traced.number(node)
        if number is not None:
            return number
        if node.op != "call_function":  # a placeholder or attribute that is no tensor: a submodule of torch.cond
            return None
        if node.target is operator.getitem:
            return self._item(node)
        arguments = [self._values[source] for source in node.all_input_nodes]
        if not any(_depends(value) for value in arguments):
            return self._constant(node)
        if node.target not in TRANSLATIONS or not isinstance(node.target, torch._ops.OpOverload):
            return self._find(node, hint_for(str(node.target)))
        call = Call(self._bind(node, node.target), self.traced.shape(node))
        wires = list(call.wires())
        broken = any(wire.broken for wire in wires)
        if broken and not self._batched(node):
            return self._broken(node)  # an earlier finding moved the batch; nothing to add about what follows from it
        self.build.module, self.build.source = self._path(node), source_of(node)
        self.build.unpacks = self.packed and not module_path(node)
        try:
            self._check(node, wires)
            before = len(self.build.nodes)
            value = _as_torch_has_it(node, self._translated(node.target, call), wires)
            if self._from_weights(node) and _closes(node, value, wires, self.build.nodes[before:]):
                raise Refused(
                    "it closes places of a softmax that are computed from weights, and places are public; keep the mask"
                    " in a buffer of truth values, of nothing but 0 and minus infinity, or a triangle of ones"
                )
            if not self._in_place(node, value):
                raise Refused("it mixes or drops the batch dimension, which must stay in front")
        except Refused as refusal:
            return self._find(node, str(refusal))
        if node.target in FILLED:
            self._sized.add(node)
        return _marked(value) if broken else value

    def _check(self, node: fx.Node, wires: Sequence[Wire]) -> None:
        """Raise `Refused` for what an operation does not take, whatever it makes of it."""
        if not _counts(node, wires) and any(wire.tokens for wire in wires):
            raise Refused("its input holds whole numbers, which torch.nn.Embedding looks up; give floats")
        if node.target not in _FRAMED and any(wire.frame for wire in wires):
            raise Refused("it takes values that a padding fills with minus infinity; only a max pool can")
        if node.target not in _CLOSED and any(wire.closed for wire in wires):
            raise Refused(ONLY_SOFTMAX)
        if node.target not in _MOVES | ANYWHERE and any(wire.at for wire in wires):
            raise Refused("it takes values whose batch dimension was moved; it must stay in front")
        if node.target not in MERGED | _KEEPS and any(wire.merged for wire in wires):
            raise Refused("it takes values whose batch dimension is merged with others; it must stay by itself")
        if node.target in _NAMING and any(_is_index(self._values[source]) for source in self._from_weights(node)):
            raise Refused(
                "it names places that are computed from weights, and places are public; keep them in a buffer of"
                " whole numbers or truth values"
            )
        if node.target not in _TRUTH and _dtype(node) == torch.bool:
            raise Refused("it makes truth values of truth values; use & and |")

    def _translated(self, op: Any, call: Call) -> Any:
        """What is moved takes its mask of minus infinity along."""
        wires = list(call.wires())
        if op in MERGED and any(wire.merged for wire in wires):
            return remerged(self._translated(*parted(self.build, op, call)), wires[0].merged)
        if op in ANYWHERE and (any(wire.at for wire in wires) or behind_others(op, call)):
            return back(self._translated(op, in_front(self.build, op, call)), call, wires, op)
        return with_mask(self.build, op, call, TRANSLATIONS[op])

    def _item(self, node: fx.Node) -> Any:
        source, index = node.args
        if source in self._learned:
            self._learned.add(node)
        values = self._values[source] if isinstance(source, fx.Node) else source
        if isinstance(values, Wire):  # several outputs of an unsupported operation
            return self._broken(node)
        value = values[index] if isinstance(values, tuple | list) and isinstance(index, int) else None
        return (
            self._find(node, "only the values of this layer can be used, not its indices") if value is None else value
        )

    def _constant(self, node: fx.Node) -> Any:
        if not isinstance(node.target, torch._ops.OpOverload):
            return self._find(node, hint_for(str(node.target)))
        if torch.Tag.nondeterministic_seeded in node.target.tags and not _drops_nothing(self._bind(node, node.target)):
            return self._find(node, "it draws random numbers; a prediction must not")
        if node.target not in FILLED and not self._learned.isdisjoint(node.all_input_nodes):
            self._learned.add(node)
        args = fx.node.map_arg(node.args, self._values.__getitem__)
        kwargs = fx.node.map_arg(node.kwargs, self._values.__getitem__)
        with torch.no_grad():
            made = _widened(node.target(*args, **{**kwargs, **_device(kwargs)}))
        if any(self._has_the_size(source) for source in node.all_input_nodes):
            if node.target._overloadpacket.__name__ in _OVER and not _alike(made, self.build.batch):
                return self._find(node, "what it computes depends on the number of images in a batch")
            self._sized.add(node)
        return made

    def _has_the_size(self, node: fx.Node) -> bool:
        """Whether it is the number of images in a batch, or a constant with something for each of them."""
        return node in self._sized or self.traced.number(node) is not None

    def _bind(self, node: fx.Node, target: torch._ops.OpOverload[..., Any]) -> dict[str, Any]:
        schema = target._schema.arguments
        bound: dict[str, Any] = {item.name: item.default_value for item in schema if item.has_default_value()}
        args = fx.node.map_arg(node.args, self._values.__getitem__)
        bound.update(zip((item.name for item in schema), args, strict=False))
        bound.update(fx.node.map_arg(node.kwargs, self._values.__getitem__))
        return bound

    def _in_place(self, node: fx.Node, value: Any) -> bool:
        """Whether a node's example inputs and output have the batch where their wires say."""
        made = value[0] if isinstance(value, tuple) else value
        pairs = [(node, made), *((item, self._values[item]) for item in self._wired(node))]
        return all(
            self.traced.shape(item)[wire.at : wire.at + 1] == (self.build.batch * math.prod(wire.merged or ()),)
            for item, wire in pairs
            if isinstance(wire, Wire)
        )

    def _batched(self, node: fx.Node) -> bool:
        """Whether every example input and output of a node still has the batch in front."""
        return all(self.traced.shape(item)[:1] == (self.build.batch,) for item in [node, *self._wired(node)])

    def _from_weights(self, node: fx.Node) -> list[fx.Node]:
        return [source for source in node.all_input_nodes if source in self._learned]

    def _wired(self, node: fx.Node) -> list[fx.Node]:
        return [source for source in node.all_input_nodes if _depends(self._values[source])]


def _drops_nothing(arguments: Mapping[str, Any]) -> bool:
    """Whether what may draw random numbers, as dropout does, is told not to."""
    return False in (arguments.get("train"), arguments.get("training")) or arguments.get("dropout_p") == 0


def _closes(node: fx.Node, value: Any, wires: list[Wire], made: list[AnyLayer]) -> bool:
    """Whether an operation says which places take no part in a softmax, where what it was given does not."""
    closed = value.closed if isinstance(value, Wire) else ()
    if closed and all(closed != wire.closed for wire in wires):
        return True
    return node.target not in _CLOSED and any(getattr(layer, "closed", ()) for layer in made)


def _alike(made: Any, batch: int) -> bool:
    """Whether a constant still has something for each image of a batch, the same for all."""
    if not isinstance(made, torch.Tensor):
        return all(_alike(each, batch) for each in made)
    axes = (axis for axis in range(made.ndim) if made.shape[axis] and made.shape[axis] % batch == 0)
    return any(torch.equal(made, made.narrow(axis, 0, 1).expand_as(made)) for axis in axes)


def _dtype(node: fx.Node, place: int | None = None) -> torch.dtype | None:
    value = node.meta.get("val")
    if place is not None and isinstance(value, tuple | list):
        value = value[place] if place < len(value) else None
    return value.dtype if isinstance(value, torch.Tensor) else None


def _as_torch_has_it(node: fx.Node, value: Any, wires: Sequence[Wire], place: int | None = None) -> Any:
    """The wire, or several, with the kind of numbers that torch's tensor has."""
    if isinstance(value, tuple):
        return tuple(_as_torch_has_it(node, item, wires, place) for place, item in enumerate(value))
    dtype = _dtype(node, place)
    if not isinstance(value, Wire) or dtype is None:
        return value
    truth, moved = dtype == torch.bool, node.target in _PLACES and not _adds(node)
    whole = not truth and not dtype.is_floating_point
    bit = value.bit or truth or (moved and all(wire.bit for wire in wires))
    tokens = whole and moved and any(wire.tokens for wire in wires)
    return replace(value, truth=truth, whole=whole, tokens=tokens, bit=bit)


def _counts(node: fx.Node, wires: Sequence[Wire]) -> bool:
    """Whether it is for whole numbers: look-ups, comparisons, what moves them, or adds a whole number to them."""
    if node.target in {aten.add.Tensor, aten.sub.Tensor}:
        dtype = _dtype(node)
        return len(wires) == 1 and dtype is not None and not dtype.is_floating_point
    return node.target in _TOKENS


def _adds(node: fx.Node) -> bool:
    """Whether it adds to what stands at the places that it writes to, so that zeros and ones become other numbers."""
    accumulates = node.target is aten.index_put.default and True in {*node.args[3:], node.kwargs.get("accumulate")}
    return accumulates or node.target is aten.scatter.reduce


def _is_index(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not value.is_floating_point()


def _depends(value: Any) -> bool:
    return isinstance(value, Wire) or (isinstance(value, tuple) and any(_depends(item) for item in value))


def _marked(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_marked(item) for item in value)
    return replace(value, broken=True) if isinstance(value, Wire) else value


def _widened(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.to(torch.float64)
    return tuple(_widened(item) for item in value) if isinstance(value, tuple | list) else value


def _device(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {"device": torch.device("cpu")} if kwargs.get("device") is not None else {}


def _check_finite(tensors: Iterable[tuple[str, torch.Tensor]], what: str) -> None:
    for name, tensor in tensors:
        if tensor.is_floating_point() and not bool(np.isfinite(tensor.numpy()).all()):
            raise NullError(f"{what} {name!r} has NaN or infinite values", name=name)
