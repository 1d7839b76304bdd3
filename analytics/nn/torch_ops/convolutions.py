"""Translations of convolutions: of one, two and three dimensions, transposed ones too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.movement import padded, pixel_shuffled, taken
from analytics.nn.torch_ops.sizes import numbers, pair
from icm_ray.network.layer import Pair, Pairs
from icm_ray.network.layers import Conv
from icm_ray.network.layers.windows import windows

__all__ = ["CONVOLUTIONS"]

aten = torch.ops.aten
_NONE: Pairs = ((0, 0), (0, 0))


def _conv2d(build: GraphBuilder, call: Call) -> Wire:
    source, weight = call.wire("input"), call.constant("weight")
    _ranked(source, 3, "(batch, channels, height, width)")
    stride, dilation = pair(call["stride"]), pair(call["dilation"])
    kernel = (weight.shape[2], weight.shape[3])
    return build.emit(
        Conv,
        source,
        shape=call.shape,
        weight=weight,
        bias=call.optional("bias"),
        kernel=kernel,
        stride=stride,
        padding=_padding(call["padding"], kernel, dilation),
        dilation=dilation,
        groups=call["groups"],
    )


def _ranked(source: Wire, rank: int, words: str) -> None:
    if len(source.shape) != rank:
        raise Refused(f"its input has no batch dimension; give example inputs of shape {words}")


def _conv1d(build: GraphBuilder, call: Call) -> Wire:
    source, weight = call.wire("input"), call.constant("weight")
    _ranked(source, 2, "(batch, channels, length)")
    (stride,), (dilation,) = numbers(call["stride"], 1), numbers(call["dilation"], 1)
    kernel = (1, weight.shape[2])
    padding = call["padding"]
    (_, sides) = _padding(padding if isinstance(padding, str) else [0, *numbers(padding, 1)], kernel, (1, dilation))
    channels, length = call.shape
    flat = build.emit(
        Conv,
        build.reshape(source, (source.shape[0], 1, source.shape[1])),
        shape=(channels, 1, length),
        weight=weight.unsqueeze(2),
        bias=call.optional("bias"),
        kernel=kernel,
        stride=(1, stride),
        padding=((0, 0), sides),
        dilation=(1, dilation),
        groups=call["groups"],
    )
    return build.reshape(flat, call.shape)


def _padding(padding: Any, kernel: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":  # torch puts the odd one after the data
        height, width = (spread * (size - 1) for spread, size in zip(dilation, kernel, strict=True))
        return (height // 2, height - height // 2), (width // 2, width - width // 2)
    height, width = pair(padding)
    return (height, height), (width, width)


def _conv3d(build: GraphBuilder, call: Call) -> Wire:
    source, weight = call.wire("input"), call.constant("weight")
    _ranked(source, 4, "(batch, channels, depth, height, width)")
    stride, dilation = numbers(call["stride"], 3), numbers(call["dilation"], 3)
    kernel, padding = tuple(weight.shape[2:]), call["padding"]
    if isinstance(padding, str):
        spans = [d * (k - 1) if padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
        sides = [(span // 2, span - span // 2) for span in spans]
    else:
        sides = [(size, size) for size in numbers(padding, 3)]
    return _of_depth(build, source, weight, call.optional("bias"), stride, sides, dilation, call["groups"])


def _of_depth(
    build: GraphBuilder,
    source: Wire,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    sides: Sequence[Pair],
    dilation: Sequence[int],
    groups: int,
) -> Wire:
    """The depth's cells become channels, its places lie one below another in a tall image."""
    kernel, out = tuple(weight.shape[2:]), weight.shape[0]
    down, rows, columns = (
        windows(source.shape[axis + 1], kernel[axis], stride[axis], sides[axis], dilation[axis]) for axis in range(3)
    )
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    # each place of the depth has as many rows as its windows need, a whole number of strides
    height = source.shape[2] + sum(sides[1])
    tall = -(-max(height, spans[1]) // stride[1]) * stride[1]
    wire = padded(build, source, ((0, 0), sides[0], (sides[1][0], sides[1][1] + tall - height), sides[2]))
    places = [place * stride[0] + cell * dilation[0] for cell in range(kernel[0]) for place in range(down)]
    wire = taken(build, wire, 1, places)
    channels, width = source.shape[0] * kernel[0], wire.shape[3]
    wire = build.reshape(wire, (channels, down * tall, width))
    wire = padded(build, wire, ((0, 0), (0, spans[1] - 1), (0, 0)))
    made_rows = (wire.shape[1] - spans[1]) // stride[1] + 1
    wire = build.emit(
        Conv,
        wire,
        shape=(out, made_rows, columns),
        weight=weight.reshape(out, weight.shape[1] * kernel[0], *kernel[1:]),
        bias=bias,
        kernel=(kernel[1], kernel[2]),
        stride=(stride[1], stride[2]),
        padding=_NONE,
        dilation=(dilation[1], dilation[2]),
        groups=groups,
    )
    each = tall // stride[1]
    wire = build.cut(wire, 1, 0, down * each)
    wire = build.reshape(wire, (out, down, each, columns))
    return build.cut(wire, 2, 0, rows)


def _transposed3d(build: GraphBuilder, call: Call) -> Wire:
    """A convolution with the kernel turned round, of the input with zeros between its places."""
    source, weight = call.wire("input"), call.constant("weight")
    _ranked(source, 4, "(batch, channels, depth, height, width)")
    names = ("stride", "padding", "output_padding", "dilation")
    stride, padding, extra, dilation = (numbers(call[name], 3) for name in names)
    groups, kernel = call["groups"], tuple(weight.shape[2:])
    ins, outs = weight.shape[0] // groups, weight.shape[1]
    turned = weight.reshape(groups, ins, outs, *kernel).transpose(1, 2).reshape(groups * outs, ins, *kernel)
    wire, sides = source, []
    for axis in range(3):
        wire = _apart(build, wire, axis + 1, stride[axis])
        reach = dilation[axis] * (kernel[axis] - 1) - padding[axis]
        wire, side = _reaching(build, wire, axis + 1, reach, reach + extra[axis])
        sides.append(side)
    whole = turned.flip(2, 3, 4)
    return _of_depth(build, wire, whole, call.optional("bias"), (1, 1, 1), sides, dilation, groups)


def _apart(build: GraphBuilder, wire: Wire, axis: int, stride: int) -> Wire:
    """Zeros between the places of an axis."""
    front, size, rest = wire.shape[:axis], wire.shape[axis], wire.shape[axis + 1 :]
    if stride == 1:
        return wire
    pads = [(0, 0)] * (len(front) + 1) + [(0, stride - 1)] + [(0, 0)] * len(rest)
    wide = padded(build, build.reshape(wire, (*front, size, 1, *rest)), pads)
    return build.cut(build.reshape(wide, (*front, size * stride, *rest)), axis, 0, (size - 1) * stride + 1)


def _reaching(build: GraphBuilder, wire: Wire, axis: int, before: int, after: int) -> tuple[Wire, Pair]:
    """What is to be padded; where there is more padding than the kernel reaches, places are left out."""
    if min(before, after) < 0:
        wire = build.cut(wire, axis, max(-before, 0), wire.shape[axis] - max(-after, 0))
    return wire, (max(before, 0), max(after, 0))


def _transposed2d(build: GraphBuilder, call: Call) -> Wire:
    source, weight = call.wire("input"), call.constant("weight")
    _ranked(source, 3, "(batch, channels, height, width)")
    facts = [pair(call[name]) for name in ("stride", "padding", "output_padding", "dilation")]
    return _transposed(build, source, weight, call.optional("bias"), facts, call["groups"])


def _transposed1d(build: GraphBuilder, call: Call) -> Wire:
    source, weight = call.wire("input"), call.constant("weight")
    _ranked(source, 2, "(batch, channels, length)")
    flat = build.reshape(source, (source.shape[0], 1, source.shape[1]))
    names = (("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1))
    facts = [(plain, *numbers(call[name], 1)) for name, plain in names]
    made = _transposed(build, flat, weight.unsqueeze(2), call.optional("bias"), facts, call["groups"])
    return build.reshape(made, call.shape)


def _transposed(
    build: GraphBuilder,
    source: Wire,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    facts: Sequence[Any],
    groups: int,
) -> Wire:
    """A convolution with the kernel turned round, of the input with zeros between its places.

    Where windows do not overlap: one product for each place, and its results laid out.
    """
    stride, padding, extra, dilation = facts
    kernel = (weight.shape[2], weight.shape[3])
    ins, outs = weight.shape[0] // groups, weight.shape[1]
    own = weight.reshape(groups, ins, outs, *kernel).transpose(1, 2)
    plain = {"stride": (1, 1), "groups": groups}
    if kernel == stride and padding == extra == (0, 0) and dilation == (1, 1):
        cells = kernel[0] * kernel[1]
        flat = own.permute(0, 1, 3, 4, 2).reshape(groups * outs * cells, ins, 1, 1)
        shift = None if bias is None else bias.repeat_interleave(cells)
        shape = (groups * outs * cells, *source.shape[1:])
        facts_of = {"kernel": (1, 1), "padding": _NONE, "dilation": (1, 1), **plain}
        return pixel_shuffled(
            build, build.emit(Conv, source, shape=shape, weight=flat, bias=shift, **facts_of), *kernel
        )
    wire, sides = source, []
    for axis in (0, 1):
        wire = _apart(build, wire, axis + 1, stride[axis])
        reach = dilation[axis] * (kernel[axis] - 1) - padding[axis]
        wire, side = _reaching(build, wire, axis + 1, reach, reach + extra[axis])
        sides.append(side)
    made = tuple(wire.shape[axis + 1] + sum(sides[axis]) - dilation[axis] * (kernel[axis] - 1) for axis in (0, 1))
    return build.emit(
        Conv,
        wire,
        shape=(groups * outs, *made),
        weight=own.reshape(groups * outs, ins, *kernel).flip(2, 3),
        bias=bias,
        kernel=kernel,
        padding=(sides[0], sides[1]),
        dilation=dilation,
        **plain,
    )


def _of_any_rank(build: GraphBuilder, call: Call) -> Wire:
    """What core ATen has for all of them."""
    plain, transposed = _BY_RANK[call.constant("weight").ndim]
    wire: Wire = transposed(build, call) if call["transposed"] else plain(build, call)
    return wire


_BY_RANK: Mapping[int, tuple[Translation, Translation]] = MappingProxyType(
    {3: (_conv1d, _transposed1d), 4: (_conv2d, _transposed2d), 5: (_conv3d, _transposed3d)}
)

CONVOLUTIONS: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.convolution.default: _of_any_rank,
        aten.conv1d.default: _conv1d,
        aten.conv1d.padding: _conv1d,
        aten.conv2d.default: _conv2d,
        aten.conv2d.padding: _conv2d,
        aten.conv3d.default: _conv3d,
        aten.conv3d.padding: _conv3d,
        aten.conv_transpose1d.default: _transposed1d,
        aten.conv_transpose2d.input: _transposed2d,
        aten.conv_transpose3d.input: _transposed3d,
    }
)
