"""From a torch module to torch's own graph of functional operations, and the constants in it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind, TensorArgument
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from analytics.nn.findings import Finding
from icm_ray.errors import InputError, ShapeError, UnsupportedError

__all__ = ["Traced", "module_path", "trace"]

_MUTATIONS = (OutputKind.BUFFER_MUTATION, OutputKind.PARAMETER_MUTATION)


@dataclass(frozen=True, slots=True)
class Traced:
    """torch's graph without in-place operations; `nodes` are the ones that the output needs, in order.

    `constants` maps the placeholders of parameters, buffers and literal tensors to (name, tensor).
    """

    nodes: tuple[fx.Node, ...]
    input: fx.Node
    output: fx.Node
    constants: Mapping[fx.Node, tuple[str, torch.Tensor]] = field(repr=False)


def trace(net: torch.nn.Module, example_inputs: tuple[Any, ...]) -> Traced | tuple[Finding, ...]:
    """Export the network; findings where the network as a whole cannot be taken. The network is not changed.

    Raises `UnsupportedError` for a network in training mode, with complex parameters or more than one input, and
    `InputError` or `ShapeError` for example inputs that are not one batch.
    """
    _check_net(net)
    if isinstance(example_inputs, tuple | list):
        example_inputs = tuple(torch.from_numpy(x) if isinstance(x, np.ndarray) else x for x in example_inputs)
    _check_example(example_inputs)
    try:
        with torch.no_grad(), warnings.catch_warnings():  # so that a no_grad() in forward() changes nothing
            warnings.simplefilter("ignore")  # torch's own notices about its exporter, which the user cannot act on
            exported = torch.export.export(net, example_inputs)
            # An empty table decomposes next to nothing, but makes every in-place operation functional.
            exported = exported.run_decompositions({})
    except GuardOnDataDependentSymNode:
        why = "its control flow or shapes depend on the values of its input, which stay private"
        return (Finding("", "torch.export", why),)
    except Exception as error:  # noqa: BLE001 - the network's own code runs here and may raise anything
        why = f"torch cannot export the network: {type(error).__name__}: {_sentence(error)}"
        return (Finding("", "torch.export", why),)
    return _collect(exported)


def module_path(node: fx.Node) -> str:
    """The path of the innermost module that an operation came from, such as 'layer1.0.conv1'; '' for the root."""
    stack = node.meta.get("nn_module_stack")
    if not stack:
        return ""
    path: str = list(stack.values())[-1][0]
    return re.sub(r"@\d+", "", path).removeprefix("L['self']").removeprefix(".")  # torch marks a second call with @1


def _check_net(net: torch.nn.Module) -> None:
    if not isinstance(net, torch.nn.Module):
        raise InputError(f"a torch.nn.Module is needed, not {type(net).__name__}")
    for path, module in net.named_modules():
        if module.training:
            where = f" (its module {path!r} is)" if path else ""
            raise UnsupportedError(f"the network is in training mode{where}; call net.eval() first")
    for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
        if tensor.is_complex():
            raise UnsupportedError(f"parameter {name!r} is complex ({tensor.dtype}); only real numbers are supported")


def _check_example(example_inputs: tuple[Any, ...]) -> None:
    if not isinstance(example_inputs, tuple):
        kind = type(example_inputs).__name__
        raise InputError(f"example_inputs is a tuple such as (x,), as torch.export takes it; this is a {kind}")
    if len(example_inputs) != 1:
        raise UnsupportedError(f"a network with exactly one input is supported; this one has {len(example_inputs)}")
    (example,) = example_inputs
    if not isinstance(example, torch.Tensor):
        raise InputError(f"the example input is a torch.Tensor or numpy array, not {type(example).__name__}")
    if example.ndim < 2 or 0 in example.shape:
        raise ShapeError(f"the example input is a batch, at least (1, features); its shape is {tuple(example.shape)}")
    if not example.is_floating_point():
        raise ShapeError(f"the example input is of a floating-point dtype, not {example.dtype}")


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
    return Traced(tuple(node for node in exported.graph.nodes if node in needed), inputs[0], output, constants)


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    plain = tensor.detach().to("cpu")
    return plain.to(torch.float64) if plain.is_floating_point() else plain


def _sentence(error: Exception) -> str:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
    return first if len(first) <= 200 else first[:197] + "..."
