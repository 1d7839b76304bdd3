"""Linear models and multilayer perceptrons."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from analytics.nn.estimators.reading import Reading, Scaled, linear, matrix, need_classes, of_two
from analytics.nn.torch_ops.building import GraphBuilder, Refused, Wire
from icm_ray.network.layers import Relu, Smooth

__all__ = ["read_classifier", "read_perceptron_classifier", "read_perceptron_regressor", "read_regressor"]

_ACTIVATIONS: Final = {"logistic": "sigmoid", "tanh": "tanh"}


def read_regressor(build: GraphBuilder, model: Any, seen: Scaled, x: Wire) -> Reading:
    """`coef_` and `intercept_`, of one target or of several."""
    weight = matrix(model.coef_)
    bias = np.broadcast_to(np.asarray(model.intercept_, np.float64), len(weight))
    return Reading(linear(build, x, weight, bias, seen))


def read_classifier(build: GraphBuilder, model: Any, seen: Scaled, x: Wire) -> Reading:
    """The same, of classes: softmax makes probabilities of the scores."""
    weight = matrix(model.coef_)
    bias = np.broadcast_to(np.asarray(model.intercept_, np.float64), len(weight))
    if len(weight) == 1 < len(model.classes_) - 1:
        raise Refused(f"it has one score for {len(model.classes_)} classes")
    return Reading(linear(build, x, *of_two(weight, bias), seen))


def read_perceptron_regressor(build: GraphBuilder, model: Any, seen: Scaled, x: Wire) -> Reading:
    """Layers with the same activation behind each but the last."""
    if model.out_activation_ != "identity":
        raise Refused(f"its output activation {model.out_activation_!r} is not supported")
    return Reading(_layers(build, model, seen, x, two=False))


def read_perceptron_classifier(build: GraphBuilder, model: Any, seen: Scaled, x: Wire) -> Reading:
    """The same; its output activation is what `output="probabilities"` computes."""
    need_classes(model)
    if model.out_activation_ == "logistic" and model.n_outputs_ > 1:
        raise Refused("it was fitted with several labels for each row; fit one estimator for each")
    return Reading(_layers(build, model, seen, x, two=True))


def _layers(build: GraphBuilder, model: Any, seen: Scaled, x: Wire, *, two: bool) -> Wire:
    last = len(model.coefs_) - 1
    for place, (columns, shift) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        build.module = f"coefs_[{place}]"
        weight, bias = matrix(columns).T, np.asarray(shift, np.float64)
        if two and place == last:
            weight, bias = of_two(weight, bias)
        x = linear(build, x, weight, bias, None if place else seen)
        if place < last and model.activation != "identity":
            if model.activation == "relu":
                x = build.emit(Relu, x, shape=x.shape)
            elif model.activation in _ACTIVATIONS:
                x = build.emit(Smooth, x, shape=x.shape, function=_ACTIVATIONS[model.activation])
            else:
                raise Refused(f"its activation {model.activation!r} is not supported")
    return x
