"""What users hand over as a network, and how its graph is read: modules, exported programs, files, estimators."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.export import ExportedProgram
from torch.export._unlift import _StatefulGraphModule

from analytics.nn import importer
from analytics.nn.dequantised import dequantised
from analytics.nn.estimators.estimator import Read, graph_of, is_estimator
from analytics.nn.exported import load_exported, unexported
from analytics.nn.findings import Finding, unsupported
from analytics.nn.intake import takes_whole
from analytics.nn.packing import Packed, Packing, packed_of, with_results
from analytics.nn.weighted import WeightedGraph
from icm_ray.errors import InputError, UnsupportedError
from icm_ray.network.graph import Graph
from icm_ray.network.layers.smooth import Smooth
from icm_ray.network.layers.softmax import Softmax

__all__ = ["Subject", "subject_of"]


class Subject(Protocol):
    """What a model is made of. notes: sentences for its owner. likely: whether its results are probabilities. asks:
    whether inputs are compared with thresholds, so that each of their digits counts. whole: whether these are whole
    numbers. packing: of several inputs or results; that and `likely` are known once it is imported.
    """

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def likely(self) -> bool: ...

    @property
    def asks(self) -> bool: ...

    @property
    def whole(self) -> bool: ...

    @property
    def packing(self) -> Packing | None: ...

    def findings(self) -> tuple[Finding, ...]:
        """What is in the way, as it is now."""

    def imported(self) -> WeightedGraph:
        """Its graph and weights; raises `UnsupportedError` with the findings where there are some."""


@dataclass(slots=True)
class _Module:
    """fixed: of an exported program, why it takes no other number of images than it was exported with."""

    net: torch.nn.Module = field(repr=False)
    example: tuple[Any, ...] = field(repr=False)
    notes: tuple[str, ...] = ()
    fixed: Finding | None = None
    likely: bool = False
    asks: bool = False

    @property
    def whole(self) -> bool:
        return takes_whole(self.example)

    @property
    def packing(self) -> Packing | None:
        return self.net.packing if isinstance(self.net, Packed) else None

    def findings(self) -> tuple[Finding, ...]:
        found = importer.preflight(self.net, self.example)
        if self.fixed is None or (found and all(finding.op != "torch.export" for finding in found)):
            return found
        return (self.fixed,)

    def imported(self) -> WeightedGraph:
        if self.fixed is not None:
            raise unsupported(self.findings())
        network = self._imported()
        self.likely = _likely(network.graph)
        return network

    def _imported(self) -> WeightedGraph:
        try:
            return importer.import_model(self.net, self.example)
        except UnsupportedError as error:
            several = [op for _, op, _ in error.where.get("findings", ())] == ["output"]
            if isinstance(self.net, Packed) or not several:
                raise
        self.net = with_results(self.net, self.example)
        return importer.import_model(self.net, self.example)


def _likely(graph: Graph) -> bool:
    """Whether the last layer makes probabilities, of one axis of classes."""
    last = graph.by_name.get(graph.output)
    if len(graph.output_shape) != 1:
        return False
    return (isinstance(last, Softmax) and not last.log) or (isinstance(last, Smooth) and last.function == "sigmoid")


@dataclass(frozen=True)
class _Estimator:
    estimator: Any = field(repr=False)
    notes: tuple[str, ...] = ()
    whole: bool = False
    packing: Packing | None = None

    @cached_property
    def _read(self) -> Read | Finding:
        return graph_of(self.estimator)

    @property
    def likely(self) -> bool:
        return isinstance(self._read, Read) and self._read.likely

    @property
    def asks(self) -> bool:
        return isinstance(self._read, Read) and self._read.asks

    def findings(self) -> tuple[Finding, ...]:
        return (self._read,) if isinstance(self._read, Finding) else ()

    def imported(self) -> WeightedGraph:
        if isinstance(self._read, Finding):
            raise unsupported((self._read,))
        return self._read.network


def subject_of(net: Any, example: tuple[Any, ...] | None) -> Subject:
    """Of a torch module, an exported program, the path of a saved one, or one of scikit-learn's estimators.

    Raises `InputError` for what is none of these, `SourceError` for a file that is none, `UnsupportedError` for a
    program in TorchScript, or quantised in a way that is not read.
    """
    if isinstance(net, str | os.PathLike):
        net = load_exported(Path(net))
    if isinstance(net, ExportedProgram):
        module, batch, finding = unexported(net, example)
        return _Module(module, batch, fixed=finding)
    if is_estimator(net):
        return _Estimator(net)
    if isinstance(net, Mapping):
        raise InputError("a dict of weights says not what is computed with them: load it into its torch.nn.Module")
    if not isinstance(net, torch.nn.Module):
        raise InputError(
            f"a network is a torch.nn.Module, an ExportedProgram, the path of a saved one, or an estimator of"
            f" scikit-learn's, not {type(net).__name__}"
        )
    if isinstance(net, _StatefulGraphModule):
        raise UnsupportedError("this module is part of an ExportedProgram: give the ExportedProgram itself")
    if example is None:
        raise InputError("example_inputs is needed for a torch.nn.Module: a tuple such as (x,), of one batch")
    plain, notes = dequantised(_scripted(net))
    packed = packed_of(plain, example)
    return _Module(plain, example, notes) if packed is None else _Module(packed, packed.example, notes)


def _scripted(net: torch.nn.Module) -> torch.nn.Module:
    for path, module in net.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            what = f"module {path!r}" if path else "the network"
            raise UnsupportedError(
                f"{what} is TorchScript, which torch.export does not read; give what it was made from"
            )
    return net
