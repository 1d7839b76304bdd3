"""Workloads of smooth functions and of groups, on shared values. Functions take values up to 2^14 (31 bits)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from cluster.bench.workloads import Plain, Workload, normal, one
from icm_ray.functions.activations import exp_negative, gelu, sigmoid
from icm_ray.functions.row_functions import softmax
from icm_ray.ops.groups import GroupSum
from icm_ray.ops.linear import AssumeWidth, Scale, Subtract
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value

__all__ = ["function_workloads"]

_WIDTH = 31
_ROWS = 100_000


def _exp_of_minus_magnitude(builder: Builder, x: Value) -> Value:
    """e^-|x|, -|x| = x - 2 ReLU(x)."""
    above = builder.add(Scale(2), builder.add(Relu(Epilogue(relu=True, width=x.type.width)), x))
    negative = builder.add(AssumeWidth(x.type.width), builder.add(Subtract(), x, above))
    return exp_negative(builder, negative)


def _softmax(x: Plain) -> Plain:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    plain: Plain = powers / powers.sum(axis=-1, keepdims=True)
    return plain


def _gelu(x: Plain) -> Plain:
    plain: Plain = 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    return plain


def _groups() -> Workload:
    rng = np.random.default_rng(0)
    key, value = rng.integers(0, 16, _ROWS), rng.integers(0, 1000, _ROWS)

    def build(builder: Builder, values: Mapping[str, Value]) -> Value:
        return builder.add(GroupSum(4, counts=True), values["key"], values["value"])

    def plain(inputs: Mapping[str, Plain]) -> Plain:
        hot = inputs["key"][:, None] == np.arange(16)
        return np.stack([(hot * inputs["value"][:, None]).sum(axis=0), hot.sum(axis=0)])

    return Workload(
        "groupby16_100k",
        "sum and count of 100,000 shared integers by a shared key with 16 values",
        {"key": key.astype(np.float64), "value": value.astype(np.float64)},
        {"key": ValueType(shape=(_ROWS,), width=5), "value": ValueType(shape=(_ROWS,), width=11)},
        build,
        plain,
    )


def function_workloads() -> dict[str, Callable[[], Workload]]:
    """By name; made on demand."""

    def made(
        name: str, what: str, build: Callable[[Builder, Value], Value], plain: Callable[[Plain], Plain], *shape: int
    ) -> Callable[[], Workload]:
        return lambda: one(name, what, normal(*shape), _WIDTH, build, plain)

    return {
        "groupby16_100k": _groups,
        "sigmoid_100k": made(
            "sigmoid_100k", "sigmoid of 100,000 values", sigmoid, lambda x: 1 / (1 + np.exp(-x)), _ROWS
        ),
        "exp_100k": made(
            "exp_100k",
            "exp(-|x|) of 100,000 values",
            _exp_of_minus_magnitude,
            lambda x: np.asarray(np.exp(-np.abs(x))),
            _ROWS,
        ),
        "gelu_100k": made("gelu_100k", "GELU (with erf) of 100,000 values", gelu, _gelu, _ROWS),
        "softmax_1000x64": made("softmax_1000x64", "softmax of 1,000 rows of 64", softmax, _softmax, 1000, 64),
    }
