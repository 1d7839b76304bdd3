"""What a translation of one torch operation works with: values, the call, and the graph under construction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from icm_ray.network.layer import Shape
from icm_ray.network.layers import AnyLayer, Expand, Flatten, Permute, Reshape, Slice, kind_of

__all__ = ["Call", "GraphBuilder", "Refused", "Translation", "Wire"]


class Refused(Exception):
    """A translation does not take this use of its operation; the message is the hint of the finding."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A value that depends on the input: the node that makes it and its per-sample shape.

    A wire is `broken` when it comes out of an operation that was found unsupported. at: which dimension of torch's
    tensor is the batch. whole: it holds whole numbers; tokens: those of the input, which can be looked up, compared, or
    made floats, and nothing else. merged: how many places of that dimension are before and behind an image, where the
    batch is merged with others. truth: torch has it as truth values; bit: it holds zeros and ones. closed: places of
    its last two axes that stand for minus infinity, of which a softmax alone can make something; shut: a wire that is 1
    in such places. frame: (before, after) places along each axis that stand for minus infinity around it, of which a
    max pool alone can make something.
    """

    name: str
    shape: Shape
    broken: bool = False
    at: int = 0
    merged: tuple[int, int] | None = None
    whole: bool = False
    tokens: bool = False
    closed: tuple[int, ...] = ()
    truth: bool = False
    bit: bool = False
    shut: Wire | None = None
    frame: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class GraphBuilder:
    """The graph so far. unpacks: whether the operation takes an input out of the packed one. `module` and `source` are
    the path and the line of the operation that is being translated; `sources`: the lines by node.
    """

    batch: int
    unpacks: bool = False
    module: str = ""
    source: str = ""
    nodes: list[AnyLayer] = field(default_factory=list)
    weights: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False)
    sources: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _arrays: dict[Any, tuple[torch.Tensor, npt.NDArray[np.float64]]] = field(default_factory=dict, repr=False)

    def emit(self, kind: type[AnyLayer], *inputs: Wire, shape: Shape, **facts: Any) -> Wire:
        """Append a node. A fact that is a tensor becomes a weight, and the node gets its key."""
        word = kind_of(kind)
        self._counts[word] = self._counts.get(word, 0) + 1
        name = f"{word}_{self._counts[word]}"
        for fact, value in facts.items():
            if isinstance(value, torch.Tensor):
                facts[fact] = f"{name}.{fact}"
                self.weights[facts[fact]] = self._array(value)
        self.sources[name] = self.source
        sources = tuple(wire.name for wire in inputs)
        self.nodes.append(kind(name=name, module=self.module, inputs=sources, shape=shape, **facts))
        return Wire(name, shape)

    def _array(self, tensor: torch.Tensor) -> npt.NDArray[np.float64]:
        """Its numbers: one array for one tensor, however many layers have it."""
        one = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if one not in self._arrays:  # which keeps the tensor, so that no other has its place in memory
            self._arrays[one] = tensor, tensor.to(torch.float64).numpy().copy()
        return self._arrays[one][1]

    def reshape(self, wire: Wire, shape: Shape) -> Wire:
        """The wire in another shape; nothing is emitted when it has that shape already."""
        if wire.shape == shape:
            return wire
        return self.emit(Flatten if len(shape) == 1 else Reshape, wire, shape=shape)

    def permute(self, wire: Wire, axes: tuple[int, ...]) -> Wire:
        """The wire's axes in another order: axis i is its axis axes[i]."""
        if axes == tuple(range(len(axes))):
            return wire
        return self.emit(Permute, wire, shape=tuple(wire.shape[axis] for axis in axes), axes=axes)

    def expand(self, wire: Wire, shape: Shape) -> Wire:
        """The wire's axes of size 1 repeated up to a shape of as many axes."""
        return wire if wire.shape == shape else self.emit(Expand, wire, shape=shape)

    def cut(self, wire: Wire, axis: int, start: int, stop: int, step: int = 1) -> Wire:
        """The places from start to stop along an axis, as a slice counts them."""
        size = wire.shape[axis]
        start, stop, _ = slice(start, stop).indices(size)
        if (start, stop, step) == (0, size, 1):
            return wire
        if start >= stop:
            raise Refused("it makes an empty tensor")
        shape = (*wire.shape[:axis], len(range(start, stop, step)), *wire.shape[axis + 1 :])
        return self.emit(Slice, wire, shape=shape, axis=axis, start=start, stop=stop, step=step)


@dataclass(frozen=True, slots=True)
class Call:
    """One torch operation with its arguments by the schema's names, defaults filled in.

    `full_shape` is the shape of its (first) output with the batch dimension.
    """

    arguments: Mapping[str, Any] = field(repr=False)
    full_shape: Shape

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The argument, or `default` where the operation's schema has none of that name."""
        return self.arguments.get(name, default)

    def wire(self, name: str) -> Wire:
        """An argument that depends on the input."""
        value = self.arguments[name]
        if not isinstance(value, Wire):
            raise Refused(f"its argument {name!r} must depend on the input; here it is a constant")
        return value

    def constant(self, name: str) -> torch.Tensor:
        """An argument that is a parameter, a buffer or computed from them."""
        value = self.arguments[name]
        if not isinstance(value, torch.Tensor):
            raise Refused(f"its argument {name!r} must be a constant; here it depends on the private input")
        return value

    def optional(self, name: str) -> torch.Tensor | None:
        """A constant, or None."""
        return None if self.arguments[name] is None else self.constant(name)

    def wires(self) -> Iterator[Wire]:
        """Every argument that depends on the input, those within lists too."""
        for value in self.arguments.values():
            yield from (item for item in (value if isinstance(value, list | tuple) else [value]) if _is_wire(item))

    def axis(self, dim: int, rank: int) -> int:
        """The per-sample axis of torch's `dim` in a tensor of `rank` axes (with the batch); the batch is refused."""
        axis = dim % rank
        if axis == 0:
            raise Refused("it works along the batch dimension; rows of a batch may not be mixed")
        return axis - 1

    @property
    def shape(self) -> Shape:
        """The per-sample shape of the output."""
        return self.full_shape[1:]


def _is_wire(value: Any) -> bool:
    return isinstance(value, Wire)


Translation: TypeAlias = Callable[[GraphBuilder, Call], Any]
