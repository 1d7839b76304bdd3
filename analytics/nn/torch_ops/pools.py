"""Translations of pooling, and of sums, means, maxima and minima over axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import scaled
from analytics.nn.torch_ops.resampling import adaptive, adaptive_maximum
from analytics.nn.torch_ops.sizes import pair
from icm_ray.network.layer import Pair, Pairs, Shape
from icm_ray.network.layers import AvgPool, MaxPool
from icm_ray.network.layers.windows import ceil_padding, windows

__all__ = ["POOLS", "amax", "amin", "averaged", "reduced_axes", "summed_over", "window_counts"]

aten = torch.ops.aten


def _flat(value: Any) -> Any:
    """The argument of a one-dimensional pool, for a height of 1: keeps [] (no stride given) and None as they are."""
    values = [value] if isinstance(value, int) else value
    return [1, *values] if values else values


def _lifted(build: GraphBuilder, call: Call) -> tuple[Wire, bool]:
    """The input as (channels, height, width), and whether a height was added."""
    source = call.wire("self")
    if len(source.shape) == 2:
        return build.reshape(source, (source.shape[0], 1, source.shape[1])), True
    if len(source.shape) != 3:
        raise Refused(f"it pools {len(source.shape) - 1} axes of a sample; one or two are supported")
    return source, False


_NONE: Pairs = ((0, 0), (0, 0))


def _paddings(
    source: Wire, kernel: Pair, stride: Pair, plain: Pair, dilation: Pair, ceil: bool, frame: Pairs = _NONE
) -> Pairs:
    """Before and after each axis. frame: what is there already."""
    sides = [(size, size) for size in plain]
    if ceil:
        wide = [source.shape[i + 1] + sum(frame[i]) for i in (0, 1)]
        sides = [ceil_padding(wide[i], kernel[i], stride[i], sides[i], dilation[i]) for i in (0, 1)]
    sides = [(side[0] + there[0], side[1] + there[1]) for side, there in zip(sides, frame, strict=True)]
    return sides[0], sides[1]


def _slid(source: Wire, kernel: Pair, stride: Pair, padding: Pairs, dilation: Pair) -> Shape:
    counts = (windows(source.shape[i + 1], kernel[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    return (source.shape[0], *counts)


def _window(call: Call, lifted: bool) -> tuple[Pair, Pair, Pair, Pair]:
    """Kernel, stride, padding and dilation; a one-dimensional window is one of height 1 that slides along the width."""
    given = {name: call.get(name) for name in ("kernel_size", "stride", "padding", "dilation")}
    if lifted:
        given = {name: _flat(value) for name, value in given.items()}
    kernel = pair(given["kernel_size"])
    stride = pair(given["stride"]) if given["stride"] else kernel
    padding = pair(given["padding"]) if given["padding"] else (0, 0)
    dilation = pair(given["dilation"]) if given["dilation"] else (1, 1)
    return kernel, stride, (0, padding[1]) if lifted else padding, dilation


def _max_pool(build: GraphBuilder, call: Call) -> Wire:
    source, lifted = _lifted(build, call)
    kernel, stride, plain, dilation = _window(call, lifted)
    frame = call.wire("self").frame
    if any(sides != (0, 0) for sides in frame[: 1 if lifted else -2]):
        raise Refused("it takes values that a padding of channels fills with minus infinity; pad heights and widths")
    around = ((0, 0) if lifted else frame[-2], frame[-1]) if frame else _NONE
    padding = _paddings(source, kernel, stride, plain, dilation, call["ceil_mode"], around)
    return _maximum(build, call, source, kernel, stride, padding, dilation)


def _maximum(
    build: GraphBuilder, call: Call, source: Wire, kernel: Pair, stride: Pair, padding: Pairs, dilation: Pair
) -> Wire:
    shape = _slid(source, kernel, stride, padding, dilation)
    for size, count, *window in zip(source.shape[1:], shape[1:], kernel, stride, padding, dilation, strict=True):
        _check_windows(size, count, *window)
    facts = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return build.reshape(build.emit(MaxPool, source, shape=shape, **facts), call.shape)


def _check_windows(size: int, count: int, kernel: int, stride: int, padding: Pair, dilation: int) -> None:
    starts = (place * stride - padding[0] for place in range(count))
    if not all(any(0 <= start + cell * dilation < size for cell in range(kernel)) for start in starts):
        raise Refused("one of its windows has nothing but padding")


def _max_pool_indices(build: GraphBuilder, call: Call) -> tuple[Wire, None]:
    return _max_pool(build, call), None


def _avg_pool(build: GraphBuilder, call: Call) -> Wire:
    source, lifted = _lifted(build, call)
    kernel, stride, plain, _ = _window(call, lifted)
    padding = _paddings(source, kernel, stride, plain, (1, 1), call["ceil_mode"])
    override = call.get("divisor_override")
    counts = [
        window_counts(source.shape[i + 1], kernel[i], stride[i], plain[i], padding[i], call["count_include_pad"])
        for i in (0, 1)
    ]
    if override is not None and override <= 0:
        raise Refused(f"it divides by {override}; divisors above zero are supported")
    if override is not None:
        return _average(build, call, source, kernel, stride, padding, divisor=float(override))
    if all(len(set(axis)) == 1 for axis in counts):
        return _average(build, call, source, kernel, stride, padding, divisor=counts[0][0] * counts[1][0])
    return _average(build, call, source, kernel, stride, padding, divisor=None, counts=(counts[0], counts[1]))


def window_counts(size: int, kernel: int, stride: int, plain: int, padding: Pair, include: bool) -> tuple[float, ...]:
    """What torch divides by along one axis: the places of each window within the data, or the data and its padding."""
    low, high = (-plain, size + plain) if include else (0, size)
    starts = [i * stride - plain for i in range(windows(size, kernel, stride, padding, 1))]
    return tuple(float(min(start + kernel, high) - max(start, low)) for start in starts)


def _average(
    build: GraphBuilder,
    call: Call,
    source: Wire,
    kernel: Pair,
    stride: Pair,
    padding: Pairs,
    *,
    divisor: float | None,
    counts: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
) -> Wire:
    shape = _slid(source, kernel, stride, padding, (1, 1))
    facts: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": padding}
    wire = build.emit(AvgPool, source, shape=shape, divisor=divisor, counts=counts, **facts)
    return build.reshape(wire, call.shape)


def _adaptive(call: Call, source: Wire) -> tuple[Pair, Pair | None]:
    """The result's size, and the windows: None where they vary, since it does not divide the input's."""
    sizes = source.shape[1:]
    wanted = (1, call.shape[1]) if len(call.shape) == 2 else (call.shape[1], call.shape[2])
    if any(size % count for size, count in zip(sizes, wanted, strict=True)):
        return wanted, None
    return wanted, (sizes[0] // wanted[0], sizes[1] // wanted[1])


def _adaptive_avg(build: GraphBuilder, call: Call) -> Wire:
    source, _ = _lifted(build, call)
    wanted, kernel = _adaptive(call, source)
    if kernel is None:
        return build.reshape(adaptive(build, source, wanted), call.shape)
    return _average(build, call, source, kernel, kernel, _NONE, divisor=float(kernel[0] * kernel[1]))


def _adaptive_max(build: GraphBuilder, call: Call) -> tuple[Wire, None]:
    source, _ = _lifted(build, call)
    wanted, kernel = _adaptive(call, source)
    if kernel is None:
        return build.reshape(adaptive_maximum(build, source, wanted), call.shape), None
    return _maximum(build, call, source, kernel, kernel, _NONE, (1, 1)), None


def reduced_axes(call: Call, wire: Wire) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of a sample that a reduction keeps, and those that it names."""
    rank = len(wire.shape) + 1
    dims = call["dim"]
    named = list(range(rank)) if dims is None or dims == [] else [dims] if isinstance(dims, int) else list(dims)
    axes = {call.axis(dim, rank) for dim in named}
    return tuple(axis for axis in range(len(wire.shape)) if axis not in axes), tuple(sorted(axes))


