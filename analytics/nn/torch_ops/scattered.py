"""Translations of what writes, or adds, values to places that constants name: the same ones in every row of a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.comparisons import chosen
from analytics.nn.torch_ops.constants import of_sample, scaled, spread
from analytics.nn.torch_ops.layout import joined
from analytics.nn.torch_ops.minus_infinity import filled
from analytics.nn.torch_ops.movement import named_axes, padded, taken
from analytics.nn.torch_ops.pointwise import summed
from analytics.nn.torch_ops.pools import summed_over
from icm_ray.network.layer import Shape
from icm_ray.network.layers import MaxPool, Resample

__all__ = ["ADDED", "SCATTERED"]

aten = torch.ops.aten
_MOST = 1 << 17  # places that one operation may name


@dataclass(frozen=True, slots=True)
class _Target:
    """Places of a flat sample of `size` numbers, for values of a shape; in the order of the values."""

    places: torch.Tensor
    shape: Shape
    size: int

    def __post_init__(self) -> None:
        if len(self.places) > _MOST:
            raise Refused(f"it writes to {len(self.places)} places; {_MOST} at most are supported")

    def sources(self, missing: int) -> torch.Tensor:
        """(size, most) values of each place, the first of them again, or `missing` where a place has fewer."""
        counts = self.counts()
        found = torch.full((self.size, max(int(counts.max()), 1)), missing)
        order = torch.argsort(self.places, stable=True)
        starts = counts.cumsum(0) - counts
        found[self.places[order], torch.arange(len(order)) - starts[self.places[order]]] = order
        return found

    def counts(self) -> torch.Tensor:
        """How many values each place is given."""
        return torch.bincount(self.places, minlength=self.size)


def _constant_index(value: Any) -> torch.Tensor:
    if isinstance(value, Wire):
        raise Refused("it writes to places that depend on the private input; only constants may name places")
    return torch.as_tensor(value)


def _along(build: GraphBuilder, call: Call) -> _Target:
    """Of scatter: for each value its own place along an axis."""
    index = _constant_index(call["index"])
    axis = call.axis(call["dim"], len(call.full_shape))
    if len(index) != build.batch:
        raise Refused("it writes to some rows of a batch alone; expand its index to all of them")
    chosen_places = of_sample(index, len(call.shape)).long()
    every = torch.arange(math.prod(call.shape)).reshape(call.shape)
    cut = tuple(slice(None) if k == axis else slice(size) for k, size in enumerate(chosen_places.shape))
    places = torch.take_along_dim(every[cut], chosen_places % call.shape[axis], axis)
    return _Target(places.reshape(-1), tuple(places.shape), every.numel())


def _of_axis(call: Call) -> _Target:
    """Of index_add and its like: whole slices of an axis."""
    index = _constant_index(call["index"]).reshape(-1)
    axis = call.axis(call["dim"], len(call.full_shape))
    every = torch.arange(math.prod(call.shape)).reshape(call.shape)
    places = every.index_select(axis, index % call.shape[axis])
    return _Target(places.reshape(-1), tuple(places.shape), every.numel())


def _indexed(call: Call) -> _Target:
    """Of index_put: where x[i, j] would read."""
    given = [index if index is None else _constant_index(index) for index in call["indices"]]
    axes, chosen_places = named_axes(given)
    every = torch.arange(math.prod(call.shape)).reshape(call.shape)
    index: tuple[slice | torch.Tensor, ...] = (*[slice(None)] * axes[0], *chosen_places)
    places = every[index]
    return _Target(places.reshape(-1), tuple(places.shape), every.numel())


def _flat(build: GraphBuilder, values: Any, target: _Target) -> Any:
    """The values that are written, flat: those of a larger source are its first ones."""
    if not isinstance(values, Wire):
        constant = of_sample(values, len(target.shape))
        cut = tuple(slice(size) for size in target.shape)
        return constant[cut].expand(target.shape).reshape(1, -1)
    if len(values.shape) != len(target.shape):
        raise Refused(f"it writes values of shape {values.shape} to places of shape {target.shape}; expand them before")
    for axis, size in enumerate(target.shape):
        if values.shape[axis] > size:
            values = build.cut(values, axis, 0, size)
    return build.reshape(spread(build, values, target.shape), (math.prod(target.shape),))


def _flat_base(build: GraphBuilder, call: Call, target: _Target) -> Any:
    base = call["self"]
    if isinstance(base, Wire):
        return build.reshape(spread(build, base, call.shape), (target.size,))
    return of_sample(base, len(call.shape)).expand(call.shape).reshape(1, -1)


def _written(build: GraphBuilder, call: Call, values: Any, target: _Target) -> Wire:
    """Other values in some places: both side by side, of which places are taken."""
    if int(target.counts().max()) > 1:
        raise Refused("it writes several values to one place, so that one of them would stay by chance")
    flat, base = _flat(build, values, target), _flat_base(build, call, target)
    count = len(target.places)
    both = joined(build, [base, flat], 0, (target.size + count,))
    order = torch.arange(target.size)
    order[target.places] = torch.arange(target.size, target.size + count)
    return build.reshape(taken(build, both, 0, order.tolist()), call.shape)


def _number(build: GraphBuilder, call: Call, value: Any, target: _Target) -> Wire:
    """One number in some places."""
    mask = torch.zeros(target.size, dtype=torch.float64)
    mask[target.places] = 1.0
    return filled(build, call.wire("self"), mask.reshape(call.shape), float(value))


def _sums(build: GraphBuilder, values: Wire, target: _Target) -> Wire:
    """For each place the sum of its values; zero where it has none."""
    sources = target.sources(len(target.places))
    if sources.numel() > _MOST:
        raise Refused(f"its sums have {sources.numel()} summands; {_MOST} at most are supported")
    wide = padded(build, values, ((0, 1),))
    rows = build.reshape(taken(build, wide, 0, sources.reshape(-1).tolist()), tuple(sources.shape))
    return build.reshape(summed_over(build, rows, (1,)), (target.size,))


def _added(build: GraphBuilder, call: Call, values: Any, target: _Target, factor: float = 1.0) -> Wire:
    """The base, and at each place the sum of the values that are written to it."""
    flat, base = _flat(build, values, target), _flat_base(build, call, target)
    if isinstance(flat, Wire):
        more: Any = scaled(build, _sums(build, flat, target), factor)
    else:
        more = torch.zeros(1, target.size, dtype=torch.float64).index_add(1, target.places, flat * factor)
    if isinstance(base, torch.Tensor) and not bool(base.any()):
        return build.reshape(more, call.shape)
    return build.reshape(summed(build, Call({}, (build.batch, target.size)), base, more), call.shape)


def _scatter(build: GraphBuilder, call: Call) -> Wire:
    target, how = _along(build, call), call.get("reduce")
    if how == "add":
        return _added(build, call, call["src"], target)
    if how is not None:
        raise Refused(f"of its ways to reduce 'add' is supported, not {how!r}")
    return _written(build, call, call["src"], target)


def _scatter_number(build: GraphBuilder, call: Call) -> Wire:
    target = _along(build, call)
    if call.get("reduce") is not None:
        raise Refused("it reduces with a number; add or multiply a constant")
    return _number(build, call, call["value"], target)


def _scatter_add(build: GraphBuilder, call: Call) -> Wire:
    return _added(build, call, call["src"], _along(build, call))


def _scatter_reduce(build: GraphBuilder, call: Call) -> Wire:
    target, how, base = _along(build, call), call["reduce"], call["include_self"]
    return _reduced(build, call, call["src"], target, how, base)


def _index_reduce(build: GraphBuilder, call: Call) -> Wire:
    return _reduced(build, call, call["source"], _of_axis(call), call["reduce"], call["include_self"])


_HOW = {"sum": "sum", "mean": "mean", "amax": "amax", "amin": "amin"}


def _reduced(build: GraphBuilder, call: Call, values: Any, target: _Target, how: str, base: bool) -> Wire:
    """Sum, mean, maximum or minimum of what is written to each place, with what was there or without."""
    if how not in _HOW:
        raise Refused(f"of its ways to reduce {', '.join(_HOW)} are supported, not {how!r}")
    flat, given = _flat(build, values, target), _flat_base(build, call, target)
    both = joined(build, [given, flat], 0, (target.size + len(target.places),))
    kept = torch.arange(target.size)
    if not base:
        kept = kept[target.counts() == 0]
    whole = _Target(torch.cat([kept, target.places]), (len(kept) + len(target.places),), target.size)
    moved = taken(build, both, 0, [*kept.tolist(), *range(target.size, target.size + len(target.places))])
    if how in {"amax", "amin"}:
        return build.reshape(_extremes(build, moved, whole, largest=how == "amax"), call.shape)
    made = _sums(build, moved, whole)
    if how == "mean":
        weights = tuple((1.0 / whole.counts().clamp(min=1).double()).tolist())
        taps = ((tuple(range(target.size)), weights),)
        made = build.emit(Resample, made, shape=made.shape, axis=0, taps=taps)
    return build.reshape(made, call.shape)


def _extremes(build: GraphBuilder, values: Wire, target: _Target, *, largest: bool) -> Wire:
    sources = target.sources(-1)
    sources = torch.where(sources < 0, sources[:, :1], sources)  # every place has one or more
    if sources.numel() > _MOST:
        raise Refused(f"it compares {sources.numel()} values; {_MOST} at most are supported")
    size, most = sources.shape
    rows = scaled(build, taken(build, values, 0, sources.reshape(-1).tolist()), 1.0 if largest else -1.0)
    none = ((0, 0), (0, 0))
    facts: dict[str, Any] = {"kernel": (1, most), "stride": (1, most), "padding": none, "dilation": (1, 1)}
    found = build.emit(MaxPool, build.reshape(rows, (size, 1, most)), shape=(size, 1, 1), **facts)
    return scaled(build, build.reshape(found, (size,)), 1.0 if largest else -1.0)


def _index_add(build: GraphBuilder, call: Call) -> Wire:
    return _added(build, call, call["source"], _of_axis(call), float(call["alpha"]))


def _index_copy(build: GraphBuilder, call: Call) -> Wire:
    return _written(build, call, call["source"], _of_axis(call))


def _index_fill(build: GraphBuilder, call: Call) -> Wire:
    if isinstance(call["value"], Wire):
        raise Refused("it fills with a private value; write it with torch.where")
    return _number(build, call, call["value"], _of_axis(call))


def _put(build: GraphBuilder, call: Call) -> Wire:
    """x[i, j] = values, x[mask] = number; with accumulate x[i, j] += values, each value once."""
    values, wire = call["values"], call["self"]
    *before, last = call["indices"]
    if isinstance(last, Wire):
        return _where_true(build, call, before, last)
    target = _indexed(call)
    if call["accumulate"]:
        return _added(build, call, values, target)
    if isinstance(wire, Wire) and not isinstance(values, Wire) and values.numel() == 1:
        return _number(build, call, values, target)
    return _written(build, call, values, target)


def _where_true(build: GraphBuilder, call: Call, before: list[Any], mask: Wire) -> Wire:
    """x with one number in the places of a private mask: `x[x < 0] = 0`."""
    value, wire = call["values"], call["self"]
    one = not isinstance(value, Wire) and value.numel() == 1
    if before or call["accumulate"] or not isinstance(wire, Wire) or not one or mask.shape != wire.shape:
        raise Refused("it writes other than one number into the places of one mask; torch.where(mask, value, x) does")
    if not mask.truth:
        raise Refused("it writes to places that depend on the private input; only constants may name places")
    return chosen(build, mask, value, wire, call.shape)


ADDED: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.scatter_add.default: _scatter_add,
        aten.scatter_reduce.two: _scatter_reduce,
        aten.index_add.default: _index_add,
        aten.index_reduce.default: _index_reduce,
    }
)
"""What adds values up, or compares them."""

SCATTERED: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.scatter.src: _scatter,
        aten.scatter.reduce: _scatter,
        aten.scatter.value: _scatter_number,
        aten.index_copy.default: _index_copy,
        aten.index_fill.int_Scalar: _index_fill,
        aten.index_fill.int_Tensor: _index_fill,
        aten.index_put.default: _put,
    }
)
"""What writes values to places, and may add them there."""
