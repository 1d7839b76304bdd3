"""The CNN of MiniONN's CIFAR-10 table (Liu et al. 2017), max-pooling replaced by mean-pooling as there; batch 8.

Weights are the first party's and loaded before the clock starts; the images are shares. As in the other engines that
are measured on it, activations, before and after a ReLU, are promised to stay within 2^9, not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from cluster.bench.plain_networks import convolved
from cluster.bench.workloads import F, FixedWeight, Workload, fixed_weight
from icm_ray.ops.forms import Convolution, Matrix
from icm_ray.ops.linear import AssumeWidth, Rescale, Reshape, WindowSum
from icm_ray.ops.products import Epilogue, OwnedProduct
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value

__all__ = ["minionn"]

Plain = NDArray[np.float64]
_BATCH = 8
_BOUND = 9
"""log2 of a bound on what a layer gives, before its ReLU and after."""


@dataclass(frozen=True)
class _Conv:
    shape: tuple[int, int, int, int]
    pool: bool = False

    @property
    def padding(self) -> int:
        return self.shape[2] // 2


_LAYERS = (
    _Conv((64, 3, 3, 3)),
    _Conv((64, 64, 3, 3), pool=True),
    _Conv((64, 64, 3, 3)),
    _Conv((64, 64, 3, 3), pool=True),
    _Conv((64, 64, 3, 3)),
    _Conv((64, 64, 1, 1)),
    _Conv((16, 64, 1, 1)),
)


def _weights() -> dict[str, Plain]:
    rng = np.random.default_rng(7)
    shapes = [layer.shape for layer in _LAYERS] + [(10, 1024)]
    return {f"w{index}": 0.05 * rng.normal(size=shape) for index, shape in enumerate(shapes)}


def _build(weights: Mapping[str, FixedWeight], builder: Builder, values: Mapping[str, Value]) -> Value:
    owner = builder.parties[0]
    x = values["x"]
    for index, layer in enumerate(_LAYERS):
        pad = (layer.padding,) * 4
        op = OwnedProduct(
            owner,
            f"w{index}",
            Convolution(layer.shape[2:], padding=pad),
            weights[f"w{index}"].type,
            gain=0,
            bound=_BOUND,
        )
        fitted = Epilogue(shift=x.type.f, relu=True, width=op.infer(x.type).width + 1)
        x = builder.add(AssumeWidth(F + _BOUND + 1), builder.add(msgspec.structs.replace(op, epilogue=fitted), x))
        if layer.pool:
            x = builder.add(Rescale(2), builder.add(WindowSum((2, 2), (2, 2)), x))
    flat = builder.add(Reshape((_BATCH, 1024)), x)
    name = f"w{len(_LAYERS)}"
    last = OwnedProduct(owner, name, Matrix(transposed=True), weights[name].type, gain=7)
    fitted = Epilogue(shift=F, width=last.infer(flat.type).width + 1)
    return builder.add(msgspec.structs.replace(last, epilogue=fitted), flat)


def _plain(inputs: Mapping[str, Plain]) -> Plain:
    weights, x = _weights(), inputs["x"]
    for index, layer in enumerate(_LAYERS):
        x = np.maximum(convolved(x, weights[f"w{index}"], layer.padding), 0)
        if layer.pool:
            x = x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).mean(axis=(3, 5))
    return x.reshape(_BATCH, -1) @ weights[f"w{len(_LAYERS)}"].T


def minionn() -> Workload:
    """minionn_cifar_b8."""
    images = np.random.default_rng(3).normal(size=(_BATCH, 3, 32, 32))
    kind = ValueType(shape=images.shape, f=F, width=F + 4, error=2.0 ** -(F + 1))
    weights = {name: fixed_weight(plain) for name, plain in _weights().items()}
    return Workload(
        "minionn_cifar_b8",
        "MiniONN's CIFAR-10 CNN, batch 8",
        {"x": images},
        {"x": kind},
        partial(_build, weights),
        _plain,
        weights,
    )