def _windowed(build: GraphBuilder, wire: Wire, axes: Sequence[int]) -> tuple[Wire, Pair]:
    """The wire as an image, and the window that covers these axes."""
    if len(wire.shape) in {2, 3} and 0 not in axes:
        shape = wire.shape if len(wire.shape) == 3 else (wire.shape[0], 1, wire.shape[1])
        moved = {axis + 3 - len(wire.shape) for axis in axes}
        return build.reshape(wire, shape), (shape[1] if 1 in moved else 1, shape[2] if 2 in moved else 1)
    kept = [axis for axis in range(len(wire.shape)) if axis not in axes]
    others, count = (math.prod(wire.shape[axis] for axis in some) for some in (kept, axes))
    return build.reshape(build.permute(wire, (*kept, *axes)), (others, 1, count)), (1, count)


def averaged(build: GraphBuilder, wire: Wire, axes: Sequence[int], divisor: float | None = None) -> Wire:
    """Means over axes of a sample, which stay with size 1; sums over a divisor where that is given."""
    source, kernel = _windowed(build, wire, axes)
    divisor = float(kernel[0] * kernel[1] if divisor is None else divisor)
    made = _slid(source, kernel, kernel, _NONE, (1, 1))
    facts: dict[str, Any] = {"kernel": kernel, "stride": kernel, "padding": _NONE, "divisor": divisor, "counts": None}
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(wire.shape))
    return build.reshape(build.emit(AvgPool, source, shape=made, **facts), kept)


