"""From a torch module to torch's own graph of functional operations, and the constants in it.

The number of images in a batch is no part of a model. So a network is exported with a symbol in its place, and read for
two sizes where anything but shapes is computed with it: whoever reads compares. What torch has to guard (a branch on
the size of the batch) is refused. Where torch cannot export with a symbol, two exports stand for two sizes, or three.
"""

from __future__ import annotations

import inspect
import operator
import warnings
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import fx
from torch._dynamo.exc import UserError
from torch.export import Dim, ExportedProgram, default_decompositions
from torch.export.graph_signature import InputKind, OutputKind, TensorArgument
from torch.fx.experimental.symbolic_shapes import ConstraintViolationError, GuardOnDataDependentSymNode
from torch.nn import functional

from analytics.nn.attention import attention
from analytics.nn.bags import bags
from analytics.nn.code_constants import CodeConstants
from analytics.nn.findings import Finding
from analytics.nn.hooks import hooks_that_change, without_hooks
from analytics.nn.in_place import without_writes
from analytics.nn.keras_names import with_named_layers
from analytics.nn.masks import places_of_masks
from analytics.nn.modes import has_mode, looked_at
from analytics.nn.packing import Packed
from analytics.nn.places import packs_sequences, place_of_error
from analytics.nn.replaced_functions import ReplacedFunctions, Replacements
from analytics.nn.row_distances import row_distances
from analytics.nn.sources.plain import check_tensor
from analytics.nn.torch_logs import silence
from analytics.nn.torch_ops.layout import FILLED
from analytics.nn.torch_ops.minus_infinity import is_mask, is_triangle
from analytics.nn.unit_rows import unit_rows
from analytics.nn.written_unit_rows import read_unit_rows
from icm_ray.errors import InputError, ShapeError, UnsupportedError
from icm_ray.network.layer import Shape

__all__ = ["Export", "Traced", "trace"]

_MUTATIONS = (OutputKind.BUFFER_MUTATION, OutputKind.PARAMETER_MUTATION)
_STORED = (InputKind.PARAMETER, InputKind.BUFFER)
_PACKED = (
    "how many steps a packed sequence has depends on its numbers, and shapes are public; give the recurrent layer"
    " padded sequences, and take each row's last state with gather, or mean and softmax with a mask"
)
_SIZES = (23, 29)  # numbers of images in a batch that a network is read for: hardly those of any other axis
_FEW = 3  # where torch takes no symbol, one of them is small: networks that depend on it tell few from many
_MANY = 64  # and where its size becomes a plain number, also as many as the engine itself makes a batch of
_DEPTH = 4  # times that what an operation is made of may be taken apart again
_MOST = 1024  # images of an exported batch: what torch would check for larger ones does not concern the engine

aten = torch.ops.aten
_COMPUTED = (torch.Tensor, tuple, list)  # what operations that make tensors return, and sizes are not
_SHAPING = {
    *(aten.view.default, aten._unsafe_view.default, aten.reshape.default, aten.expand.default, aten.sym_size.int),
}
"""Operations that take the size of the batch to keep it in front."""
_REPLACED: Replacements = MappingProxyType(
    {
        functional.multi_head_attention_forward: attention,
        functional.normalize: unit_rows,
        functional.embedding_bag: bags,
        torch.cdist: row_distances,
    }
)

_CHANGING = ("train", "training", "use_input_stats")
"""Arguments with which an operation changes its statistics, whatever its schema says."""


@dataclass(frozen=True, slots=True)
class Traced:
    """torch's graph without in-place operations, for batches of `size` images; `nodes` are the ones that the output
    needs, in order.

    `constants` maps the placeholders of parameters, buffers and literal tensors to (name, tensor); `learned`: those
    of parameters and of buffers of real numbers, masks apart, which are public as those of truth values are.
    """

    nodes: tuple[fx.Node, ...]
    input: fx.Node
    output: fx.Node
    constants: Mapping[fx.Node, tuple[str, torch.Tensor]] = field(repr=False)
    size: int
    learned: frozenset[fx.Node] = frozenset()

    def shape(self, node: fx.Node) -> Shape:
        """The shape of a node's (first) output, the batch in it; () where torch does not know it."""
        value = node.meta.get("val")
        first = next(iter(value), None) if isinstance(value, tuple | list) else value
        if not isinstance(first, torch.Tensor):
            return ()
        sizes = [self._number(size) for size in first.shape]
        return () if None in sizes else tuple(int(size) for size in sizes if size is not None)

    def number(self, node: fx.Node) -> float | None:
        """What is computed of the size of the batch alone; None for anything else."""
        value = node.meta.get("val")
        return self._number(value) if isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool) else None

    def _number(self, value: Any) -> float | None:
        if isinstance(value, int):
            return value
        plain = value.node.expr
        if any(str(symbol).startswith(("u", "zuf")) for symbol in plain.free_symbols):
            return None  # a size that depends on values
        plain = plain.subs(dict.fromkeys(plain.free_symbols, self.size))
        return float(plain) if isinstance(value, torch.SymFloat) else int(plain)


