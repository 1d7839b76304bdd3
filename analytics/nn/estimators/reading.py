"""What a reading of an estimator works with: the graph under construction, and what came before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from analytics.nn.torch_ops.building import GraphBuilder, Refused, Wire
from icm_ray.network.layers import Linear

__all__ = ["Array", "Reader", "Reading", "Scaled", "linear", "matrix", "need_classes", "of_two"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scaled:
    """The features that an estimator sees: (x - mean) / scale of those that users give, each (features,)."""

    mean: Array
    scale: Array

    @classmethod
    def plain(cls, features: int) -> Scaled:
        """As they are."""
        return cls(np.zeros(features), np.ones(features))

    def before(self, limit: float, feature: int) -> float:
        """The largest feature that is seen as `limit` at most; what is seen as it exactly stays below."""
        mean, scale = float(self.mean[feature]), float(self.scale[feature])
        if (mean, scale) == (0.0, 1.0):
            return limit
        return limit * scale + mean + (abs(limit * scale) + abs(mean)) * 2.0**-48

    def then(self, mean: Any, scale: Any) -> Scaled:
        """((x - m) / s - mean) / scale = (x - (m + s mean)) / (s scale)."""
        return Scaled(self.mean + self.scale * mean, self.scale * scale)


@dataclass(frozen=True, slots=True)
class Reading:
    """An estimator's result. likely: whether it is probabilities, rather than what softmax makes probabilities of.
    asks: whether numbers of rows are compared with thresholds, so that each of their digits counts.
    """

    wire: Wire
    likely: bool = False
    asks: bool = False


Reader: TypeAlias = Callable[[GraphBuilder, Any, Scaled, Wire], Reading]


def matrix(numbers: Any) -> Array:
    """As float64 with two axes; raises `Refused` where they are no numbers."""
    found = np.atleast_2d(np.asarray(numbers, np.float64))
    if not np.isfinite(found).all():
        raise Refused("its coefficients have NaN or infinite values")
    return found


def linear(build: GraphBuilder, x: Wire, weight: Array, bias: Array, seen: Scaled | None = None) -> Wire:
    """W x + b, of what is seen of x: W ((x - mean) / scale) + b."""
    if seen is not None:
        weight = weight / seen.scale
        bias = bias - weight @ seen.mean
    facts = {"weight": torch.from_numpy(weight.copy()), "bias": torch.from_numpy(np.array(bias, np.float64))}
    return build.emit(Linear, x, shape=(len(weight),), **facts)


def need_classes(model: Any) -> None:
    """Raises `Refused` for a single class: there are two scores for one."""
    if len(model.classes_) == 1:
        raise Refused("it was fitted with one class alone; there is nothing to tell apart")


def of_two(weight: Array, bias: Array) -> tuple[Array, Array]:
    """The only score z of two classes as two, 0 and z: the larger one is right, and softmax is the sigmoid of z."""
    if len(weight) > 1:
        return weight, bias
    return np.vstack([np.zeros_like(weight), weight]), np.concatenate([np.zeros(1), bias])