def summed_over(build: GraphBuilder, wire: Wire, axes: Sequence[int]) -> Wire:
    """Sums over axes of a sample, which stay with size 1."""
    return averaged(build, wire, axes, 1.0)


def _reduced(build: GraphBuilder, call: Call) -> tuple[Wire, Pair]:
    """The input as an image, and the window that covers the axes that a reduction names."""
    wire = call.wire("self")
    return _windowed(build, wire, reduced_axes(call, wire)[1])


def _mean(build: GraphBuilder, call: Call) -> Wire:
    source, kernel = _reduced(build, call)
    return _average(build, call, source, kernel, kernel, _NONE, divisor=float(kernel[0] * kernel[1]))


def _sum(build: GraphBuilder, call: Call) -> Wire:
    source, kernel = _reduced(build, call)
    return _average(build, call, source, kernel, kernel, _NONE, divisor=1.0)


def amax(build: GraphBuilder, call: Call) -> Wire:
    """The largest value over the axes that a call names."""
    source, kernel = _reduced(build, call)
    return _maximum(build, call, source, kernel, kernel, _NONE, (1, 1))


def amin(build: GraphBuilder, call: Call) -> Wire:
    """The smallest value over the axes that a call names."""
    source, kernel = _reduced(build, call)
    negated = scaled(build, source, -1.0)
    return scaled(build, _maximum(build, call, negated, kernel, kernel, _NONE, (1, 1)), -1.0)


def _both_extremes(build: GraphBuilder, call: Call) -> tuple[Wire, Wire]:
    return amin(build, call), amax(build, call)


def _over_all(_build: GraphBuilder, _call: Call) -> Wire:
    raise Refused("it works along the batch dimension too; name the axes of a sample with dim=")


POOLS: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.max_pool2d.default: _max_pool,
        aten.max_pool1d.default: _max_pool,
        aten.max_pool2d_with_indices.default: _max_pool_indices,
        aten.max_pool1d_with_indices.default: _max_pool_indices,
        aten.avg_pool2d.default: _avg_pool,
        aten.avg_pool1d.default: _avg_pool,
        aten.adaptive_avg_pool2d.default: _adaptive_avg,
        aten.adaptive_avg_pool1d.default: _adaptive_avg,
        aten.adaptive_max_pool2d.default: _adaptive_max,
        aten.adaptive_max_pool1d.default: _adaptive_max,
        aten.mean.dim: _mean,
        aten.mean.default: _over_all,
        aten.sum.dim_IntList: _sum,
        aten.sum.default: _over_all,
        aten.amax.default: amax,
        aten.amin.default: amin,
        aten.aminmax.default: _both_extremes,
        aten.max.default: _over_all,
        aten.min.default: _over_all,
    }
)