@dataclass(frozen=True, slots=True)
class Export:
    """A network, read for one size of a batch or for two that must agree; `doubt`: what torch said of the batch."""

    views: tuple[Traced, ...]
    doubt: Finding | None = None


def trace(net: torch.nn.Module, example_inputs: tuple[Any, ...], known: Container[Any]) -> Export | tuple[Finding, ...]:
    """Export the network; findings where the network as a whole cannot be taken. The network is not changed.

    known: operations that need no decomposition.

    Raises `UnsupportedError` for a network in training mode, with complex, sparse or quantised parameters or more than
    one input, and `InputError` or `ShapeError` for example inputs that are not one batch.
    """
    _check_net(net.net if isinstance(net, Packed) else net)
    shape, dtype = _check_example(example_inputs)
    dtype = _taken(net, dtype)
    with with_named_layers(net):
        return _trace(net, shape, dtype, known)


def _trace(
    net: torch.nn.Module, shape: Shape, dtype: torch.dtype, known: Container[Any]
) -> Export | tuple[Finding, ...]:
    try:
        changing = hooks_that_change(net, torch.rand(2, *shape).to(dtype))
    except Exception as error:  # noqa: BLE001 - the network's own code runs here and may raise anything
        return (_failed(error, net, shape),)
    if changing:
        return changing
    try:
        example = torch.zeros(_SIZES[0], *shape, dtype=dtype)
        made = _collect(_exported(net, example, Dim("batch", min=2, max=_MOST), known))
    except GuardOnDataDependentSymNode as error:
        return (_failed(error, net, shape),)
    except Exception as error:  # noqa: BLE001 - torch's own limits with symbols are of many kinds
        if _makes_a_number(error):
            return _of_sizes((*_SIZES[:1], _FEW, _MANY), net, shape, dtype, known, None)
        doubt = _failed(error, net, shape) if _of_the_batch(error) else None
        return _of_sizes((*_SIZES[:1], _FEW), net, shape, dtype, known, doubt)
    if not isinstance(made, Traced):
        return made
    return Export((made, replace(made, size=_SIZES[1])) if _computes_with_the_size(made) else (made,))


def _of_sizes(
    sizes: tuple[int, ...],
    net: torch.nn.Module,
    shape: Shape,
    dtype: torch.dtype,
    known: Container[Any],
    doubt: Finding | None,
) -> Export | tuple[Finding, ...]:
    views = []
    for size in sizes:
        try:
            made = _collect(_exported(net, torch.zeros(size, *shape, dtype=dtype), None, known))
        except Exception as error:  # noqa: BLE001 - the network's own code runs here and may raise anything
            return (_failed(error, net, shape),)
        if not isinstance(made, Traced):
            return made
        views.append(replace(made, size=size))
    return Export(tuple(views), doubt)


def _exported(net: torch.nn.Module, example: torch.Tensor, batch: Any, known: Container[Any]) -> ExportedProgram:
    dynamic: Any = None if batch is None else ({0: batch},)
    if dynamic and _takes_any_number(net):
        dynamic = (dynamic,)
    constants = CodeConstants()
    with (
        ReplacedFunctions({**_REPLACED, **places_of_masks(net, constants)}, constants.seen),
        torch.no_grad(),
        warnings.catch_warnings(),
        silence(),
        without_hooks(net),
    ):  # no_grad: forward()'s changes nothing
        warnings.simplefilter("ignore")  # torch's own notices about its exporter, which the user cannot act on
        exported = torch.export.export(net, (example,), dynamic_shapes=dynamic)
        without_writes(exported.graph, known)
        read_unit_rows(exported)
        if not all(_functional(node, known) for node in exported.graph.nodes):  # else it takes time for nothing
            # An empty table decomposes next to nothing, but makes every in-place operation functional.
            exported = exported.run_decompositions({})
        return _of_known(exported, known)


