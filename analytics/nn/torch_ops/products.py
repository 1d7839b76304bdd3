"""Translations of products with constants: convolutions, linear layers and batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from icm_ray.network.layer import Pair
from icm_ray.network.layers import Affine, Conv, Linear

__all__ = ["PRODUCTS", "pair"]

aten = torch.ops.aten


def pair(value: Any) -> Pair:
    """torch's int, [n] or [h, w] as (h, w)."""
    values = [value] if isinstance(value, int) else list(value)
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def _conv2d(build: GraphBuilder, call: Call) -> Wire:
    source, weight = call.wire("input"), call.constant("weight")
    if len(source.shape) != 3:
        raise Refused("its input has no batch dimension; give example inputs of shape (batch, channels, height, width)")
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


def _conv1d(build: GraphBuilder, call: Call) -> Wire:
    source, weight = call.wire("input"), call.constant("weight")
    if len(source.shape) != 2:
        raise Refused("its input has no batch dimension; give example inputs of shape (batch, channels, length)")
    (stride,), (dilation,) = _single(call["stride"]), _single(call["dilation"])
    kernel = (1, weight.shape[2])
    padding = call["padding"]
    (_, sides) = _padding(padding if isinstance(padding, str) else [0, *_single(padding)], kernel, (1, dilation))
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


def _single(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def _padding(padding: Any, kernel: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":  # torch puts the odd one after the data
        height, width = (spread * (size - 1) for spread, size in zip(dilation, kernel, strict=True))
        return (height // 2, height - height // 2), (width // 2, width - width // 2)
    height, width = pair(padding)
    return (height, height), (width, width)


def _linear(build: GraphBuilder, call: Call) -> Wire:
    return _product(build, call, call.wire("input"), call.constant("weight"), call.optional("bias"))


def _matmul(build: GraphBuilder, call: Call) -> Wire:
    right = call["other"] if "other" in call.arguments else call["mat2"]
    if isinstance(right, Wire):
        left_private = isinstance(call["self"], Wire)
        raise Refused(
            "a product of two private activations is not supported"
            if left_private
            else "a constant times the input mixes the batch; write it as the input times a constant"
        )
    if right.ndim != 2:
        raise Refused(f"only a matrix may multiply; this constant has {right.ndim} axes")
    return _product(build, call, call.wire("self"), right.t(), None)


def _addmm(build: GraphBuilder, call: Call) -> Wire:
    bias = call.constant("self") * call["beta"]
    weight = call.constant("mat2").t() * call["alpha"]
    if bias.ndim > 1 and any(size != 1 for size in bias.shape[:-1]):
        raise Refused("its constant term differs between the rows of the batch")
    return _product(build, call, call.wire("mat1"), weight, bias.reshape(-1).expand(weight.shape[0]))


def _product(build: GraphBuilder, call: Call, source: Wire, weight: torch.Tensor, bias: torch.Tensor | None) -> Wire:
    if not source.shape or weight.ndim != 2:
        raise Refused("it takes the batch dimension for features; give example inputs of shape (batch, features)")
    return build.emit(Linear, source, shape=call.shape, weight=weight, bias=bias)


def _batch_norm(build: GraphBuilder, call: Call) -> Wire:
    # y = w (x - mean) / sqrt(var + eps) + b  =  scale x + (b - scale mean)
    mean, variance = call["running_mean"], call["running_var"]
    if call.get("training", False) or mean is None or variance is None:
        raise Refused("it normalises with the statistics of the batch; train it with track_running_stats=True")
    source, weight, bias = call.wire("input"), call.optional("weight"), call.optional("bias")
    scale = 1.0 / torch.sqrt(variance + call["eps"])
    scale = scale if weight is None else weight * scale
    shift = -scale * mean if bias is None else bias - scale * mean
    return build.emit(Affine, source, shape=call.shape, scale=scale, shift=shift)


def _batch_norm_triple(build: GraphBuilder, call: Call) -> tuple[Wire, None, None]:
    return _batch_norm(build, call), None, None


PRODUCTS: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.conv2d.default: _conv2d,
        aten.conv2d.padding: _conv2d,
        aten.conv1d.default: _conv1d,
        aten.conv1d.padding: _conv1d,
        aten.linear.default: _linear,
        aten.matmul.default: _matmul,
        aten.mm.default: _matmul,
        aten.addmm.default: _addmm,
        aten.batch_norm.default: _batch_norm,
        aten._native_batch_norm_legit_no_training.default: _batch_norm_triple,
    }
)
