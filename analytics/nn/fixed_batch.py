"""An exported program of a fixed number of images, as one that takes any number.

torch writes that number into the operations of a graph. Here the graph is run for another one, operation by operation:
where a result has another size than was exported, there is the batch, and sizes that name it give way. What comes out
is held to the program, which is run on the same images among others. That no image meets another in it, whatever their
values, is found out when it is imported, as of every network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import torch
from torch import fx
from torch.utils import _pytree as pytree

from analytics.nn.batch_sizes import alike, random_images
from analytics.nn.findings import Finding
from analytics.nn.places import module_path, source_of
from analytics.nn.torch_ops.moved import RESHAPES, around
from analytics.nn.torch_ops.recurrent import RECURRENT
from analytics.nn.torch_ops.scattered import ADDED, SCATTERED
from analytics.nn.torch_ops.warps import WARPS

__all__ = ["freed"]

aten = torch.ops.aten
_SIZED: Final = {aten.view.default, aten._unsafe_view.default, aten.reshape.default}
_CREATING: Final = {aten.new_zeros.default, aten.new_ones.default, aten.new_full.default}
"""Which take a tensor for its kind of numbers alone."""
_UNCHECKED: Final = {*RECURRENT, *SCATTERED, *ADDED, aten.gather.default}
"""Which torch computes, or reads beyond their ends, where states or places are of another number of images."""
_WHOLE: Final = {*_UNCHECKED, *WARPS, aten.cat.default}
"""Which take something for each image, where others repeat what there is once."""
_IMAGES: Final = 3


def freed(net: fx.GraphModule) -> Finding | None:
    """Let a graph of one input take any number of images, where it was exported for one; what is in the way, or None.

    Graphs that take any number already, and those that are refused for their inputs, stay as they are.
    """
    inputs = [node for node in net.graph.nodes if node.op == "placeholder"]
    example = inputs[0].meta.get("val") if len(inputs) == 1 else None
    shape = tuple(example.shape) if isinstance(example, torch.Tensor) else ()
    plain = all(type(size) is int and size > 0 for size in shape or (0,))
    if not isinstance(example, torch.Tensor) or not plain:
        return None
    size, numbers = shape[0], torch.Generator().manual_seed(1)
    images = random_images(_IMAGES + (size == _IMAGES), shape[1:], example.dtype, numbers)
    advice = f"export it with dynamic_shapes={{{inputs[0].name!r}: {{0: torch.export.Dim('batch')}}}}"
    said = f"the program was exported for batches of {size}, and"
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            expected = _among_others(net, images, size, numbers)
            again = _among_others(net, images.roll(1, 0), size, numbers)
        except Exception:  # noqa: BLE001 - torch raises whatever it does; what is read of it as it is will be refused
            return None
        mixed = not _agree(expected, [rows.roll(-1, 0) for rows in again])
        stuck, found = _freed(net, size, images)
    if mixed:
        hint = f"{said} what it computes of an image depends on the others, or on its place among them"
        return Finding("", "torch.export", hint)
    if stuck is not None:
        hint = f"{said} this operation takes no other number of images; {advice}"
        return Finding(module_path(stuck), str(stuck.target), hint, source_of(stuck))
    if _agree(expected, found):
        return None
    return Finding("", "torch.export", f"{said} does not say what it computes of another number of images; {advice}")


def _freed(net: fx.GraphModule, size: int, images: torch.Tensor) -> tuple[fx.Node | None, list[torch.Tensor]]:
    """The operation that takes no other number of images, or None; what is computed of these."""
    try:
        return None, _Freeing(net, size, len(images)).rows(images)
    except _Stuck as stuck:
        return stuck.node, []
    finally:
        net.recompile()


def _among_others(net: fx.GraphModule, images: torch.Tensor, size: int, numbers: torch.Generator) -> list[torch.Tensor]:
    """The program's results for these images, in batches of its size, which random ones fill up."""
    more = random_images(-len(images) % size, tuple(images.shape[1:]), images.dtype, numbers)
    batches = [_Run(net).rows(batch) for batch in torch.split(torch.cat([images, more]), size)]
    return [torch.cat(rows)[: len(images)] for rows in zip(*batches, strict=True)]