def _takes_any_number(net: torch.nn.Module) -> bool:
    """Whether its first argument is `*x`: torch counts the tensors of that as one argument."""
    first = next(iter(inspect.signature(net.forward).parameters.values()), None)
    return first is not None and first.kind is inspect.Parameter.VAR_POSITIONAL


def _of_known(exported: ExportedProgram, known: Container[Any]) -> ExportedProgram:
    """With operations that are not known replaced by what torch says they are made of, where that leaves none of them.

    Else as it is: what is refused is named as the network's code has it.
    """
    made, unknown = exported, _unknown(exported, known)
    for _ in range(_DEPTH):
        torchs: Any = default_decompositions() if unknown else {}
        table = {op: torchs[op] for op in unknown if op in torchs}
        if not table:
            break
        made = made.run_decompositions(table)
        unknown = _unknown(made, known)
    return exported if unknown else made


def _unknown(exported: ExportedProgram, known: Container[Any]) -> set[Any]:
    """The operations of a graph that are none of the known ones, of those that compute with images."""
    private, found = set(), set()
    for node in exported.graph.nodes:
        if node.op == "placeholder" and node.name in exported.graph_signature.user_inputs:
            private.add(node)
        elif private.intersection(node.all_input_nodes) and isinstance(node.meta.get("val"), _COMPUTED):
            private.add(node)
            if isinstance(node.target, torch._ops.OpOverload) and node.target not in known:
                found.add(node.target)
    return found


def _functional(node: fx.Node, known: Container[Any]) -> bool:
    """Whether a node's operation changes no tensor, and is read as it is."""
    op = node.target
    if node.op != "call_function" or op is operator.getitem or isinstance(node.meta.get("val"), torch.SymInt):
        return node.op != "get_attr"  # a submodule, of torch.cond
    if not isinstance(op, torch._ops.OpOverload) or op._schema.is_mutable:
        return False
    given = dict(zip((item.name for item in op._schema.arguments), node.args, strict=False)) | node.kwargs
    if any(given.get(name) for name in _CHANGING):
        return False
    return op in known or not op.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd)


def _computes_with_the_size(traced: Traced) -> bool:
    return any(
        node.target in FILLED or any(traced.number(source) is not None for source in node.all_input_nodes)
        for node in traced.nodes
        if traced.number(node) is None and node.target not in _SHAPING
    )


def _of_the_batch(error: Exception) -> bool:
    return isinstance(error, ConstraintViolationError) or (isinstance(error, UserError) and "onstraint" in str(error))


def _makes_a_number(error: Exception) -> bool:
    """Whether code asks for the size as a plain number, to loop over the batch, say, and nothing else is in doubt."""
    said = [line for line in str(error).splitlines() if line.strip().startswith("-")]
    return _of_the_batch(error) and bool(said) and all("specialized it to be a constant" in line for line in said)


def _failed(error: Exception, net: torch.nn.Module, shape: Shape) -> Finding:
    module, source = place_of_error(error, net)
    if packs_sequences(error):
        return Finding(module, "pack_padded_sequence", _PACKED, source)
    if isinstance(error, GuardOnDataDependentSymNode):
        why = "its control flow or shapes depend on the values of its input, which stay private"
    elif _of_the_batch(error):
        guard = next((line.strip(" -") for line in str(error).splitlines() if line.strip().startswith("-")), "")
        why = f"what it computes depends on the number of images in a batch: {_sentence(guard)}"
    else:
        sizes = ", ".join(map(str, shape))
        why = f"torch cannot export it for batches (n, {sizes}): {type(error).__name__}: {_sentence(str(error))}"
    return Finding(module, "torch.export", why, source)


