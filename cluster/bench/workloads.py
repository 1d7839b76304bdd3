"""The workloads of `icm bench`: what is shared before the clock starts, the program that is timed, the plain answer.

Every value is full width (64 bits) unless the workload says otherwise; numbers are fixed point with 16 fractional bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.compare import CountAtLeast, Maximum
from icm_ray.ops.forms import Elementwise, Matrix
from icm_ray.ops.linear import Scale, Slice, Subtract, Sum
from icm_ray.ops.products import Epilogue, Product, Relu, SumOfSquares, Truncate
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import encode

__all__ = ["F", "FixedWeight", "Plain", "Workload", "fixed_weight", "normal", "one", "plain_workloads"]

F = 16
Plain = NDArray[np.float64]


@dataclass(frozen=True)
class FixedWeight:
    """A weight that its owner loads, and the bias of the product that it is for, if any. words: ring elements."""

    type: ValueType
    words: RingArray = field(repr=False)
    bias: RingArray | None = field(default=None, repr=False)


def fixed_weight(plain: Plain) -> FixedWeight:
    """A weight below 2 in magnitude, with F fractional bits."""
    kind = ValueType(shape=plain.shape, f=F, width=F + 2, error=2.0 ** -(F + 1))
    return FixedWeight(kind, encode(plain, F, 62 - F))


@dataclass(frozen=True)
class Workload:
    """inputs: shared by the first party before the clock starts; build: from their shares to the output's.

    weights: what the first party loads as fixed weights, before the clock starts too; each is kept under its name.
    """

    name: str
    what: str
    inputs: Mapping[str, Plain]
    types: Mapping[str, ValueType]
    build: Callable[[Builder, Mapping[str, Value]], Value]
    plain: Callable[[Mapping[str, Plain]], Plain]
    weights: Mapping[str, FixedWeight] = field(default_factory=dict)


def normal(*shape: int, seed: int = 0) -> Plain:
    """Normal numbers on the grid of the fixed point, so that the plain answer is about the values that were shared."""
    values: Plain = np.rint(np.random.default_rng(seed).normal(size=shape) * 2**F) / 2**F
    return values


def _number(*shape: int, width: int) -> ValueType:
    return ValueType(shape=shape, f=F, width=width, error=2.0 ** -(F + 1))


def one(
    name: str,
    what: str,
    x: Plain,
    width: int,
    build: Callable[[Builder, Value], Value],
    plain: Callable[[Plain], Plain],
) -> Workload:
    """A workload of one shared input x."""
    return Workload(
        name,
        what,
        {"x": x},
        {"x": _number(*x.shape, width=width)},
        lambda builder, values: build(builder, values["x"]),
        lambda inputs: plain(inputs["x"]),
    )


def _product(name: str, what: str, x: Plain, y: Plain, width: int, form: Elementwise | Matrix) -> Workload:
    op = Product(form, Epilogue(shift=F))
    return Workload(
        name,
        what,
        {"x": x, "y": y},
        {"x": _number(*x.shape, width=width), "y": _number(*y.shape, width=width)},
        lambda builder, values: builder.add(op, values["x"], values["y"]),
        lambda inputs: inputs["x"] * inputs["y"] if isinstance(form, Elementwise) else inputs["x"] @ inputs["y"],
    )


def _mean(builder: Builder, x: Value) -> Value:
    """sum * round(2^40 / N) / 2^40."""
    scaled = builder.add(Scale(round(2**40 / x.type.count), 40), builder.add(Sum(), x))
    return builder.add(Truncate(Epilogue(shift=40)), scaled)


def _variance(builder: Builder, x: Value) -> Value:
    """sum x^2 / (N-1) - mean^2 N/(N-1); the second factor is 1 within the fixed point's last bit."""
    squares = builder.add(Truncate(Epilogue(shift=F)), builder.add(SumOfSquares(), x))
    scaled = builder.add(Scale(round(2**38 / (x.type.count - 1)), 38), squares)
    first = builder.add(Truncate(Epilogue(shift=38)), scaled)
    mean = _mean(builder, x)
    return builder.add(Subtract(), first, builder.add(Product(Elementwise(), Epilogue(shift=F)), mean, mean))


def _histogram(builder: Builder, x: Value) -> Value:
    edges = np.linspace(-3, 3, 17)
    thresholds = [int(np.ceil(edge * 2**F)) for edge in edges[:-1]] + [int(np.floor(edges[-1] * 2**F)) + 1]
    counts = builder.add(CountAtLeast(tuple(thresholds)), x)
    upper, lower = builder.add(Slice(((0, 16, 1),)), counts), builder.add(Slice(((1, 17, 1),)), counts)
    return builder.add(Subtract(), upper, lower)


def plain_workloads() -> dict[str, Callable[[], Workload]]:
    """Workloads without a model, by name; made on demand, since their inputs are large."""
    million, hundred = 1_000_000, 100_000
    return {
        "relu_1m": lambda: one(
            "relu_1m",
            "ReLU of 1,000,000 values",
            normal(million),
            64,
            lambda builder, x: builder.add(Relu(Epilogue(relu=True)), x),
            lambda x: np.maximum(x, 0),
        ),
        "mul_1m": lambda: _product(
            "mul_1m", "1,000,000 products, truncated", normal(million), normal(million, seed=1), 31, Elementwise()
        ),
        "matmul_512": lambda: _product(
            "matmul_512", "512 x 512 matrices", normal(512, 512), normal(512, 512, seed=1), 27, Matrix()
        ),
        "matmul_1024": lambda: _product(
            "matmul_1024", "1024 x 1024 matrices", normal(1024, 1024), normal(1024, 1024, seed=1), 26, Matrix()
        ),
        "mean_1m": lambda: one(
            "mean_1m", "mean of 1,000,000 values", normal(million), 20, _mean, lambda x: np.array([x.mean()])
        ),
        "var_1m": lambda: one(
            "var_1m",
            "variance of 1,000,000 values",
            normal(million),
            20,
            _variance,
            lambda x: np.array([x.var(ddof=1)]),
        ),
        "max_100k": lambda: one(
            "max_100k",
            "maximum of 100,000 values",
            normal(hundred),
            63,
            lambda builder, x: builder.add(Maximum(), x),
            lambda x: np.array([x.max()]),
        ),
        "hist16_100k": lambda: one(
            "hist16_100k",
            "16 equal bins over [-3, 3] of 100,000 values",
            normal(hundred),
            63,
            _histogram,
            lambda x: np.histogram(x, 16, (-3, 3))[0].astype(np.float64),
        ),
    }