def _agree(expected: Sequence[torch.Tensor], found: Sequence[torch.Tensor]) -> bool:
    return len(expected) == len(found) and all(map(alike, found, expected))


class _Run(fx.Interpreter):
    """A graph that is run without its module's hooks, and changes no buffer."""

    def __init__(self, net: fx.GraphModule) -> None:
        super().__init__(net)
        self.extra_traceback = False

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        value = super().get_attr(target, args, kwargs)
        plain = isinstance(value, torch.Tensor) and not isinstance(value, torch.nn.Parameter)
        return value.clone() if plain else value

    def rows(self, images: torch.Tensor) -> list[torch.Tensor]:
        """What is computed of each image: (n, numbers) for each result."""
        made = pytree.tree_leaves(self.run(images))
        return [
            leaf.reshape(len(images), -1)
            for leaf in made
            if isinstance(leaf, torch.Tensor) and leaf.numel() % len(images) == 0
        ]


class _Stuck(Exception):
    """An operation that takes no other number of images."""

    def __init__(self, node: fx.Node) -> None:
        self.node = node


@dataclass(frozen=True, slots=True)
class _Place:
    """The axis of a tensor that is the batch, with so many places of it before and behind an image."""

    axis: int
    pair: tuple[int, int] = (1, 1)


class _Freeing(_Run):
    """A run for `count` images of a graph that was exported for `size`; on the way sizes give way that name those.

    places: of what depends on the input, where its batch is; None where that is in no one axis.
    """

    def __init__(self, net: fx.GraphModule, size: int, count: int) -> None:
        super().__init__(net)
        self._size, self._count = size, count
        self._places: dict[fx.Node, _Place | None] = {}

    def run_node(self, n: fx.Node) -> Any:
        if n.op == "placeholder":
            self._places[n] = _Place(0)
        depends = any(source in self._places for source in n.all_input_nodes) and n.target not in _CREATING
        if n.op != "call_function" or not depends:
            return super().run_node(n)
        if n.target in _UNCHECKED:
            self._widened(n)
            if n.target in RECURRENT and any(self.env[state].shape[1] != self._count for state in _states(n)):
                raise _Stuck(n)
        place = self._with_free_sizes(n)
        value = self._value(n)
        self._places[n] = place or self._found(n, value)
        return value

    def _value(self, node: fx.Node) -> Any:
        try:
            return super().run_node(node)
        except Exception:  # noqa: BLE001 - torch raises whatever it does for sizes that do not fit
            if not self._widened(node):
                raise _Stuck(node) from None
        try:
            return super().run_node(node)
        except Exception:  # noqa: BLE001 - as above
            raise _Stuck(node) from None

    def _with_free_sizes(self, node: fx.Node) -> _Place | None:
        """The batch of a result that is a reshaped input; there, and in one that is expanded, its size is left open."""
        source = node.args[0]
        place = self._places.get(source) if isinstance(source, fx.Node) else None
        if place is None or not isinstance(source, fx.Node):
            return None
        if node.target is aten.expand.default:
            sizes: list[Any] = list(cast("Sequence[Any]", node.args[1]))
            sizes[place.axis - self.env[source].ndim] = -1
            node.update_arg(1, sizes)
        if node.target is aten.native_group_norm.default:
            node.update_arg(3, self._made(node, aten.sym_size.int, (source, place.axis)))
        if node.target not in RESHAPES - {aten.squeeze.default}:
            return None
        made = self._reshaped(place, tuple(self.env[source].shape), _shape(node))
        if made is not None and node.target in _SIZED:
            node.target = aten.reshape.default  # of one image more tensors are contiguous
            node.update_arg(1, [-1 if axis == made.axis else size for axis, size in enumerate(_shape(node))])
        return made

    def _reshaped(self, place: _Place, given: tuple[int, ...], full: tuple[int, ...]) -> _Place | None:
        before = math.prod(given[: place.axis]) * place.pair[0]
        behind = math.prod(given[place.axis + 1 :]) * place.pair[1]
        found = [(at, pair) for at in range(len(full)) if (pair := around(full, at, self._size, before, behind))]
        # of one image several axes could be the batch: what was merged is parted, what is apart stays where it is, and
        # all the rest is not merged into the last one
        apart = place.pair == (1, 1)

        def unlikely(it: tuple[int, tuple[int, int]]) -> tuple[bool, bool, bool]:
            merged, moved = it[1] != (1, 1), it[0] != place.axis
            return (merged and it[0] == len(full) - 1, *((moved, merged) if apart else (merged, moved)))

        return _Place(*min(found, key=unlikely)) if found else None

    def _found(self, node: fx.Node, value: Any) -> _Place | None:
        """The axis in which a result has another size than was exported."""
        known = [place for source in node.all_input_nodes if (place := self._places.get(source)) is not None]
        if not isinstance(value, torch.Tensor):
            return known[0] if known else None  # of several results
        now, full = list(value.shape), list(_shape(node))
        if self._size == 1 and len(now) == len(full) + 1:  # squeezed away with the one image that there was
            gone = (axis for axis in range(len(now)) if now[:axis] + now[axis + 1 :] == full)
            return next((_Place(axis) for axis in gone if now[axis] == self._count), None)
        differing = [axis for axis, (a, b) in enumerate(zip(now, full, strict=False)) if a != b]
        if len(now) != len(full) or len(differing) != 1:
            return None
        (axis,) = differing
        pairs = [(1, 1), *(place.pair for place in known)]
        fitting = (pair for pair in pairs if now[axis] == self._count * math.prod(pair))
        return next((_Place(axis, pair) for pair in fitting if full[axis] == self._size * math.prod(pair)), None)

    def _widened(self, node: fx.Node) -> bool:
        """Whether constants with something for each image, the same for all, were made to fit any number of them."""
        known = [(source, place) for source in node.all_input_nodes if (place := self._places.get(source)) is not None]
        if not known or known[0][1].pair != (1, 1):
            return False
        of, place = known[0]
        given = _states(node) if node.target in RECURRENT else node.all_input_nodes
        fixed = [source for source in given if source not in self._places]
        for constant in fixed:
            value = self.env[constant]
            if not isinstance(value, torch.Tensor):
                continue
            axis = 1 if node.target in RECURRENT else place.axis - self.env[of].ndim + value.ndim
            if not 0 <= axis < value.ndim or value.shape[axis] != self._size:
                continue
            one = value.narrow(axis, 0, 1)
            if torch.equal(one.expand_as(value), value):
                node.replace_input_with(constant, self._for_each(node, constant, axis, of, place.axis))
        return any(source not in node.all_input_nodes for source in fixed)

    def _for_each(self, node: fx.Node, constant: fx.Node, axis: int, of: fx.Node, at: int) -> fx.Node:
        """Its part for one image, as often as an operation needs it."""
        one = self._made(node, aten.slice.Tensor, (constant, axis, 0, 1))
        if node.target not in _WHOLE:
            return one
        sizes: list[Any] = [-1] * self.env[constant].ndim
        sizes[axis] = self._made(node, aten.sym_size.int, (of, at))
        return self._made(node, aten.expand.default, (one, sizes))

    def _made(self, before: fx.Node, op: Any, args: tuple[Any, ...]) -> fx.Node:
        """A new operation, with its value."""
        with before.graph.inserting_before(before):
            node = before.graph.call_function(op, args)
        node.meta = {name: value for name, value in before.meta.items() if name != "val"}
        self.env[node] = super().run_node(node)
        return node


def _states(node: fx.Node) -> list[fx.Node]:
    """The first states of a recurrent layer."""
    given = node.args[1] if isinstance(node.args[1], list | tuple) else [node.args[1]]
    return [state for state in given if isinstance(state, fx.Node)]


def _shape(node: fx.Node) -> tuple[int, ...]:
    """As it was exported; () where that follows from values."""
    value = node.meta.get("val")
    plain = isinstance(value, torch.Tensor) and all(isinstance(size, int) for size in value.shape)
    return tuple(value.shape) if isinstance(value, torch.Tensor) and plain else ()