def _check_net(net: torch.nn.Module) -> None:
    if not isinstance(net, torch.nn.Module):
        raise InputError(f"a torch.nn.Module is needed, not {type(net).__name__}")
    for path, module in net.named_modules():
        if module.training and (has_mode(module) or looked_at(net, path)):
            where = f" (its module {path!r} is)" if path else ""
            raise UnsupportedError(f"the network is in training mode{where}; call net.eval() first")
    for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
        if torch.nn.parameter.is_lazy(tensor):
            raise InputError(f"parameter {name!r} has no values yet; let the network compute one batch first")
        if tensor.is_complex():
            raise UnsupportedError(f"parameter {name!r} is complex ({tensor.dtype}); only real numbers are supported")
        check_tensor(tensor, f"parameter {name!r}")


def _check_example(example_inputs: tuple[Any, ...]) -> tuple[Shape, torch.dtype]:
    """The shape of one image, and its dtype: nothing else of an example is used."""
    if not isinstance(example_inputs, tuple):
        kind = type(example_inputs).__name__
        raise InputError(f"example_inputs is a tuple such as (x,), as torch.export takes it; this is a {kind}")
    if len(example_inputs) != 1:
        raise UnsupportedError(f"a network with exactly one input is supported; this one has {len(example_inputs)}")
    (example,) = example_inputs
    if isinstance(example, np.ndarray):
        if example.dtype.kind not in "biuf":
            raise ShapeError(f"the example input is of a floating-point dtype, not {example.dtype}")
        example = torch.empty(example.shape, dtype=torch.from_numpy(np.empty(0, example.dtype)).dtype, device="meta")
    if not isinstance(example, torch.Tensor):
        raise InputError(f"the example input is a torch.Tensor or numpy array, not {type(example).__name__}")
    if example.ndim < 2 or 0 in example.shape:
        raise ShapeError(f"the example input is a batch, at least (1, features); its shape is {tuple(example.shape)}")
    if example.dtype == torch.bool or example.is_complex():
        raise ShapeError(f"the example input is of a floating-point dtype, or of whole numbers, not {example.dtype}")
    return tuple(example.shape[1:]), example.dtype


def _taken(net: torch.nn.Module, dtype: torch.dtype) -> torch.dtype:
    """The dtype of the batch that is exported: where all parameters are of another floating one, that of these."""
    found = {tensor.dtype for tensor in net.parameters() if tensor.is_floating_point()}
    return found.pop() if dtype.is_floating_point and len(found) == 1 else dtype


def _collect(exported: ExportedProgram) -> Traced | tuple[Finding, ...]:
    signature = exported.graph_signature
    findings = [
        Finding(str(spec.target).rpartition(".")[0], "mutation", f"forward() changes {spec.target!r}; keep no state")
        for spec in signature.output_specs
        if spec.kind in _MUTATIONS
    ]
    outputs = [spec.arg for spec in signature.output_specs if spec.kind is OutputKind.USER_OUTPUT]
    if len(outputs) != 1 or not isinstance(outputs[0], TensorArgument):
        hint = f"a network with exactly one tensor as output is supported; this one returns {len(outputs)} values"
        return (*findings, Finding("", "output", hint))
    if findings:
        return tuple(findings)
    by_name = {node.name: node for node in exported.graph.nodes}
    output = by_name[outputs[0].name]
    needed, pending = {output}, [output]
    while pending:
        fresh = [node for node in pending.pop().all_input_nodes if node not in needed]
        needed.update(fresh)
        pending.extend(fresh)
    constants: dict[fx.Node, tuple[str, torch.Tensor]] = {}
    inputs: list[fx.Node] = []
    learned: set[fx.Node] = set()
    for spec in signature.input_specs:
        node = by_name.get(getattr(spec.arg, "name", ""))
        if node is None:
            continue
        if spec.kind is InputKind.USER_INPUT:
            inputs.append(node)
        elif node in needed and spec.target is not None:
            stored = exported.state_dict.get(spec.target, exported.constants.get(spec.target))
            if isinstance(stored, torch.Tensor):
                constants[node] = (spec.target, _wide(stored))
                masks = spec.kind is InputKind.BUFFER and (is_mask(stored) or is_triangle(stored))
                if spec.kind in _STORED and stored.is_floating_point() and not masks:
                    learned.add(node)
    nodes = tuple(node for node in exported.graph.nodes if node in needed)
    return Traced(nodes, inputs[0], output, constants, _SIZES[0], frozenset(learned))


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    plain = tensor.detach().to("cpu")
    return plain.to(torch.float64) if plain.is_floating_point() else plain


def _sentence(text: str) -> str:
    first = next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
    return first if len(first) <= 200 else first[:197] + "..."
