"""Several inputs, or several results, of a network as one row of numbers each: what the engine computes with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils import _pytree as pytree

from analytics.nn.sources.packed import Input, Kind, PackedImages
from analytics.nn.sources.plain import check_tensor
from analytics.nn.sources.several import packed_images
from icm_ray.errors import InputError, ShapeError
from icm_ray.network.layer import Shape

__all__ = ["Packed", "Packing", "Part", "own_path", "packed_of", "with_results"]


_INSIDE: Final = "net"


def own_path(path: str) -> str:
    """The path of a module, or a parameter, in the network that is packed."""
    return path.removeprefix(_INSIDE).removeprefix(".")


@dataclass(frozen=True, slots=True)
class Part:
    """An input: its name, or its place, the shape of one sample and torch's kind of numbers."""

    name: str
    shape: Shape
    dtype: torch.dtype

    @property
    def size(self) -> int:
        """Numbers of one sample."""
        return math.prod(self.shape)

    @property
    def kind(self) -> Kind:
        """Of its numbers."""
        return "truth" if self.dtype == torch.bool else "real" if self.dtype.is_floating_point else "whole"


@dataclass(slots=True)
class Results:
    """What a network returns: the tensors' shapes, of one sample, and how they hang together."""

    shapes: tuple[Shape, ...] = ()
    spec: Any = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Packing:
    """How users give several inputs, and are given several results.

    inputs: one or more; named: whether forward() takes them by name.
    """

    inputs: tuple[Part, ...]
    named: bool
    results: Results

    @property
    def of_inputs(self) -> bool:
        """Whether there are several, or they have names."""
        return self.named or len(self.inputs) > 1

    def shapes(self) -> Any:
        """Of the inputs, as they are given."""
        return self.as_given([part.shape for part in self.inputs])

    def as_given(self, items: Sequence[Any]) -> Any:
        """One item for each input, as users have them."""
        names = [part.name for part in self.inputs]
        return dict(zip(names, items, strict=True)) if self.named else tuple(items)

    def given(self) -> list[Input]:
        """The inputs, as sources know them."""
        return [Input(part.name, part.shape, part.kind) for part in self.inputs]

    def source(self, images: Any, column: str | None = None, ids: str | None = None) -> PackedImages:
        """The source of all inputs together; raises what `packed_images` raises where they are not these."""
        return packed_images(images, self.given(), named=self.named, column=column, ids=ids)

    @property
    def scores(self) -> bool:
        """Whether the one result has one axis, of which labels can be made."""
        return len(self.results.shapes) == 1 and len(self.results.shapes[0]) == 1

    def unpacked(self, rows: NDArray[Any]) -> Any:
        """Results (n, ...) as the network returns them, of rows (n, numbers)."""
        return pytree.tree_unflatten(self._split(rows), self.results.spec)

    def columns(self, rows: NDArray[Any], name: str) -> dict[str, NDArray[Any]]:
        """The same by name: their own in a dict, else `name` and a place."""
        return dict(zip(self._names(name), self._split(rows), strict=True))

    def kinds(self, name: str, dtype: str, _: Shape) -> tuple[tuple[str, str, Shape], ...]:
        """Those columns' names, with a dtype and the shapes of their cells."""
        return tuple((own, dtype, shape) for own, shape in zip(self._names(name), self.results.shapes, strict=True))

    def _names(self, name: str) -> list[str]:
        if len(self.results.names) == 1:
            return [self.results.names[0] or name]
        return [own or f"{name}_{place}" for place, own in enumerate(self.results.names)]

    def _split(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        stops = np.cumsum([math.prod(shape) for shape in self.results.shapes])[:-1]
        parts = np.split(rows, stops, axis=1)
        return [part.reshape(len(rows), *shape) for part, shape in zip(parts, self.results.shapes, strict=True)]


class Packed(torch.nn.Module):
    """`net` as a network of one input and one result. A single input is taken as it is."""

    def __init__(self, net: torch.nn.Module, inputs: tuple[Part, ...], named: bool) -> None:
        super().__init__()
        self.net, self.inputs, self.named, self.results = net, inputs, named, Results()
        self.training = net.training  # without telling the network

    @property
    def packing(self) -> Packing:
        """Known once the network was exported."""
        return Packing(self.inputs, self.named, self.results)

    @property
    def example(self) -> tuple[torch.Tensor]:
        """One batch, of no values."""
        if not self.packing.of_inputs:
            (only,) = self.inputs
            return (torch.empty(1, *only.shape, dtype=only.dtype, device="meta"),)
        return (torch.empty(1, sum(part.size for part in self.inputs), device="meta"),)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Results side by side."""
        given = self._given(rows)
        names = [part.name for part in self.inputs]
        made = self.net(**dict(zip(names, given, strict=True))) if self.named else self.net(*given)
        leaves, spec = pytree.tree_flatten_with_path(made)
        tensors = [leaf for _, leaf in leaves]
        for leaf in tensors:
            if not isinstance(leaf, torch.Tensor):
                raise TypeError(f"its results are tensors in tuples, lists and dicts, not {type(leaf).__name__}")
        self.results.shapes = tuple(tuple(int(size) for size in leaf.shape[1:]) for leaf in tensors)
        self.results.spec, self.results.names = spec, tuple(_name(path) for path, _ in leaves)
        return torch.cat([leaf.reshape(rows.shape[0], -1).to(torch.float32) for leaf in tensors], 1)

    def _given(self, rows: torch.Tensor) -> list[torch.Tensor]:
        if not self.packing.of_inputs:
            return [rows]
        given, start = [], 0
        for part in self.inputs:
            piece = rows[:, start : start + part.size].reshape(rows.shape[0], *part.shape)
            given.append(piece if part.dtype.is_floating_point else piece.to(part.dtype))
            start += part.size
        return given


def _name(path: Sequence[Any]) -> str:
    """Keys of dicts and places in tuples on the way; '' where the first is no key."""
    if not path or not isinstance(path[0], pytree.MappingKey):
        return ""
    return "_".join(str(step.key) if isinstance(step, pytree.MappingKey) else str(step.idx) for step in path)


def packed_of(net: Any, example_inputs: Any) -> Packed | None:
    """The network packed where it takes several inputs, or named ones; None for one input.

    Raises `InputError` and `ShapeError` for examples that are no batches of one size.
    """
    if isinstance(example_inputs, Mapping):
        items, named = {str(name): value for name, value in example_inputs.items()}, True
    elif isinstance(example_inputs, tuple) and len(example_inputs) > 1:
        items, named = {f"input {place}": value for place, value in enumerate(example_inputs)}, False
    else:
        return None
    if not items or not isinstance(net, torch.nn.Module):
        return None
    parts = tuple(_part(name, value) for name, value in items.items())
    counts = {len(value) for value in items.values()}
    if len(counts) > 1:
        sizes = " and ".join(map(str, sorted(counts)))
        raise ShapeError(f"the example inputs are batches of {sizes} samples; all are of one size")
    return Packed(net, parts, named)


def with_results(net: torch.nn.Module, example: tuple[Any, ...]) -> Packed:
    """A network of one input packed for its results' sake."""
    (only,) = example
    return Packed(net, (_part("input", only),), named=False)


def _part(name: str, example: Any) -> Part:
    if isinstance(example, np.ndarray):
        example = torch.from_numpy(np.ascontiguousarray(example)) if example.dtype.kind in "biuf" else None
    if not isinstance(example, torch.Tensor):
        raise InputError(f"example inputs are torch tensors or numpy arrays; {name} is none")
    check_tensor(example, f"example {name}")
    if example.ndim < 1 or 0 in example.shape or example.is_complex():
        raise ShapeError(f"example inputs are batches of real numbers; {name} is {example.dtype}{tuple(example.shape)}")
    return Part(name, tuple(example.shape[1:]), example.dtype)
